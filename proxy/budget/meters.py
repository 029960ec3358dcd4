"""A budget with its present line: what a call must fit under, made once per window and raise."""

from fnmatch import fnmatchcase
from typing import Final

from proxy.budget.budget import Budget
from proxy.budget.ladder import next_gate, refuses_above, regated
from proxy.budget.ledger import HoldLine, Rung, Unit
from proxy.budget.windows import Window
from proxy.core.money import Nano

_AMOUNTS: Final = {Unit.REQUESTS: 1, Unit.SLOTS: 1, Unit.TOKENS: 0, Unit.INPUT_TOKENS: 0, Unit.OUTPUT_TOKENS: 0}
"""What a call takes of a line before it was fitted to an estimate; None in dollars, where the hold says it."""
_MOST_LINES: Final = 4096
_NEVER: Final = 2**63


class Meter:
    """A budget with its present line, which is the same object until its window or a raise of it ends.

    `observing`: its enforcement is `observe`, by itself or by its org.
    """

    __slots__ = ("_from_ns", "_line", "_until_ns", "budget", "models", "observing")

    def __init__(self, budget: Budget, *, observing: bool = False) -> None:
        self.budget = budget
        self.models = budget.models
        self.observing = observing
        self._line: HoldLine | None = None
        self._from_ns = self._until_ns = 0

    def counts(self, model: str | None) -> bool:
        """Whether it counts calls for that model; None asks for no model in particular."""
        return not self.models or model is None or any(fnmatchcase(model, pattern) for pattern in self.models)

    def line_at(self, at_ns: int) -> HoldLine:
        """The line that holds at an instant."""
        line = self._line
        if line is not None and self._from_ns <= at_ns < self._until_ns:
            return line
        budget = self.budget
        window = budget.window_at(at_ns)
        self._from_ns, until_ns = budget.steady(window, at_ns)
        self._until_ns = _NEVER if until_ns is None else until_ns
        self._line = line = line_of(budget, window, budget.scope, budget.limit_at(at_ns), observing=self.observing)
        return line


class MeterOfEach:
    """A budget that every scope of a kind has for itself, with the present lines of the last few thousand of them."""

    __slots__ = ("_from_ns", "_limit", "_lines", "_until_ns", "_window", "budget", "meter")

    def __init__(self, budget: Budget, *, observing: bool = False) -> None:
        self.budget = budget
        self.meter = Meter(budget, observing=observing)
        self._window: Window | None = None
        self._limit = budget.limit
        self._from_ns = self._until_ns = 0
        self._lines: dict[str, HoldLine] = {}

    @property
    def observing(self) -> bool:
        """See Meter."""
        return self.meter.observing

    def line_at(self, scope: str, at_ns: int) -> HoldLine:
        """The line of one scope that holds at an instant."""
        window = self._window
        if window is None or not self._from_ns <= at_ns < self._until_ns:
            window = self._turn(at_ns)
        line = self._lines.get(scope)
        if line is None:
            if len(self._lines) >= _MOST_LINES:
                self._lines.clear()
            line = line_of(self.budget, window, scope, self._limit, observing=self.meter.observing)
            self._lines[scope] = line
        return line

    def _turn(self, at_ns: int) -> Window:
        """Begin a window, or what of it is left when a raise has ended."""
        self._window = window = self.budget.window_at(at_ns)
        self._from_ns, until_ns = self.budget.steady(window, at_ns)
        self._until_ns = _NEVER if until_ns is None else until_ns
        self._limit = self.budget.limit_at(at_ns)
        self._lines.clear()
        return window


def line_of(budget: Budget, window: Window, scope: str, limit: Nano, *, observing: bool = False) -> HoldLine:
    """A budget in one of its windows, for its scope or for one that its pattern stands for, as the ledger takes it.

    A ladder that blocks makes it refuse there, be it soft. Where it is only observed, nothing of it refuses or changes
    a call; a soft one then has nothing left but its alerts.
    """
    blocks = any(rung.do == "block" for rung in budget.ladder)
    refuses = budget.hard or blocks
    line = HoldLine(
        budget=budget.counter_of(scope),
        name=budget.name,
        scope=scope,
        window=window.name,
        limit=Nano(refuses_above(budget.ladder, limit)),
        hard=refuses and not observing,
        resets_at_ns=window.ends_ns,
        unit=budget.unit,
        amount=_AMOUNTS.get(budget.unit),
        counted_from=budget.counted_from(window),
        kept_until_ns=budget.kept_until_ns(window),
        kind=budget.kind,
        whole=limit if blocks else None,
        observed=refuses and observing,
        ladder=_alerts(budget.ladder) if observing and not refuses else budget.ladder,
        clamp=budget.clamp and refuses and not observing,
    )
    return regated(line, next_gate(line)) if line.ladder else line


def _alerts(ladder: tuple[Rung, ...]) -> tuple[Rung, ...]:
    return tuple(rung for rung in ladder if rung.do == "alert")
