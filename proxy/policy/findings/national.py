"""Numbers that states know people by. Where a number has no check digit, or one that much else would meet, it must be
written as usual, or a word before it must say what it is."""

import re
from typing import Final

from proxy.policy.findings.checksums import (
    is_date,
    is_date_of_some_century,
    luhn,
    mod_11_10,
    verhoeff,
    weighted,
)
from proxy.policy.findings.shapes import Shape, Shapes, near

_DIGITS: Final = re.compile(r"[^0-9]")
_ODD_LETTERS: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
"""What A to Z are worth at the odd places of an Italian tax code; 0 to 9 are worth what A to J are."""


def _digits(text: str) -> str:
    return _DIGITS.sub("", text)


def _us_ssn(text: str) -> bool:
    digits = _digits(text)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if area in ("000", "666") or area >= "900" or group == "00" or serial == "0000":
        return False
    return digits not in ("123456789", "078051120", "219099999") and len(set(digits)) > 1


def _de_tax_id(text: str) -> bool:
    digits = _digits(text)
    counts = [digits[:10].count(digit) for digit in set(digits[:10])]
    # Of the first ten digits one stands there twice or three times, and no other one more than once.
    told_twice = [count for count in counts if count > 1]
    return digits[0] != "0" and len(told_twice) == 1 and told_twice[0] <= 3 and mod_11_10(digits)


def _de_id_card(text: str) -> bool:
    values = [int(letter, 36) for letter in text.upper()]
    total = sum(value * weight for value, weight in zip(values[:9], (7, 3, 1) * 3, strict=True))
    return any(letter.isdigit() for letter in text[:9]) and total % 10 == values[9]


def _gb_nino(text: str) -> bool:
    return text[:2] not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ")


def _gb_nhs(text: str) -> bool:
    digits = _digits(text)
    return (11 - weighted(digits[:9], range(10, 1, -1)) % 11) % 11 == int(digits[9])


def _fr_nir(text: str) -> bool:
    compact = re.sub(r"[^0-9AB]", "", text.upper())
    number = int(compact[:13].replace("2A", "19").replace("2B", "18"))
    return 97 - number % 97 == int(compact[13:])


def _es_dni(text: str) -> bool:
    compact = re.sub(r"[^0-9A-Z]", "", text.upper())
    number = compact[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return compact[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def _it_tax_code(text: str) -> bool:
    letters = text.upper()
    total = 0
    for place, letter in enumerate(letters[:15]):
        even = int(letter) if letter.isdigit() else ord(letter) - 65
        total += even if place % 2 else _ODD_LETTERS[even]
    return letters[15] == chr(65 + total % 26)


def _nl_bsn(text: str) -> bool:
    digits = _digits(text)
    return digits != "000000000" and (weighted(digits[:8], range(9, 1, -1)) - int(digits[8])) % 11 == 0


def _be_national_id(text: str) -> bool:
    digits = _digits(text)
    number, check = digits[:9], int(digits[9:])
    return any(97 - int(century + number) % 97 == check for century in ("", "2"))


def _pl_pesel(text: str) -> bool:
    digits = _digits(text)
    month, century = int(digits[2:4]) % 20, (1900, 2000, 2100, 2200, 1800)[int(digits[2:4]) // 20]
    if not is_date(century + int(digits[:2]), month, int(digits[4:6])):
        return False
    return (10 - weighted(digits[:10], (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10 == int(digits[10])


def _se_personal_id(text: str) -> bool:
    digits = _digits(text)[-10:]
    return is_date_of_some_century(digits) and luhn(digits)


def _no_personal_id(text: str) -> bool:
    digits = _digits(text)
    day_first = digits[4:6] + digits[2:4] + digits[:2]
    if not is_date_of_some_century(day_first):
        return False
    first = (11 - weighted(digits[:9], (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11) % 11
    second = (11 - weighted(digits[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11
    return f"{first}{second}" == digits[9:]


def _fi_personal_id(text: str) -> bool:
    day_first = text[4:6] + text[2:4] + text[:2]
    check = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(text[:6] + text[7:10]) % 31]
    return is_date_of_some_century(day_first) and check == text[10].upper()


def _ch_ahv(text: str) -> bool:
    digits = _digits(text)
    return (10 - weighted(digits[:12], (1, 3) * 6) % 10) % 10 == int(digits[12])


def _br_cpf(text: str) -> bool:
    digits = _digits(text)
    first = weighted(digits[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(digits[:10], range(11, 1, -1)) * 10 % 11 % 10
    return len(set(digits)) > 1 and f"{first}{second}" == digits[9:]


def _in_aadhaar(text: str) -> bool:
    digits = _digits(text)
    return digits != digits[::-1] and verhoeff(digits)


def _ca_sin(text: str) -> bool:
    return luhn(_digits(text))


NATIONAL: Final = Shapes(
    [
        Shape("us_ssn", r"\b\d{3}-\d{2}-\d{4}\b", _us_ssn),
        Shape("us_ssn", r"\b\d{3}[ .]?\d{2}[ .]?\d{4}\b", _us_ssn, near("ssn", "social security")),
        Shape("ca_sin", r"\b\d{3}[ \-]?\d{3}[ \-]?\d{3}\b", _ca_sin, near("sin", "social insurance", "nas")),
        Shape("br_cpf", r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b", _br_cpf),
        Shape("br_cpf", r"\b\d{11}\b", _br_cpf, near("cpf")),
        Shape("in_aadhaar", r"\b[2-9]\d{3}[ \-]\d{4}[ \-]\d{4}\b", _in_aadhaar),
        Shape("in_aadhaar", r"\b[2-9]\d{11}\b", _in_aadhaar, near("aadhaar", "aadhar", "uid")),
        Shape("de_tax_id", r"\b\d{2} ?\d{3} ?\d{3} ?\d{3}\b", _de_tax_id),
        Shape("ch_ahv", r"\b756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}\b", _ch_ahv),
        Shape(
            "gb_nino", r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ \-]?\d{2}[ \-]?\d{2}[ \-]?\d{2}[ \-]?[A-D]\b", _gb_nino
        ),
        Shape("gb_nhs", r"\b\d{3}[ \-]?\d{3}[ \-]?\d{4}\b", _gb_nhs, near("nhs")),
        Shape(
            "fr_nir",
            r"(?i)\b[1-478] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}\b",
            _fr_nir,
        ),
        Shape("es_dni", r"(?i)\b(?:\d{8}|\d{2}\.\d{3}\.\d{3}|[XYZ][ \-]?\d{7})[ \-]?[A-Z]\b", _es_dni),
        Shape("nl_bsn", r"\b\d{4}[. ]?\d{2}[. ]?\d{3}\b", _nl_bsn, near("bsn", r"burgerservice\w*", r"sofi\w*")),
        Shape("be_national_id", r"\b\d{2}\.\d{2}\.\d{2}-\d{3}[.\-]\d{2}\b", _be_national_id),
        Shape("pl_pesel", r"\b\d{11}\b", _pl_pesel, near("pesel")),
        Shape("se_personal_id", r"\b(?:19|20)?\d{6}[\-+]\d{4}\b", _se_personal_id),
        Shape("se_personal_id", r"\b(?:19|20)\d{10}\b", _se_personal_id, near(r"person\w*")),
        Shape("no_personal_id", r"\b\d{6} ?\d{5}\b", _no_personal_id),
        Shape("fi_personal_id", r"(?i)\b\d{6}[\-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]\b", _fi_personal_id),
    ]
)
"""Those with at least six digits in a row."""
LETTERED: Final = Shapes(
    [
        Shape(
            "de_id_card",
            r"(?i)\b[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}\d\b",
            _de_id_card,
            near(r"\w*ausweis\w*", r"reisepass\w*", "id card", "identity card", "passport"),
        ),
        Shape(
            "it_tax_code",
            r"(?i)\b[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]\b",
            _it_tax_code,
        ),
    ]
)
"""Those that may have fewer."""
