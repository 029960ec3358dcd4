"""Budgets in the state file: made by flyball.yaml or by the admin API, never by both."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from typing import Final, Literal, NamedTuple

from proxy.budget.budget import Budget, ManagedBy
from proxy.budget.catalog import BudgetCatalog
from proxy.budget.counter_book import CounterBook
from proxy.budget.ledger import Unit
from proxy.budget.schema import STEPS
from proxy.budget.seen import ScopesSeen
from proxy.budget.settings import BudgetEntry, BudgetSettings
from proxy.budget.spec import BadBudget, BudgetSpec, spec_of
from proxy.budget.sqlite_book import SqliteCounterBook
from proxy.budget.standing import BudgetState, state_for, states_of, states_of_each
from proxy.budget.windows import WindowKind
from proxy.core.clock import Clock, SystemClock
from proxy.core.ids import new_id
from proxy.core.money import Nano
from proxy.state import StateFile, migrate

_COLUMNS: Final = (
    "id, name, scope, window, timezone, limit_nano, hard, managed_by, opening_nano, length_s, unit, models"
)
_ALL: Final = f"SELECT {_COLUMNS} FROM budgets WHERE retired = 0 ORDER BY name"  # noqa: S608 - a constant
_NAMED: Final = f"SELECT {_COLUMNS} FROM budgets WHERE name = ?"  # noqa: S608 - a constant
_RETIRED: Final = "SELECT 1 FROM budgets WHERE name = ? AND retired = 1"
_PUT: Final = """INSERT OR REPLACE INTO budgets
    (id, name, scope, window, timezone, limit_nano, hard, managed_by, opening_nano, length_s, unit, models,
     opening_window, retired)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"""
_OPENING_WINDOW: Final = "SELECT opening_window FROM budgets WHERE id = ?"

_SPEC_FIELDS: Final = tuple(field.name for field in fields(BudgetSpec))


class BudgetConflict(Exception):
    """A change that the other owner of the budget does not allow; `code` as the admin API says it."""

    def __init__(self, code: Literal["managed_by_file", "name_in_both"], message: str) -> None:
        super().__init__(message)
        self.code = code


class FileSync(NamedTuple):
    """What following flyball.yaml changed, by name."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


class BudgetStore:
    """The budgets table. Its methods block while others write: not for an event loop that serves calls.

    `book` has the counters of the ledger that the calls use; the state file's own if not given. What stands there
    cannot always be had: where it is another store, methods that need it raise LedgerUnavailable.
    """

    def __init__(self, state: StateFile, *, clock: Clock | None = None, book: CounterBook | None = None) -> None:
        self._state = state
        self._book = book or SqliteCounterBook(state)
        self._clock = clock or SystemClock()
        self._seen = ScopesSeen(BudgetSettings().distinct_scopes_per_key)
        connection = state.connect()
        try:
            migrate(connection, "budget", STEPS)
        finally:
            connection.close()

    def put(self, spec: BudgetSpec) -> Budget:
        """Make or change a budget on behalf of the admin API.

        What it has spent stays with it unless its scope or what it counts changes: that makes it another budget.

        Raises:
            BudgetConflict: flyball.yaml has it.
        """
        with self._state.change() as connection:
            known = _named(connection, spec.name)
            retired = connection.execute(_RETIRED, (spec.name,)).fetchone() is not None
            if known is not None and retired:
                self._erase(connection, known)
                known = None
            if known is not None and known.managed_by == "file":
                raise BudgetConflict("managed_by_file", f"budget {spec.name} is in flyball.yaml; change it there")
            return self._write(connection, spec, known, "api")

    def get(self, name: str) -> Budget | None:
        """The budget of that name."""
        return next((budget for budget in self.list() if budget.name == name), None)

    def list(self, org: str | None = None) -> tuple[Budget, ...]:
        """All budgets, or those of one org, by name."""
        with self._state.read() as connection:
            budgets = tuple(_budget(row) for row in connection.execute(_ALL))
        return budgets if org is None else tuple(budget for budget in budgets if budget.org == org)

    def delete(self, name: str) -> bool:
        """Delete a budget and what it has counted; whether there was one.

        Raises:
            BudgetConflict: flyball.yaml has it.
        """
        known = self.get(name)
        if known is None:
            return False
        with self._state.change() as connection:
            if known.managed_by == "file":
                raise BudgetConflict("managed_by_file", f"budget {name} is in flyball.yaml; remove it there")
            self._erase(connection, known)
        return True

    def load(self, *, distinct_scopes_per_key: int | None = None) -> BudgetCatalog:
        """A snapshot for the workers; it remembers which scopes the ones before it have seen."""
        if distinct_scopes_per_key is not None:
            self._seen.most = distinct_scopes_per_key
        return BudgetCatalog(self.list(), self._seen)

    def states(self, budgets: Sequence[Budget] | None = None) -> tuple[BudgetState, ...]:
        """Where budgets stand now; all of them, or those given."""
        now = self._clock.now_ns()
        wanted = self.list() if budgets is None else budgets
        return states_of(self._book, wanted, now)

    def state_for(self, budget: Budget, scope: str) -> BudgetState:
        """Where a budget whose scope is a pattern stands for one that it stands for."""
        return state_for(self._book, budget, self._clock.now_ns(), scope)

    def states_of_each(self, budget: Budget, most: int) -> tuple[BudgetState, ...]:
        """Where those stand that a budget's pattern stands for and that have counted, the fullest first."""
        return states_of_each(self._book, budget, self._clock.now_ns(), most)

    def sync_from_file(self, entries: Sequence[BudgetEntry]) -> FileSync:
        """Let the file's budgets be exactly these; touches nothing, and bumps nothing, if they are already.

        One that has gone from the file stops counting; what it spent is kept and goes on if it comes back.

        Raises:
            BadBudget: an entry that cannot be meant as it stands, or a name that stands twice; nothing was changed.
            BudgetConflict: the admin API has one of these names; nothing was changed.
        """
        specs = _specs(entries)
        with self._state.read() as connection:
            sync = _difference(connection, specs)
        if not any(sync):
            return sync
        with self._state.change() as connection:
            sync = _difference(connection, specs)
            for name in sync.removed:
                connection.execute("UPDATE budgets SET retired = 1 WHERE name = ?", (name,))
            moved = {*sync.added, *sync.changed}
            for spec in specs:
                if spec.name in moved:
                    self._write(connection, spec, _named(connection, spec.name), "file")
        return sync

    def _write(
        self, connection: sqlite3.Connection, spec: BudgetSpec, known: Budget | None, managed_by: ManagedBy
    ) -> Budget:
        if known is not None and (known.scope, known.unit) != (spec.scope, spec.unit):
            self._erase(connection, known)
            known = None
        stated = {name: getattr(spec, name) for name in _SPEC_FIELDS}
        budget = Budget(**stated, id=new_id("bud") if known is None else known.id, managed_by=managed_by)
        opening_window = self._open(connection, budget, known)
        connection.execute(_PUT, (*_row(budget), opening_window))
        return budget

    def _open(self, connection: sqlite3.Connection, budget: Budget, known: Budget | None) -> str:
        """Book an opening spend in the window in which it is first said; returns that window's name."""
        window = budget.window_at(self._clock.now_ns())
        if known is not None and known.opening_spent == budget.opening_spent:
            return str(connection.execute(_OPENING_WINDOW, (budget.id,)).fetchone()[0])
        if known is not None or budget.opening_spent:
            kept_until_ns = budget.kept_until_ns(window)
            self._book.open(budget.id, window.name, budget.opening_spent, kept_until_ns=kept_until_ns)
        return window.name

    def _erase(self, connection: sqlite3.Connection, budget: Budget) -> None:
        connection.execute("DELETE FROM budgets WHERE id = ?", (budget.id,))
        self._book.erase(budget.id)


def _specs(entries: Sequence[BudgetEntry]) -> list[BudgetSpec]:
    specs = [spec_of(entry) for entry in entries]
    names: set[str] = set()
    for spec in specs:
        if spec.name in names:
            raise BadBudget("name", f"budget {spec.name} stands twice in flyball.yaml")
        names.add(spec.name)
    return specs


def _difference(connection: sqlite3.Connection, specs: Sequence[BudgetSpec]) -> FileSync:
    live = {budget.name: budget for budget in map(_budget, connection.execute(_ALL))}
    for spec in specs:
        known = live.get(spec.name)
        if known is not None and known.managed_by == "api":
            raise BudgetConflict(
                "name_in_both", f"budget {spec.name} is in flyball.yaml and was also made by the admin API; rename one"
            )
    names = {spec.name for spec in specs}
    return FileSync(
        added=tuple(spec.name for spec in specs if spec.name not in live),
        changed=tuple(spec.name for spec in specs if spec.name in live and not _same(spec, live[spec.name])),
        removed=tuple(name for name, budget in live.items() if budget.managed_by == "file" and name not in names),
    )


def _same(spec: BudgetSpec, budget: Budget) -> bool:
    return all(getattr(spec, name) == getattr(budget, name) for name in _SPEC_FIELDS)


def _named(connection: sqlite3.Connection, name: str) -> Budget | None:
    row = connection.execute(_NAMED, (name,)).fetchone()
    return None if row is None else _budget(row)


def _row(budget: Budget) -> tuple[object, ...]:
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
        json.dumps(budget.models),
    )


def _budget(row: tuple[str, str, str, str, str, int, int, ManagedBy, int, int, str, str]) -> Budget:
    number, name, scope, window, timezone, limit, hard, managed_by, opening, length_s, unit, models = row
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
        models=tuple(json.loads(models)),
    )
