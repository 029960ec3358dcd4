"""A text, cut into words: what the gate compares, or the reason that only the very same text is the same."""

import re
import unicodedata
from typing import Final

LONGEST: Final = 32
"""How many words a text may have to be compared by its words; a longer one has too much that could differ."""

_STRAIGHT: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " "})
_WORD: Final = re.compile(
    r"""\s*(?:
      (?P<number>[$£€]?\d+(?:[.,:/-]\d+)*%?(?![\w]))                        # 3, 1,000, 10:30, 2024-01-05, 15%, $20
    | (?P<word>[^\W_]+(?:['&/-][^\W_]+)*(?:\+\+|\#(?!\w))?(?![\w]))          # don't, AT&T, TCP/IP, C++, IPv6
    | (?P<stop>[.,;!?](?=\s|$)|[.!?]+$)
    )""",
    re.VERBOSE,
)
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3})+")


def cut(text: str) -> list[str] | None:
    """The words, numbers and stops of a text, in order and as they are written.

    None where something else stands in it (quotes, code, signs, lines): of such, every byte may matter.
    """
    text = unicodedata.normalize("NFC", text).translate(_STRAIGHT).strip()
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None or len(found) == 2 * LONGEST or "\n" in match.group():
            return None
        word = match.group().strip()
        if match.lastgroup == "number" and _THOUSANDS.fullmatch(word):
            word = word.replace(",", "")
        found += [word[:-1], "%"] if word[-1] == "%" else [word]
        at = match.end()
    return found
