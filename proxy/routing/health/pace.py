"""How fast a target has been lately: a mean whose past fades with time, whatever the number of calls."""

from math import exp
from typing import Final

FADES_S: Final = 30.0
FORGOTTEN_S: Final = 300.0


class Pace:
    """A mean of samples; one that came `FADES_S` ago weighs a third of what it did."""

    __slots__ = ("_at_s", "_mean")

    def __init__(self) -> None:
        self._mean: float | None = None
        self._at_s = 0.0

    def add(self, sample: float, now_s: float) -> None:
        """Take one sample."""
        if self._mean is None:
            self._mean = sample
        else:
            kept = exp((self._at_s - now_s) / FADES_S)
            self._mean = self._mean * kept + sample * (1.0 - kept)
        self._at_s = now_s

    def mean(self, now_s: float) -> float | None:
        """The mean; None where there was no sample for some minutes."""
        return None if now_s - self._at_s > FORGOTTEN_S else self._mean
