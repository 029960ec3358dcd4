"""A budget with its present line: what a call must fit under, made once per window."""

from fnmatch import fnmatchcase
from typing import Final

from proxy.budget.budget import Budget
from proxy.budget.ledger import HoldLine, Unit
from proxy.budget.windows import Window

_AMOUNTS: Final = {Unit.REQUESTS: 1, Unit.TOKENS: 0, Unit.INPUT_TOKENS: 0, Unit.OUTPUT_TOKENS: 0}
"""What a call takes of a line before it was fitted to an estimate; None in dollars, where the hold says it."""
_MOST_LINES: Final = 4096


class Meter:
    """A budget with its present line, which is the same object until the window ends."""

    __slots__ = ("_line", "_window", "budget", "models")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.models = budget.models
        self._window: Window | None = None
        self._line: HoldLine | None = None

    def counts(self, model: str | None) -> bool:
        """Whether it counts calls for that model; None asks for no model in particular."""
        return not self.models or model is None or any(fnmatchcase(model, pattern) for pattern in self.models)

    def line_at(self, at_ns: int) -> HoldLine:
        """The line of the window that an instant falls into."""
        window, line = self._window, self._line
        if window is not None and line is not None and window.holds(at_ns):
            return line
        window = self.budget.window_at(at_ns)
        self._window, self._line = window, line_of(self.budget, window, self.budget.scope)
        return self._line


class MeterOfEach:
    """A budget that every scope of a kind has for itself, with the present lines of the last few thousand of them."""

    __slots__ = ("_lines", "_window", "budget", "meter")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.meter = Meter(budget)
        self._window: Window | None = None
        self._lines: dict[str, HoldLine] = {}

    def line_at(self, scope: str, at_ns: int) -> HoldLine:
        """The line of one scope in the window that an instant falls into."""
        if self._window is None or not self._window.holds(at_ns):
            self._window = self.budget.window_at(at_ns)
            self._lines.clear()
        line = self._lines.get(scope)
        if line is None:
            if len(self._lines) >= _MOST_LINES:
                self._lines.clear()
            line = self._lines[scope] = line_of(self.budget, self._window, scope)
        return line


def line_of(budget: Budget, window: Window, scope: str) -> HoldLine:
    """A budget in one of its windows, for its scope or for one that its pattern stands for, as the ledger takes it."""
    return HoldLine(
        budget=budget.counter_of(scope),
        name=budget.name,
        scope=scope,
        window=window.name,
        limit=budget.limit,
        hard=budget.hard,
        resets_at_ns=window.ends_ns,
        unit=budget.unit,
        amount=_AMOUNTS.get(budget.unit),
        counted_from=budget.counted_from(window),
        kept_until_ns=budget.kept_until_ns(window),
    )
