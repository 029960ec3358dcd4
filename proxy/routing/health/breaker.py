"""Leaving a target alone that fails: open, tried by a few real calls, then let back little by little."""

from random import Random
from typing import Final, Literal, NamedTuple, TypeAlias

from proxy.routing.health.settings import HealthSettings

State: TypeAlias = Literal["closed", "open", "half_open", "returning"]
SEVERITY: Final[dict[State, int]] = {"closed": 0, "returning": 1, "half_open": 2, "open": 3}
LEAST_SHARE: Final = 0.1
GRACE_S: Final = 1.5
"""How much longer a breaker that another worker opened is left to that one: news takes a second."""
_JITTER: Final = 0.1


class Verdict(NamedTuple):
    """Whether calls may pass; if not, why, and for how many seconds at least."""

    ready: bool
    why: str = ""
    wait_s: float = 0.0


PASS: Final = Verdict(ready=True)


class Turn(NamedTuple):
    """A breaker's last change that all workers share, told among them: the later one counts, by `version`; 0 is none.

    `by` is the worker whose it was, `left_s` for how long it lasts yet.
    """

    version: int
    state: State
    by: str
    left_s: float


NO_TURN: Final = Turn(0, "closed", "", 0.0)


class Breaker:
    """One target's breaker. Times are seconds of a clock that never goes back.

    `since_s`: an attempt that began before it says nothing of the target as it is now. `everywhere`: whether its state
    is that of all workers; one that fails at this worker alone is left alone by this worker alone.
    """

    __slots__ = (
        "_by",
        "_me",
        "_pause_s",
        "_probes",
        "_random",
        "_settings",
        "_until_s",
        "everywhere",
        "opened",
        "since_s",
        "state",
        "version",
    )

    def __init__(self, settings: HealthSettings, random: Random, worker: str = "") -> None:
        self._settings = settings
        self._random = random
        self._me = self._by = worker
        self.state: State = "closed"
        self.version = 0
        self.everywhere = True
        self.since_s = float("-inf")
        self.opened = 0
        """How often it opened here."""
        self._until_s = 0.0
        self._pause_s = settings.pause_s
        self._probes: list[float] = []

    def verdict(self, now_s: float) -> Verdict:
        """Whether a call may pass now; of one that is coming back, a growing share."""
        state = self.state_at(now_s)
        if state == "closed":
            return PASS
        if state == "open":
            return Verdict(False, "its breaker is open", self._tried_at_s - now_s)
        if state == "half_open":
            if self._by == self._me and self._has_place(now_s):
                return PASS
            return Verdict(False, "it is being tried", 0.0)
        share = max(LEAST_SHARE, 1.0 - (self._until_s - now_s) / self._settings.ramp_s)
        return PASS if self._random.random() < share else Verdict(False, "it is coming back", 0.0)

    def state_at(self, now_s: float) -> State:
        """The state, as time has moved it on."""
        if self.state == "open" and now_s >= self._tried_at_s:
            self._turn("half_open", now_s)
        elif self.state == "half_open" and self._by != self._me and now_s >= self._until_s:
            self._turn("half_open", now_s)  # whoever was to try it has no calls for it, or is gone
        elif self.state == "returning" and now_s >= self._until_s:
            self.state, self._pause_s = "closed", self._settings.pause_s
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

    def trip(self, now_s: float, *, everywhere: bool) -> None:
        """Open: too many calls fail or are slow, of this worker's or of all."""
        if self.state in ("closed", "returning"):
            self.everywhere = everywhere
            self._turn("open", now_s)

    def turn(self, now_s: float) -> Turn:
        """The last change that all share, for the other workers."""
        if not self.everywhere:
            return NO_TURN
        return Turn(self.version, self.state, self._by, max(0.0, self._until_s - now_s))

    def take(self, turn: Turn, now_s: float) -> bool:
        """Follow another worker's, if it is later than ours; whether it was. Of two at once all take the same one."""
        if not turn.version or turn.version < self.version:
            return False
        if turn.version == self.version and (
            not self.everywhere
            or turn.by == self._by
            or (SEVERITY[turn.state], turn.by) < (SEVERITY[self.state], self._by)
        ):
            return False
        self.version, self.state, self._by, self.everywhere = turn.version, turn.state, turn.by, True
        self.since_s = now_s
        self._probes.clear()
        self._until_s = now_s + (self._settings.max_pause_s if turn.state == "half_open" else turn.left_s)
        return True

    @property
    def _tried_at_s(self) -> float:
        """From when on an open one is tried: by the worker that opened it first."""
        return self._until_s if self._by == self._me else self._until_s + GRACE_S

    def _turn(self, state: State, now_s: float) -> None:
        self.state, self._by = state, self._me
        self.version += self.everywhere
        self._probes.clear()
        if state == "open":
            self.opened += 1
            self._until_s = now_s + self._pause_s * (1.0 + _JITTER * (2.0 * self._random.random() - 1.0))
        elif state == "half_open":
            self.since_s = now_s
        else:
            self._until_s = now_s + self._settings.ramp_s

    def _has_place(self, now_s: float) -> bool:
        """Whether another probe may go: a probe that hangs gives its place free after a pause."""
        while self._probes and now_s - self._probes[0] >= self._settings.pause_s:
            del self._probes[0]
        return len(self._probes) < self._settings.probes
