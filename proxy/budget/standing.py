"""Where budgets stand in the state file: the numbers that a refusal shows."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from proxy.budget.budget import Budget
from proxy.budget.windows import Window
from proxy.core.money import Nano

_COUNTED: Final = """SELECT coalesce(sum(opening + spent), 0), coalesce(sum(held), 0), coalesce(sum(overrun), 0)
    FROM counters WHERE budget = ? AND window >= ? AND window <= ?"""
# "0" is the sign after "/": all counters of a budget whose scope is a pattern.
_EACH: Final = """SELECT budget, sum(opening + spent) AS spent, sum(held) AS held, sum(overrun)
    FROM counters WHERE budget > ?1 || '/' AND budget < ?1 || '0' AND window >= ?2 AND window <= ?3
    GROUP BY budget ORDER BY spent + held DESC, budget LIMIT ?4"""
_HOW_MANY: Final = """SELECT count(DISTINCT budget) FROM counters
    WHERE budget > ?1 || '/' AND budget < ?1 || '0' AND window >= ?2 AND window <= ?3"""


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


def state_of(connection: sqlite3.Connection, budget: Budget, now_ns: int, scope: str | None = None) -> BudgetState:
    """Where a budget stands; one whose scope is a pattern for that scope, or for its fullest."""
    window = budget.window_at(now_ns)
    oldest = budget.counted_from(window) or window.name
    if budget.is_pattern and scope is None:
        scopes = connection.execute(_HOW_MANY, (budget.id, oldest, window.name)).fetchone()[0]
        row = connection.execute(_EACH, (budget.id, oldest, window.name, 1)).fetchone()
        found, *counted = (budget.counter_of(budget.scope), 0, 0, 0) if row is None else row
        return _state(budget, window, budget.scope_of(found), scopes, *counted)
    scope = scope or budget.scope
    counted = connection.execute(_COUNTED, (budget.counter_of(scope), oldest, window.name)).fetchone()
    return _state(budget, window, scope, 1, *counted)


def states_of_each(connection: sqlite3.Connection, budget: Budget, now_ns: int, most: int) -> tuple[BudgetState, ...]:
    """Where the scopes stand that a pattern stands for, the fullest first."""
    window = budget.window_at(now_ns)
    rows = connection.execute(_EACH, (budget.id, budget.counted_from(window) or window.name, window.name, most))
    return tuple(_state(budget, window, budget.scope_of(found), 1, *counted) for found, *counted in rows)


def _state(budget: Budget, window: Window, scope: str, scopes: int, spent: int, held: int, overrun: int) -> BudgetState:
    return BudgetState(
        budget=budget,
        scope=scope,
        scopes=scopes,
        window=window.name,
        limit=budget.limit,
        spent=Nano(spent),
        held=Nano(held),
        overrun=Nano(overrun),
        remaining=Nano(max(0, budget.limit - spent - held)),
        resets_at_ns=window.ends_ns,
    )
