"""The labelled set: pairs of texts written by hand, near misses of fourteen kinds and true paraphrases.

A third of each kind is `held_out`: it was never looked at while the gate was made.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = Path(__file__).with_name("near_misses.jsonl")


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two texts, and whether an answer to the one is an answer to the other."""

    kind: str
    same: bool
    held_out: bool
    one: str
    other: str


@lru_cache(maxsize=1)
def pairs() -> tuple[Pair, ...]:
    return tuple(msgspec.json.decode(line, type=Pair) for line in FILE.read_bytes().splitlines())


def texts() -> tuple[str, ...]:
    """Every text of the set, once."""
    return tuple(dict.fromkeys(text for pair in pairs() for text in (pair.one, pair.other)))


def paraphrases() -> frozenset[frozenset[str]]:
    return frozenset(frozenset((pair.one, pair.other)) for pair in pairs() if pair.same)
