"""Not asking, for a moment, what has just failed several times in a row."""

from collections.abc import Callable
from typing import Final

TRIPPED_BY: Final = 3
REST_S: Final = 1.0


class Breaker:
    """Open after three failures in a row: for a second nothing is asked, then one may try. For one loop."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """`now_s`: seconds of a clock that never goes back."""
        self._now_s = now_s
        self._failures = 0
        self._rests_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it has tripped and nothing has succeeded since."""
        return self._failures >= TRIPPED_BY

    @property
    def is_calm(self) -> bool:
        """Whether the last question was answered, or none was put yet."""
        return not self._failures

    def may_ask(self) -> bool:
        """Whether to ask now; while it is open, a yes is a trial, and keeps all others waiting for another second."""
        if not self.is_open:
            return True
        now = self._now_s()
        if now < self._rests_until:
            return False
        self._rests_until = now + REST_S
        return True

    def succeeded(self) -> None:
        """There was an answer."""
        self._failures = 0

    def failed(self) -> None:
        """There was none."""
        self._failures += 1
        self._rests_until = self._now_s() + REST_S
