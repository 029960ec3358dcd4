"""Calls of the last seconds, counted by how they went."""

from typing import Final, NamedTuple

_STEPS: Final = 10


class Counts(NamedTuple):
    """Calls, and how many of them failed or were slow."""

    calls: int = 0
    faults: int = 0
    slow: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(self.calls + other.calls, self.faults + other.faults, self.slow + other.slow)


NONE: Final = Counts()


class Window:
    """Counts over a sliding span, kept by tenths of it. Times are seconds of a clock that never goes back."""

    __slots__ = ("_calls", "_counts", "_faults", "_slow", "_step", "_width")

    def __init__(self, span_s: float) -> None:
        self._width = span_s / _STEPS
        self._step = 0
        self._calls = [0] * _STEPS
        self._faults = [0] * _STEPS
        self._slow = [0] * _STEPS
        self._counts = [0, 0, 0]

    @property
    def total(self) -> Counts:
        """The counts as of the last `add` or `roll`."""
        return Counts(*self._counts)

    def add(self, now_s: float, *, fault: bool, slow: bool) -> None:
        """Count one call; most are neither."""
        if now_s // self._width != self._step:
            self.roll(now_s)
        at, counts = self._step % _STEPS, self._counts
        self._calls[at] += 1
        counts[0] += 1
        if fault or slow:
            self._faults[at] += fault
            self._slow[at] += slow
            counts[1] += fault
            counts[2] += slow

    def roll(self, now_s: float) -> Counts:
        """Forget what is too old."""
        step = int(now_s // self._width)
        gone = min(step - self._step, _STEPS)
        if gone > 0:
            for back in range(gone):
                at = (step - back) % _STEPS
                self._calls[at] = self._faults[at] = self._slow[at] = 0
            self._step = step
            self._counts = [sum(self._calls), sum(self._faults), sum(self._slow)]
        return self.total

    def clear(self) -> None:
        """Begin anew."""
        for counted in (self._calls, self._faults, self._slow):
            counted[:] = [0] * _STEPS
        self._counts = [0, 0, 0]
