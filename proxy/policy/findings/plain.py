"""A text as a reader would take it: look-alike letters, digits of all scripts and hidden characters told plainly.

Detectors look at that; where something stands in the text as it was written is kept, so that it can be taken out there.
"""

import re
import unicodedata
from bisect import bisect_right
from functools import cache
from typing import Final

import re2

_LOOK_ALIKES: Final = str.maketrans(
    "аеорсхуіѕјһԁԛԝьвкмнтАВЕКМНОРСТУХЬІЅЈҮοαικνρτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧօհոսցꓲꓳ‐‑‒–—−⁃∕⁄։․﹒。",
    "aeopcxyisjhdqwbbkmhtABEKMHOPCTYXBISJYoaiknptuxABEZHIKMNOPTYXohnugIO-------//:...",
)
"""Letters and signs of other scripts that are drawn as ours (Cyrillic, Greek, Armenian, Lisu; dashes, stops)."""
HIDDEN: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e0fff"
)
"""What is not drawn at all: zero-width characters, directions, variation selectors, tags; a class of an expression."""
_LEFT_OUT: Final = re.compile(rf'[{HIDDEN}]+|\\(?:u[0-9a-fA-F]{{4}}|["\\/bfnrt])')
_ESCAPED: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LAST_LOOKED_AT: Final = 0x20000


class Plain:
    """`text` is the plain one; `place` says where a part of it stands in the one that was given."""

    __slots__ = ("_froms", "_starts", "_written", "text")

    def __init__(self, written: str) -> None:
        """Escapes of JSON within the text count as what they stand for: a tool's result is often JSON in a string."""
        self._written = written
        self._starts: list[int] = []
        self._froms: list[tuple[int, int]] = []
        text = written
        if "\\" in written or has_hidden(written):
            text = _LEFT_OUT.sub(_read, written)
        self.text = text if text.isascii() else _told_plainly(text)

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where the part from `start` to `end` of the plain text stands in the one given."""
        if len(self.text) == len(self._written):
            return start, end
        if not self._starts:
            self._find_pieces()
        return self._place(start), self._place(end - 1, after=True)

    def _place(self, at: int, *, after: bool = False) -> int:
        """A piece is as it was written, or is one character that was written as several."""
        index = bisect_right(self._starts, at) - 1
        begun, written = self._froms[index]
        if written:
            return begun + written if after else begun
        return begun + at - self._starts[index] + (1 if after else 0)

    def _find_pieces(self) -> None:
        length = at = 0
        for found in _LEFT_OUT.finditer(self._written):
            start, end = found.span()
            if start > at:
                self._starts.append(length)
                self._froms.append((at, 0))
                length += start - at
            if _read(found):
                self._starts.append(length)
                self._froms.append((start, end - start))
                length += 1
            at = end
        self._starts.append(length)
        self._froms.append((at, 0))


def _read(found: re.Match[str]) -> str:
    """The character that an escape stands for; nothing for hidden ones."""
    escape = found[0]
    if escape[0] != "\\":
        return ""
    if escape[1] != "u":
        return _ESCAPED[escape[1]]
    letter = chr(int(escape[2:], 16))
    if "\ud800" <= letter <= "\udfff":
        return "\ufffd"
    return "" if _LEFT_OUT.match(letter) else letter


def has_hidden(text: str) -> bool:
    """Whether something in it is not drawn."""
    return not text.isascii() and _any_hidden().search(text) is not None


@cache
def _any_hidden() -> re2._Regexp:
    return re2.compile(f"[{HIDDEN}]")


def plainly(pattern: str) -> str:
    """An expression that is to be met in plain texts."""
    return pattern if pattern.isascii() else _told_plainly(pattern)


def _told_plainly(text: str) -> str:
    forms = _forms()
    # Letter by letter, of the few that are there: a hundredth of the time of looking each place up.
    for letter in forms.keys() & set(text):
        text = text.replace(letter, forms[letter])
    return text


@cache
def _forms() -> dict[str, str]:
    """What each character is told as whose compatible form is one of ASCII, that is a decimal digit, or looks alike."""
    told = {}
    for code in range(0x80, _LAST_LOOKED_AT):
        letter = chr(code)
        digit = unicodedata.decimal(letter, None)
        form = unicodedata.normalize("NFKC", letter) if digit is None else str(digit)
        if len(form) == 1 and form.isascii():
            told[letter] = form
    return {**told, **{chr(code): chr(other) for code, other in _LOOK_ALIKES.items()}}
