"""Where budgets stand: the numbers that a refusal shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from proxy.budget.budget import Budget
from proxy.budget.counter_book import Counted, CounterBook, Stretch
from proxy.budget.ladder import climbed, refuses_above
from proxy.budget.ledger import Rung
from proxy.budget.windows import Window
from proxy.core.money import ZERO, Nano

_NOTHING: Final = Counted(ZERO, ZERO, ZERO)


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetState:
    """Where a budget stands now: the numbers a refusal shows, in its unit; `remaining` is never negative.

    A budget whose scope is a pattern stands as its fullest scope does: `scope` says which that is, `scopes` how many
    have counted in this window. `limit` is what holds now, raises and all; `rungs` are those of its ladder that it
    stands on.
    """

    budget: Budget
    scope: str
    scopes: int
    window: str
    limit: Nano
    spent: Nano
    held: Nano
    overrun: Nano
    remaining: Nano
    resets_at_ns: int | None
    rungs: tuple[Rung, ...] = ()


def states_of(book: CounterBook, budgets: Sequence[Budget], now_ns: int) -> tuple[BudgetState, ...]:
    """Where budgets stand; those whose scopes are patterns as their fullest."""
    windows = [_Now(budget, budget.window_at(now_ns), now_ns) for budget in budgets]
    counted = iter(book.counted([now.stretch(now.budget.id) for now in windows if not now.budget.is_pattern]))
    return tuple(
        _fullest(book, now) if now.budget.is_pattern else now.state(now.budget.scope, next(counted)) for now in windows
    )


def state_for(book: CounterBook, budget: Budget, now_ns: int, scope: str) -> BudgetState:
    """Where a budget whose scope is a pattern stands for one that it stands for."""
    now = _Now(budget, budget.window_at(now_ns), now_ns)
    (counted,) = book.counted([now.stretch(budget.counter_of(scope))])
    return now.state(scope, counted)


def states_of_each(book: CounterBook, budget: Budget, now_ns: int, most: int) -> tuple[BudgetState, ...]:
    """Where the scopes stand that a pattern stands for, the fullest first."""
    now = _Now(budget, budget.window_at(now_ns), now_ns)
    found = book.fullest(now.stretch(budget.id), most)
    return tuple(now.state(budget.scope_of(counter), counted) for counter, counted in found.each)


def _fullest(book: CounterBook, now: "_Now") -> BudgetState:
    budget = now.budget
    found = book.fullest(now.stretch(budget.id), 1)
    counter, counted = found.each[0] if found.each else (budget.counter_of(budget.scope), _NOTHING)
    return now.state(budget.scope_of(counter), counted, found.scopes)


class _Now(NamedTuple):
    """A budget in its present window."""

    budget: Budget
    window: Window
    now_ns: int

    def stretch(self, counter: str) -> Stretch:
        """What of a counter is in the present window, which of a rolling one is many small ones."""
        return Stretch(counter, self.budget.counted_from(self.window) or self.window.name, self.window.name)

    def state(self, scope: str, counted: Counted, scopes: int = 1) -> BudgetState:
        """Where the budget stands with those numbers."""
        limit, used = self.budget.limit_at(self.now_ns), counted.spent + counted.held
        return BudgetState(
            budget=self.budget,
            scope=scope,
            scopes=scopes,
            window=self.window.name,
            limit=limit,
            spent=Nano(counted.spent),
            held=Nano(counted.held),
            overrun=Nano(counted.overrun),
            remaining=Nano(max(0, refuses_above(self.budget.ladder, limit) - used)),
            resets_at_ns=self.window.ends_ns,
            rungs=climbed(self.budget.ladder, limit, used),
        )
