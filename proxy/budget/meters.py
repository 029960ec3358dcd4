"""A budget with its present line: what a call must fit under, made once per window."""

from typing import Final

from proxy.budget.budget import Budget
from proxy.budget.ledger import HoldLine, Unit
from proxy.budget.windows import Window

_AMOUNTS: Final = {Unit.REQUESTS: 1, Unit.TOKENS: 0, Unit.INPUT_TOKENS: 0, Unit.OUTPUT_TOKENS: 0}
"""What a call takes of a line before it was fitted to an estimate; None in dollars, where the hold says it."""


class Meter:
    """A budget with its present line, which is the same object until the window ends."""

    __slots__ = ("_budget", "_line", "_window")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._window: Window | None = None
        self._line: HoldLine | None = None

    def line_at(self, at_ns: int) -> HoldLine:
        """The line of the window that an instant falls into."""
        window, line = self._window, self._line
        if window is not None and line is not None and window.holds(at_ns):
            return line
        window = self._budget.window_at(at_ns)
        self._window, self._line = window, line_of(self._budget, window)
        return self._line


def line_of(budget: Budget, window: Window) -> HoldLine:
    """A budget in one of its windows, as the ledger takes it."""
    return HoldLine(
        budget=budget.id,
        name=budget.name,
        scope=budget.scope,
        window=window.name,
        limit=budget.limit,
        hard=budget.hard,
        resets_at_ns=window.ends_ns,
        unit=budget.unit,
        amount=_AMOUNTS.get(budget.unit),
        counted_from=budget.counted_from(window),
        kept_until_ns=budget.kept_until_ns(window),
    )
