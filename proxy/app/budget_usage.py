"""How full budgets are, as lines for Prometheus; looked at anew every few seconds however often it is asked."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from proxy.budget import BudgetState, BudgetStore, LedgerUnavailable, LineKind
from proxy.state import StateBusy

MOST: Final = 500
FRESH_S: Final = 5.0


class BudgetUsage:
    """The first five hundred budgets by name. While they cannot be looked at it tells what it saw last."""

    def __init__(self, store: BudgetStore, now_s: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now_s = now_s
        self._looking = threading.Lock()
        self._looked_s = float("-inf")
        self._lines: Sequence[str] = ()

    def lines(self) -> Sequence[str]:
        """One line a budget; blocks for a short look at the ledger."""
        with self._looking:
            if self._now_s() - self._looked_s >= FRESH_S:
                self._looked_s = self._now_s()
                try:
                    budgets = self._store.list(None, LineKind.BUDGET)[:MOST]
                    self._lines = [_line(state) for state in self._store.states(budgets)]
                except (StateBusy, LedgerUnavailable, sqlite3.Error):
                    pass
            return self._lines


def _line(state: BudgetState) -> str:
    used = state.spent + state.held
    millionths = used * 1_000_000 // state.limit if state.limit else 1_000_000
    return f'flyball_budget_usage_ratio{{budget="{state.budget.name}"}} {millionths // 10**6}.{millionths % 10**6:06d}'
