"""Allowances: how many further requests a target may get, as a part of its traffic."""

from typing import Final, Literal, TypeAlias

from proxy.routing.candidate import Candidate

_ONE: Final = 1_000_000
RESERVE: Final = 10
"""What is there at the start, and the most that is kept: a quiet target has some, a busy one no flood of them."""
MOST_KEPT: Final = 4096
Use: TypeAlias = Literal["retry", "hedge"]


class Allowances:
    """A token bucket per target and use: each call earns a part of one, each further request spends one.

    So over any number of calls there are at most `ratio` times as many, and RESERVE more. Kept for the targets seen
    last, in one process.
    """

    def __init__(self) -> None:
        self._left: dict[tuple[Use, Candidate], int] = {}

    def earn(self, use: Use, candidate: Candidate, ratio: float) -> None:
        """A call was sent to the target."""
        key = (use, candidate)
        left = self._left.get(key)
        if left is None:
            if len(self._left) >= MOST_KEPT:
                del self._left[next(iter(self._left))]
            left = RESERVE * _ONE
        self._left[key] = min(RESERVE * _ONE, left + int(ratio * _ONE))

    def has(self, use: Use, candidate: Candidate) -> bool:
        """Whether there is one."""
        return self._left.get((use, candidate), RESERVE * _ONE) >= _ONE

    def spend(self, use: Use, candidate: Candidate) -> None:
        """Take one, of those there are."""
        self._left[(use, candidate)] = max(0, self._left.get((use, candidate), RESERVE * _ONE) - _ONE)
