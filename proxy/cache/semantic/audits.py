"""Whether hits are right: what was found when answers were compared, and what follows from it."""

from typing import Final

from msgspec import Struct

from proxy.cache.semantic.bounds import bounds

STEP: Final = 0.02
"""How much more alike texts must be after each false hit."""
HIGHEST: Final = 0.999
_MOST: Final = 4096
_FORGET_AT: Final = 2000


class Standing(Struct, frozen=True):
    """How many hits of a route were looked at, how many were false, the 95 % bounds of their share, and whether hits
    are still served."""

    looked_at: int
    false: int
    lower: float
    upper: float
    is_off: bool


class Audits:
    """What was found per organisation and route, by this worker; bounded.

    Each false hit raises the threshold of its route by a step. Once more false hits than `max_false` allows are certain
    (the lower 95 % bound lies above it), the route serves none any more until Flyball is started again.
    """

    def __init__(self, max_false: float) -> None:
        self._max_false = max_false
        self._found: dict[tuple[str, str], list[int]] = {}
        self._off: set[tuple[str, str]] = set()

    def note(self, org: str, route: str, *, is_false: bool) -> bool:
        """A hit was compared with a live answer; whether the route is switched off by that."""
        at = (org, route)
        if at not in self._found and len(self._found) >= _MOST:
            self._found.pop(next(iter(self._found)))
        counts = self._found.setdefault(at, [0, 0])
        counts[0] += 1
        counts[1] += is_false
        lower, _ = bounds(counts[1], counts[0])
        if is_false and at not in self._off and lower > self._max_false:
            self._off.add(at)
            return True
        if counts[0] >= _FORGET_AT:  # what was long ago counts half
            counts[:] = [count // 2 for count in counts]
        return False

    def threshold(self, org: str, route: str, least: float) -> float:
        """How alike texts must be now."""
        counts = self._found.get((org, route))
        return least if counts is None or not counts[1] else max(least, min(HIGHEST, least + STEP * counts[1]))

    def is_off(self, org: str, route: str) -> bool:
        """Whether hits of the route were found false too often."""
        return (org, route) in self._off

    def standing(self, org: str, route: str) -> Standing:
        """How the route does."""
        looked_at, false = self._found.get((org, route), (0, 0))
        lower, upper = bounds(false, looked_at)
        return Standing(looked_at, false, lower, upper, self.is_off(org, route))
