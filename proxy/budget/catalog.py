"""What budgets there are, and which of them a call falls under now."""

from collections.abc import Iterable, Sequence
from typing import Final

from proxy.budget.budget import Budget
from proxy.budget.ledger import HoldLine
from proxy.budget.meters import Meter


class BudgetCatalog:
    """All budgets at one generation; never changed, replaced as a whole."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self.budgets: Final = tuple(budgets)
        by_scope: dict[str, list[Meter]] = {}
        for budget in self.budgets:
            by_scope.setdefault(budget.scope, []).append(Meter(budget))
        self._by_scope = {scope: tuple(meters) for scope, meters in by_scope.items()}

    def lines_for(self, scopes: Sequence[str], at_ns: int) -> tuple[HoldLine, ...]:
        """What a call under those scopes must fit under if it is charged at that time; in the order of the scopes.

        Lines that count tokens still want to be `fitted` to the call's estimate.
        """
        lines = []
        for scope in scopes:
            for meter in self._by_scope.get(scope, ()):
                lines.append(meter.line_at(at_ns))
        return tuple(lines)
