"""Budgets and raises as rows of the state file."""

import json
import sqlite3
from collections.abc import Generator, Sequence
from typing import Any, Final, NamedTuple

from proxy.budget.budget import Budget
from proxy.budget.ledger import LineKind, Rung, Unit
from proxy.budget.raised import Raise
from proxy.budget.windows import WindowKind
from proxy.core.money import Nano

_COLUMNS: Final = (
    "id, name, scope, window, timezone, limit_nano, hard, managed_by, opening_nano, length_s, unit, models, kind, "
    "ladder, clamp, enforcement"
)
_ALL: Final = f"""SELECT {_COLUMNS} FROM budgets WHERE retired = 0 AND name > ?1 AND (?2 IS NULL OR kind = ?2)
    AND (?3 IS NULL OR scope = 'org:' || ?3 OR substr(scope, instr(scope, ':') + 1, length(?3) + 1) = ?3 || '/')
    ORDER BY name"""  # noqa: S608 - a constant
_LIVE: Final = f"SELECT {_COLUMNS} FROM budgets WHERE retired = 0 AND name = ?"  # noqa: S608 - a constant
_NAMED: Final = f"SELECT {_COLUMNS} FROM budgets WHERE name = ?"  # noqa: S608 - a constant
_PUT: Final = f"""INSERT OR REPLACE INTO budgets ({_COLUMNS}, opening_window, retired)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"""  # noqa: S608 - a constant
_RAISES: Final = """SELECT budget, id, amount, until_ns, reason, made_by, made_ns FROM budget_raises
    WHERE until_ns > ?1 AND (?2 IS NULL OR budget = ?2) ORDER BY made_ns, until_ns, id"""
_PUT_RAISE: Final = """INSERT INTO budget_raises (id, budget, amount, until_ns, reason, made_by, made_ns)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""


class Which(NamedTuple):
    """Which budgets and limits: those of one kind or org (None: all), and by name behind `after`."""

    kind: LineKind | None = None
    org: str | None = None
    after: str = ""


_ANY: Final = Which()


def live_budgets(
    connection: sqlite3.Connection, now_ns: int, which: Which = _ANY, *, known: Sequence[Budget] = ()
) -> Generator[Budget, None, None]:
    """Budgets and limits that count, by name, with the raises that have not ended.

    `known` are those read before, by name: the same object stands for one that has not changed since.
    """
    raises = raises_by_budget(connection, now_ns)
    before = iter(known)
    old = next(before, None)
    kind = None if which.kind is None else which.kind.value
    for row in connection.execute(_ALL, (which.after, kind, which.org)):
        while old is not None and old.name < row[1]:
            old = next(before, None)
        made = raises.get(row[0], ())
        if old is not None and old.raises == made and _values(old) == row:
            yield old
        else:
            yield _budget(row, made)


def live_budget(connection: sqlite3.Connection, name: str, now_ns: int) -> Budget | None:
    """The budget or limit of that name that counts."""
    return _one(connection, _LIVE, name, now_ns)


def named_budget(connection: sqlite3.Connection, name: str, now_ns: int) -> Budget | None:
    """The budget or limit of that name, be it one that has gone from the file."""
    return _one(connection, _NAMED, name, now_ns)


def write_budget(connection: sqlite3.Connection, budget: Budget, opening_window: str) -> None:
    """Write what is said of a budget; it counts from now on."""
    connection.execute(_PUT, (*_values(budget), opening_window))


def _values(budget: Budget) -> tuple[object, ...]:
    """A budget's columns."""
    return (
        budget.id,
        budget.name,
        budget.scope,
        budget.window.value,
        budget.timezone,
        budget.limit,
        int(budget.hard),
        budget.managed_by,
        budget.opening_spent,
        budget.length_s,
        budget.unit.value,
        json.dumps(budget.models) if budget.models else "[]",
        budget.kind.value,
        json.dumps(budget.ladder) if budget.ladder else "[]",
        int(budget.clamp),
        budget.enforcement,
    )


def remove_budget(connection: sqlite3.Connection, budget: Budget) -> None:
    """Remove a budget and its raises."""
    connection.execute("DELETE FROM budgets WHERE id = ?", (budget.id,))
    connection.execute("DELETE FROM budget_raises WHERE budget = ?", (budget.id,))


def raises_by_budget(
    connection: sqlite3.Connection, now_ns: int, budget: str | None = None
) -> dict[str, tuple[Raise, ...]]:
    """Raises that have not ended, by the id of their budget; of one budget or of all."""
    found: dict[str, tuple[Raise, ...]] = {}
    for owner, number, amount, *rest in connection.execute(_RAISES, (now_ns, budget)):
        found[owner] = (*found.get(owner, ()), Raise(number, Nano(amount), *rest))
    return found


def write_raise(connection: sqlite3.Connection, budget: Budget, made: Raise, now_ns: int) -> None:
    """Keep a raise, and forget those of its budget that have ended."""
    connection.execute("DELETE FROM budget_raises WHERE budget = ? AND until_ns <= ?", (budget.id, now_ns))
    row = (made.id, budget.id, made.amount, made.until_ns, made.reason, made.made_by, made.made_ns)
    connection.execute(_PUT_RAISE, row)


def remove_raise(connection: sqlite3.Connection, number: str) -> None:
    """Remove one raise."""
    connection.execute("DELETE FROM budget_raises WHERE id = ?", (number,))


def _one(connection: sqlite3.Connection, query: str, name: str, now_ns: int) -> Budget | None:
    row = connection.execute(query, (name,)).fetchone()
    return None if row is None else _budget(row, raises_by_budget(connection, now_ns, row[0]).get(row[0], ()))


def _budget(row: Sequence[Any], raises: tuple[Raise, ...]) -> Budget:
    number, name, scope, window, timezone, limit, hard, managed_by, opening, length_s, unit, models, *more = row
    kind, ladder, clamp, enforcement = more
    return Budget(
        id=number,
        name=name,
        scope=scope,
        window=WindowKind(window),
        timezone=timezone,
        limit=Nano(limit),
        hard=bool(hard),
        managed_by=managed_by,
        opening_spent=Nano(opening),
        length_s=length_s,
        unit=Unit(unit),
        models=() if models == "[]" else tuple(json.loads(models)),
        kind=LineKind(kind),
        ladder=() if ladder == "[]" else tuple(_rung(*each) for each in json.loads(ladder)),
        clamp=bool(clamp),
        enforcement=enforcement,
        raises=raises,
    )


def _rung(at_millionths: int, do: Any, to: Sequence[Sequence[str]], delay_ms: int) -> Rung:
    return Rung(at_millionths, do, tuple((pattern, model) for pattern, model in to), delay_ms)
