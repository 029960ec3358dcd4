"""Leaving a target alone that fails: open, tried by a few real calls, then let back little by little."""

from random import Random
from typing import Final, Literal, NamedTuple, TypeAlias

from proxy.routing.health.settings import HealthSettings

State: TypeAlias = Literal["closed", "open", "half_open", "returning"]
LEAST_SHARE: Final = 0.1
_JITTER: Final = 0.1


class Verdict(NamedTuple):
    """Whether calls may pass; if not, why, and for how many seconds at least."""

    ready: bool
    why: str = ""
    wait_s: float = 0.0


PASS: Final = Verdict(ready=True)


class Breaker:
    """One target's breaker. Times are seconds of a clock that never goes back.

    `since_s`: an attempt that began before it says nothing of the target as it is now.
    """

    __slots__ = ("_pause_s", "_probes", "_random", "_settings", "_until_s", "opened", "since_s", "state")

    def __init__(self, settings: HealthSettings, random: Random) -> None:
        self._settings = settings
        self._random = random
        self.state: State = "closed"
        self.since_s = float("-inf")
        self.opened = 0
        """How often it opened."""
        self._until_s = 0.0
        self._pause_s = settings.pause_s
        self._probes: list[float] = []

    def verdict(self, now_s: float) -> Verdict:
        """Whether a call may pass now; of one that is coming back, a growing share."""
        state = self.state_at(now_s)
        if state == "closed":
            return PASS
        if state == "open":
            return Verdict(False, "its breaker is open", self._until_s - now_s)
        if state == "half_open":
            return PASS if self._has_place(now_s) else Verdict(False, "it is being tried", 0.0)
        share = max(LEAST_SHARE, 1.0 - (self._until_s - now_s) / self._settings.ramp_s)
        return PASS if self._random.random() < share else Verdict(False, "it is coming back", 0.0)

    def state_at(self, now_s: float) -> State:
        """The state, as time has moved it on."""
        if self.state == "open" and now_s >= self._until_s:
            self._turn("half_open", now_s)
        elif self.state == "returning" and now_s >= self._until_s:
            self._turn("closed", now_s)
        return self.state

    def began(self, now_s: float) -> None:
        """A call goes to the target: one of its probes, where it is being tried."""
        if self.state != "closed" and self.state_at(now_s) == "half_open":
            self._probes.append(now_s)

    def answered(self, began_s: float, now_s: float) -> None:
        """A call that began then was answered well: a trial that succeeds lets the target back."""
        if self.state == "half_open" and began_s >= self.since_s:
            self._turn("returning", now_s)

    def failed(self, began_s: float, now_s: float) -> None:
        """A call that began then failed: a trial that fails keeps the target away for longer."""
        if self.state == "half_open" and began_s >= self.since_s:
            self._pause_s = min(self._pause_s * 2, self._settings.max_pause_s)
            self._turn("open", now_s)

    def trip(self, now_s: float) -> None:
        """Open: too many calls fail or are slow."""
        if self.state in ("closed", "returning"):
            self._turn("open", now_s)

    def _turn(self, state: State, now_s: float) -> None:
        self.state = state
        self._probes.clear()
        if state == "open":
            self.opened += 1
            self._until_s = now_s + self._pause_s * (1.0 + _JITTER * (2.0 * self._random.random() - 1.0))
        elif state == "half_open":
            self.since_s = now_s
        elif state == "returning":
            self._until_s = now_s + self._settings.ramp_s
        else:
            self._pause_s = self._settings.pause_s

    def _has_place(self, now_s: float) -> bool:
        """Whether another probe may go: a probe that hangs gives its place free after a pause."""
        while self._probes and now_s - self._probes[0] >= self._settings.pause_s:
            del self._probes[0]
        return len(self._probes) < self._settings.probes
