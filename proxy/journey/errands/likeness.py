"""How alike two answers are, by the words they share: cheap, and good enough to find those worth reading."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

MOST_CHARS: Final = 16_384
_WORDS: Final = re.compile(r"\w+")


def opening_of(texts: Sequence[str]) -> str:
    """The first of a text that came in pieces, as much as is compared."""
    kept, size = [], 0
    for text in texts:
        kept.append(text[: MOST_CHARS - size])
        size += len(kept[-1])
        if size >= MOST_CHARS:
            break
    return "".join(kept)


def likeness(one: str, other: str) -> float | None:
    """Dice's coefficient of the words and the pairs of neighbours in two texts: 0 to 1; None where one says nothing."""
    ours, theirs = _shingles(one), _shingles(other)
    if not ours or not theirs:
        return None
    return round(2 * len(ours & theirs) / (len(ours) + len(theirs)), 4)


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = _WORDS.findall(text.casefold())
    return {*((word,) for word in words), *pairwise(words)}
