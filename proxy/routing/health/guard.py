"""A breaker with the counts that open it: of a target, or of a whole provider's connections."""

from random import Random
from typing import Final

from proxy.routing.health.breaker import Breaker, Turn
from proxy.routing.health.settings import HealthSettings
from proxy.routing.health.window import NONE, Counts, Window

_RETURN_CALLS: Final = 3


class Guard:
    """Opens by this worker's own calls, and then for this worker alone, or by those of all together."""

    __slots__ = ("_others", "_settings", "breaker", "window")

    def __init__(self, settings: HealthSettings, random: Random, worker: str = "") -> None:
        self._settings = settings
        self._others = NONE
        self.breaker = Breaker(settings, random, worker)
        self.window = Window(settings.window_s)

    def count(self, began_s: float, now_s: float, *, fault: bool, slow: bool) -> None:
        """Count a call that is over, unless it says nothing of now, and open the breaker if it is one too many."""
        breaker = self.breaker
        if breaker.state != "closed" and (breaker.state_at(now_s) == "open" or began_s < breaker.since_s):
            return
        self.window.add(now_s, fault=fault, slow=slow)
        if fault or slow:
            breaker.failed(began_s, now_s)
            self._judge(now_s)
        else:
            breaker.answered(began_s, now_s)

    def take(self, turn: Turn, now_s: float) -> None:
        """Follow another worker's breaker."""
        if self.breaker.take(turn, now_s):
            self._others = NONE
            self.window.clear()

    def take_counts(self, others: Counts, now_s: float) -> None:
        """What the other workers have counted since the last turn of the breaker."""
        self._others = others
        if others.faults or others.slow:
            self.window.roll(now_s)
            self._judge(now_s)

    def _judge(self, now_s: float) -> None:
        own, breaker = self.window.total, self.breaker
        everywhere = self._is_too_much(own.plus(self._others))
        if everywhere or self._is_too_much(own):
            breaker.trip(now_s, everywhere=everywhere)
        if breaker.state == "open":
            self.window.clear()

    def _is_too_much(self, counts: Counts) -> bool:
        settings = self._settings
        least = settings.min_calls if self.breaker.state == "closed" else min(_RETURN_CALLS, settings.min_calls)
        return counts.calls >= least and (
            counts.faults >= settings.error_rate * counts.calls or counts.slow >= settings.slow_rate * counts.calls
        )
