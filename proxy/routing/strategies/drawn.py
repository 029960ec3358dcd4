"""By lot: `weighted` draws for each call, `sticky` once for a conversation.

Each candidate draws a number from the call's or the conversation's name and its own, so that nothing has to be kept:
every worker of every host draws the same, and who leaves or comes moves only what is his share (rendezvous hashing,
with weights as in Efraimidis and Spirakis).
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from math import log
from typing import Final

from proxy.routing.candidate import Candidate
from proxy.routing.option import Option, Turn
from proxy.routing.ranking import Ranked

SCALE: Final = 1_000_000
_LAST: Final = 10**18
_RANGE: Final = 2.0**64


def weighted(options: Sequence[Option], turn: Turn) -> list[Ranked]:
    """By lot, each with the chance of its weight."""
    drawn = _drawn(options, turn.lot)
    return [Ranked(option.candidate, score, f"drawn by weight {option.weight}") for score, option in drawn]


def sticky(options: Sequence[Option], turn: Turn) -> list[Ranked]:
    """Who served the conversation last, else who is drawn for it; by lot where the call is of no conversation."""
    if not turn.conversation:
        return weighted(options, turn)
    order = [
        Ranked(option.candidate, score, "drawn for the conversation")
        for score, option in _drawn(options, turn.conversation)
    ]
    if turn.pinned is None or order[0].candidate == turn.pinned:
        return order
    kept = [Ranked(each.candidate, 0, "moved here earlier") for each in order if each.candidate == turn.pinned]
    return [*kept, *(each for each in order if each.candidate != turn.pinned)]


def draw(candidate: Candidate, weight: int, lot: bytes) -> int:
    """The candidate's number, the lower the better: an exponential variable whose rate is its weight."""
    if weight <= 0:
        return _LAST
    number = int.from_bytes(blake2b(_name(candidate) + lot, digest_size=8).digest())
    return int(-log((number + 1) / _RANGE) * SCALE / weight)


def _drawn(options: Sequence[Option], lot: bytes) -> list[tuple[int, Option]]:
    drawn = [(draw(option.candidate, option.weight, lot), option) for option in options]
    return sorted(drawn, key=_number)


def _number(drawn: tuple[int, Option]) -> int:
    return drawn[0]


@lru_cache(maxsize=4096)
def _name(candidate: Candidate) -> bytes:
    return blake2b(f"{candidate.provider}\n{candidate.model}".encode(), digest_size=16).digest()
