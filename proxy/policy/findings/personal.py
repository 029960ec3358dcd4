"""What people are reached and paid by: e-mail addresses, phone numbers, cards, accounts."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Final

import phonenumbers

from proxy.policy.findings.checksums import luhn, mod_97
from proxy.policy.findings.shapes import Expression, Span, Tries, is_fraction

PHONE_TRIES: Final = 6
"""Looking a number up takes 30 µs."""
_MAIL: Final = Expression(r"[\p{L}\p{N}._%+\-]+@(?:[\p{L}\p{N}\-]+\.)+\p{L}{2,}")
_NO_MAIL: Final = re.compile(r"^git@|@\d[^@]*$|\.(?:png|jpe?g|gif|svg|webp|js|ts|css|py)$", re.IGNORECASE)
_ROW: Final = Expression(r"\b\d(?:[ \-.]?\d){12,}\b")
_CARD: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d*(?<=^\d{16})"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11,16}|(?:6011|64[4-9]\d|65\d\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12,15}|62\d{14,17}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"
)
"""How the numbers of the card networks begin, and how long they are."""
MOST_CARD_CHARS: Final = 40
_SEPARATOR: Final = re.compile(r"[ \-.]")
_GROUPS: Final = re.compile(r"\d+")
_ACCOUNT_HEAD: Final = Expression(r"(?i)\b[A-Z]{2}\d{2}")
_LENGTHS: Final = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27"
        "GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22"
        "MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28"
        "TL23TN24TR26UA29VA22VG24XK20YE30",
    )
}
"""How long an account number is in each country of the IBAN registry."""
_ACCOUNT: Final = {
    length: re.compile(rf"[A-Za-z]{{2}}\d{{2}}(?:[ \-]?[A-Za-z0-9]){{{length - 4}}}(?![A-Za-z0-9])")
    for length in set(_LENGTHS.values())
}
_ABROAD: Final = Expression(r"(?:\+|\b00) ?[1-9](?:[ \-./()]{0,2}\d){6,16}\b")
_NORTH_AMERICAN: Final = Expression(r"(?:\(\d{3}\) ?|\b\d{3}[ \-./])\d{3}[ \-.]\d{4}\b")
_HOME: Final = Expression(r"(?:\(\d{2,5}\)|\b\d{2,5})[ \-./]{1,2}\d{2,4}(?:[ \-./]?\d{1,4}){1,4}\b")
_NANP: Final = frozenset({"US", "CA"})
_DAY: Final = re.compile(r"\d{4}[-/.]\d\d[-/.]\d\d|\d\d?[-/.]\d\d?[-/.]\d{4}")
_SHORTEST: Final = 7


def find_mails(text: str) -> Iterator[Span]:
    """E-mail addresses, also of other scripts; not what only has an @ in it."""
    if "@" not in text:
        return
    for found in _MAIL.finditer(text):
        if not _NO_MAIL.search(found[0]):
            yield Span(found.start(), found.end(), "email")


def find_cards(text: str, tries: Tries) -> Iterator[Span]:
    """Card numbers in one piece, in the groups of their networks, or digit by digit, by Luhn's sum."""
    for row in _ROW.finditer(text):
        written = row[0]
        groups = [found.span() for found in _GROUPS.finditer(written)]
        last = -1
        for first, end in sorted(_windows([end - start for start, end in groups])):
            begun, ended = groups[first][0], groups[end - 1][1]
            if begun > last and _is_card(written[begun:ended], tries) and not is_fraction(text, row.start() + begun):
                yield Span(row.start() + begun, row.start() + ended, "card")
                last = ended


def _windows(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring groups that a card's number may be written in."""
    for first, size in enumerate(sizes):
        if size > 12:
            yield first, first + 1
        elif size == 4:
            for count in (3, 4, 5):
                if _is_grouped(sizes[first : first + count], count):
                    yield first, first + count
    at = 0
    for is_single, run in groupby(sizes, lambda size: size == 1):
        count = sum(1 for _ in run)
        if is_single:
            yield at, at + count
        at += count


def _is_grouped(sizes: Sequence[int], count: int) -> bool:
    if count == 3:
        return list(sizes) in ([4, 6, 5], [4, 6, 4])
    return len(sizes) == count and all(size == 4 for size in sizes[:-1]) and sizes[-1] <= 4


def _is_card(written: str, tries: Tries) -> bool:
    if len(written) > MOST_CARD_CHARS:
        return False
    digits = _SEPARATOR.sub("", written)
    return _CARD.fullmatch(digits) is not None and (not tries.take() or luhn(digits))


def find_accounts(text: str, tries: Tries) -> Iterator[Span]:
    """International account numbers, by their country's length and ISO 7064."""
    last = 0
    for head in _ACCOUNT_HEAD.finditer(text):
        if head.start() >= last and (end := _account_end(text, head.start(), tries)):
            last = end
            yield Span(head.start(), end, "iban")


def _account_end(text: str, start: int, tries: Tries) -> int:
    """Where the account number that begins there ends; 0 where there is none."""
    length = _LENGTHS.get(text[start : start + 2].upper(), 0)
    found = _ACCOUNT[length].match(text, start) if length else None
    if found is None:
        return 0
    return found.end() if not tries.take() or mod_97(_SEPARATOR.sub("", found[0])) else 0


class Phones:
    """Phone numbers: those with a country's code, and those of some regions as they are written there."""

    def __init__(self, regions: Collection[str]) -> None:
        """`regions`: two letters each."""
        american = tuple(region for region in regions if region in _NANP)
        others = tuple(region for region in regions if region not in _NANP)
        self._at_home = [(_NORTH_AMERICAN, american[:1])] if american else []
        self._at_home += [(_HOME, others)] if others else []

    def find(self, text: str, tries: Tries) -> Iterator[Span]:
        """Numbers that the numbering plan of their country gives out."""
        for found in _ABROAD.finditer(text):
            if is_fraction(text, found.start()):
                continue
            if end := _valid_end(found[0]) if tries.take(PHONE_TRIES) else len(found[0]):
                yield Span(found.start(), found.start() + end, "phone")
        for expression, regions in self._at_home:
            for found in expression.finditer(text):
                if is_fraction(text, found.start()):
                    continue
                if not tries.take(PHONE_TRIES) or _is_at_home(found[0], regions):
                    yield Span(found.start(), found.end(), "phone")


def _is_at_home(written: str, regions: Sequence[str]) -> bool:
    return not _DAY.search(written) and any(_is_valid(written, region) for region in regions)


def _valid_end(written: str) -> int:
    """Where a number with its country's code ends that begins here, perhaps before other digits; 0 for none."""
    for _ in range(4):
        number = f"+{written[2:]}" if written.startswith("00") else written
        if len(number) > _SHORTEST and _is_valid(number, None):
            return len(written)
        # The last group may be something else.
        written = re.sub(r"[ \-./()]*\d*$", "", written)
    return 0


def _is_valid(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False
