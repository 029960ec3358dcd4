"""Looks through a call's texts for what rules ask about, and says what to take out of them; never tells what it is."""

import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from proxy.policy.findings.credentials import ASSIGNED, KEYS
from proxy.policy.findings.kinds import KINDS, category_of, kinds_of
from proxy.policy.findings.markers import MARKERS, find_hidden, find_markers
from proxy.policy.findings.national import LETTERED, NATIONAL
from proxy.policy.findings.personal import Phones, find_accounts, find_cards, find_mails
from proxy.policy.findings.plain import Plain
from proxy.policy.findings.presidio import Presidio
from proxy.policy.findings.settings import FindingsSettings
from proxy.policy.findings.shapes import Expression, Span, Tries

MOST_FINDINGS: Final = 256
"""So many kinds of messages are told to rules; more are cut off, and that is told."""
MOST_TRIES: Final = 50_000
"""A quarter of a second, for one request."""
MOST_ROUNDS: Final = 8
"""So often a text is looked at again after something was taken out of it."""
TRUSTED: Final = frozenset({"system", "developer"})
"""Roles whose orders are orders."""
_ENOUGH_DIGITS: Final = Expression(r"\d(?:[ \-./()]{0,2}\d){5}")
"""A text without as many digits has no number in it that is looked for."""
_SAMPLE: Final = "é\u200b\u200b a@b.example +49 30 901820 DE89 4111 1111 1111 1111"
"""A text that all of it looks at."""
Counts: TypeAlias = tuple[tuple[str, int], ...]


class Said(NamedTuple):
    """A text of a request: in which message, and who is said to have said it."""

    role: str
    number: int
    text: str


class Finding(Struct, frozen=True):
    """How often one kind was found in one message."""

    kind: str
    category: str
    role: str
    index: int
    count: int


class Found(NamedTuple):
    """What was found in a request. `is_whole`: all of it was looked at, and all is told; `unread` is how many of its
    parts hold no text that could be looked at."""

    findings: tuple[Finding, ...] = ()
    is_whole: bool = True
    unread: int = 0


class Edit(NamedTuple):
    """A part of a text that another one stands in for."""

    start: int
    end: int
    label: str


class Unredactable(ValueError):
    """What is to be taken out cannot be, or it cannot be known that all of it is; the message tells the client why."""


class Finder:
    """Deterministic detectors; may be asked from any thread. Remembers by a digest what was found in a text."""

    def __init__(self, settings: FindingsSettings) -> None:
        self.settings: Final = settings
        self._phones = Phones(settings.phone_regions)
        self._presidio = Presidio(settings.presidio) if settings.presidio.entities else None
        self._known: OrderedDict[bytes, Counts] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, texts: Iterable[Said], unread: int = 0) -> Found:
        """What is found in these texts, up to the bytes that the settings allow; takes some 50 µs for each KB."""
        left, is_whole, tries = self.settings.max_bytes, True, self.tries()
        counted: Counter[tuple[str, int, str]] = Counter()
        for said in texts:
            text = said.text
            size = len(text) if text.isascii() else len(text.encode())
            if size > left:
                # A part of it could end in the middle of what is looked for.
                text, is_whole = text[:left], False
            left = max(0, left - size)
            is_whole = is_whole and not self.is_too_long(text)
            for kind, count in self.counts(text, tries):
                if category_of(kind) != "injection" or said.role not in TRUSTED:
                    counted[said.role, said.number, kind] += count
        findings = [Finding(kind, category_of(kind), role, number, n) for (role, number, kind), n in counted.items()]
        return Found(tuple(findings[:MOST_FINDINGS]), is_whole and len(findings) <= MOST_FINDINGS, unread)

    def prepare(self) -> None:
        """Make all that is looked with now, so that no call waits for it; takes some tenths of a second."""
        for shapes in (KEYS, ASSIGNED, LETTERED, NATIONAL, MARKERS):
            shapes.prepare()
        plain = Plain(_SAMPLE)
        for _ in (*self._by_rules(plain.text, self.tries()), *find_hidden(_SAMPLE)):
            pass

    @property
    def is_slow(self) -> bool:
        """Whether looking takes so long that even a short text is not looked at on a loop."""
        return self._presidio is not None

    def tries(self) -> Tries:
        """How much may be looked at closely in one request."""
        return Tries(MOST_TRIES)

    def redactor(self, names: Collection[str]) -> "Redactor":
        """What takes these kinds and categories of them out of the texts of one request.

        Raises:
            Unredactable: one of them is not looked for.
        """
        more = self._presidio.kinds if self._presidio is not None else frozenset()
        kinds = kinds_of(names, more)
        if missing := sorted(kinds - KINDS.keys() - more):
            raise Unredactable(f"The policy has {missing[0]} redacted, which `policy.findings.presidio` does not name.")
        return Redactor(self, kinds)

    def is_too_long(self, text: str) -> bool:
        """Whether some detector does not look at so long a text."""
        return self._presidio is not None and len(text) > self._presidio.settings.max_chars

    def spans(self, written: str, tries: Tries) -> list[Span]:
        """Everything found, in places of the text as it was written; of one kind nothing overlaps."""
        plain = Plain(written)
        spans = [Span(*plain.place(start, end), kind) for start, end, kind in self._in_plain(plain.text, tries)]
        return _apart([*spans, *find_hidden(written)])

    def counts(self, text: str, tries: Tries) -> Counts:
        """How often each kind is found in a text; remembered."""
        if not text:
            return ()
        key = hashlib.blake2b(text.encode(), digest_size=16).digest()
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        counts = tuple(Counter(span.kind for span in self.spans(text, tries)).items())
        if not tries.are_over:
            self._remember(key, counts)
        return counts

    def _remember(self, key: bytes, counts: Counts) -> None:
        with self._lock:
            self._known[key] = counts
            while len(self._known) > self.settings.remembered:
                self._known.popitem(last=False)

    def _in_plain(self, text: str, tries: Tries) -> Iterator[Span]:
        yield from self._by_rules(text, tries)
        if self._presidio is not None:
            yield from self._presidio.find(text)

    def _by_rules(self, text: str, tries: Tries) -> Iterator[Span]:
        yield from KEYS.find(text, tries)
        yield from ASSIGNED.find(text, tries)
        yield from find_mails(text)
        yield from LETTERED.find(text, tries)
        yield from find_markers(text, tries)
        if _ENOUGH_DIGITS.search(text):
            yield from find_accounts(text, tries)
            yield from find_cards(text, tries)
            yield from NATIONAL.find(text, tries)
            yield from self._phones.find(text, tries)


class Redactor:
    """Says what to take out of the texts of one request."""

    def __init__(self, finder: Finder, kinds: frozenset[str]) -> None:
        self._finder = finder
        self._kinds = kinds
        self._from_trusted = frozenset(kind for kind in kinds if category_of(kind) != "injection")
        self._tries = finder.tries()
        self._left = finder.settings.max_bytes

    def edits(self, role: str, text: str) -> list[Edit]:
        """What to put in place of all that is to go, in order, so that nothing of it is found any more.

        Raises:
            Unredactable: something always is, or there is more text than is looked at.
        """
        self._left -= len(text) if text.isascii() else len(text.encode())
        if self._left < 0 or self._finder.is_too_long(text):
            raise Unredactable("The policy has this request redacted, and it holds more text than is looked at.")
        kinds = self._from_trusted if role in TRUSTED else self._kinds
        edits: list[Edit] = []
        if not any(kind in kinds for kind, _ in self._finder.counts(text, self._tries)):
            return edits
        for _ in range(MOST_ROUNDS):
            now = edited(text, edits)
            spans = [span for span in self._finder.spans(now, self._tries) if span.kind in kinds]
            if not spans:
                return edits
            edits = _with_more(edits, spans)
        raise Unredactable("This request cannot be redacted as the policy wants it; send plainer text.")


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with its edits made."""
    pieces: list[str] = []
    at = 0
    for edit in edits:
        pieces += (text[at : edit.start], edit.label)
        at = edit.end
    return "".join([*pieces, text[at:]])


def _apart(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those of one kind that overlap as one."""
    apart: list[Span] = []
    last: dict[str, int] = {}
    for span in sorted(spans):
        known = last.get(span.kind)
        if known is not None and span.start < apart[known].end:
            apart[known] = apart[known]._replace(end=max(span.end, apart[known].end))
        else:
            last[span.kind] = len(apart)
            apart.append(span)
    return apart


def _with_more(edits: Sequence[Edit], spans: Sequence[Span]) -> list[Edit]:
    """The edits of a text, and what was found once they were made, as edits of the text as it was."""
    more = [_as_edit(edits, span) for span in spans]
    merged: list[Edit] = []
    for edit in sorted([*edits, *more]):
        if merged and edit.start < merged[-1].end:
            before = merged[-1]
            merged[-1] = Edit(before.start, max(before.end, edit.end), before.label)
        else:
            merged.append(edit)
    return merged


def _as_edit(edits: Sequence[Edit], span: Span) -> Edit:
    return Edit(_before(edits, span.start), _before(edits, span.end, is_end=True), f"[{span.kind.upper()}]")


def _before(edits: Sequence[Edit], at: int, *, is_end: bool = False) -> int:
    """Where a place in the edited text was before; within a label, the whole of what it stands for is meant."""
    shift = 0
    for edit in edits:
        start = edit.start + shift
        end = start + len(edit.label)
        if at <= start if is_end else at < start:
            break
        if at < end or (is_end and at == end):
            return edit.end if is_end else edit.start
        shift += len(edit.label) - (edit.end - edit.start)
    return at - shift
