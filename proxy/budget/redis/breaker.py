"""When to leave a failing server alone: waiting for it again and again would make every call slow."""

from typing import Literal, TypeAlias

State: TypeAlias = Literal["closed", "open", "trial"]


class Breaker:
    """Opens after some failures in a row; when its pause is over, one trial decides whether it closes.

    Times in seconds, from one clock that never runs backwards.
    """

    __slots__ = ("_failed", "_failures", "_pause_s", "opened", "opens_until")

    def __init__(self, *, failures: int, pause_s: float) -> None:
        self._failures = failures
        self._pause_s = pause_s
        self._failed = 0
        self.opens_until = 0.0
        self.opened = 0
        """How often it opened."""

    def state(self, now: float) -> State:
        """Whether to ask: freely, not at all, or once."""
        if self._failed < self._failures:
            return "closed"
        return "open" if now < self.opens_until else "trial"

    def failed(self, now: float) -> None:
        """Something asked was not answered."""
        self._failed += 1
        if self._failed >= self._failures:
            self.opens_until = now + self._pause_s
            self.opened += self._failed == self._failures

    def succeeded(self) -> None:
        """There was an answer."""
        self._failed = 0
