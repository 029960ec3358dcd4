"""Where budgets stand: the numbers that a refusal shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from proxy.budget.budget import Budget
from proxy.budget.counter_book import Counted, CounterBook, Stretch
from proxy.budget.windows import Window
from proxy.core.money import ZERO, Nano

_NOTHING = Counted(ZERO, ZERO, ZERO)


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetState:
    """Where a budget stands now: the numbers a refusal shows, in its unit; `remaining` is never negative.

    A budget whose scope is a pattern stands as its fullest scope does: `scope` says which that is, `scopes` how many
    have counted in this window.
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


def states_of(book: CounterBook, budgets: Sequence[Budget], now_ns: int) -> tuple[BudgetState, ...]:
    """Where budgets stand; those whose scopes are patterns as their fullest."""
    windows = [budget.window_at(now_ns) for budget in budgets]
    plain = [
        _stretch(budget, budget.id, window)
        for budget, window in zip(budgets, windows, strict=True)
        if not budget.is_pattern
    ]
    counted = iter(book.counted(plain))
    return tuple(
        _fullest(book, budget, window) if budget.is_pattern else _state(budget, window, budget.scope, next(counted))
        for budget, window in zip(budgets, windows, strict=True)
    )


def state_for(book: CounterBook, budget: Budget, now_ns: int, scope: str) -> BudgetState:
    """Where a budget whose scope is a pattern stands for one that it stands for."""
    window = budget.window_at(now_ns)
    (counted,) = book.counted([_stretch(budget, budget.counter_of(scope), window)])
    return _state(budget, window, scope, counted)


def states_of_each(book: CounterBook, budget: Budget, now_ns: int, most: int) -> tuple[BudgetState, ...]:
    """Where the scopes stand that a pattern stands for, the fullest first."""
    window = budget.window_at(now_ns)
    found = book.fullest(_stretch(budget, budget.id, window), most)
    return tuple(_state(budget, window, budget.scope_of(counter), counted) for counter, counted in found.each)


def _fullest(book: CounterBook, budget: Budget, window: Window) -> BudgetState:
    found = book.fullest(_stretch(budget, budget.id, window), 1)
    counter, counted = found.each[0] if found.each else (budget.counter_of(budget.scope), _NOTHING)
    return _state(budget, window, budget.scope_of(counter), counted, found.scopes)


def _stretch(budget: Budget, counter: str, window: Window) -> Stretch:
    return Stretch(counter, budget.counted_from(window) or window.name, window.name)


def _state(budget: Budget, window: Window, scope: str, counted: Counted, scopes: int = 1) -> BudgetState:
    return BudgetState(
        budget=budget,
        scope=scope,
        scopes=scopes,
        window=window.name,
        limit=budget.limit,
        spent=Nano(counted.spent),
        held=Nano(counted.held),
        overrun=Nano(counted.overrun),
        remaining=Nano(max(0, budget.limit - counted.spent - counted.held)),
        resets_at_ns=window.ends_ns,
    )
