"""Budgets and limits in the state file: made by flyball.yaml or by the admin API, never by both."""

import sqlite3
from collections.abc import Callable, Container, Sequence
from contextlib import closing
from dataclasses import fields
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeAlias

from proxy.budget.alert_schema import STEPS as ALERT_STEPS
from proxy.budget.bad_budget import BadBudget
from proxy.budget.budget import Budget, ManagedBy
from proxy.budget.catalog import BudgetCatalog
from proxy.budget.counter_book import CounterBook
from proxy.budget.ledger import LineKind
from proxy.budget.raised import Raise, check_raise
from proxy.budget.rows import (
    Which,
    live_budget,
    live_budgets,
    named_budget,
    remove_budget,
    remove_raise,
    write_budget,
    write_raise,
)
from proxy.budget.schema import STEPS
from proxy.budget.seen import ScopesSeen
from proxy.budget.settings import BudgetEntry, BudgetSettings, RateLimitEntry
from proxy.budget.spec import BudgetSpec, rate_of, spec_of
from proxy.budget.sqlite_book import SqliteCounterBook
from proxy.budget.standing import BudgetState, state_for, states_of, states_of_each
from proxy.core.clock import Clock, SystemClock
from proxy.core.ids import new_id
from proxy.core.money import Nano
from proxy.state import StateFile, migrate

_RETIRED: Final = "SELECT 1 FROM budgets WHERE name = ? AND retired = 1"
_OPENING_WINDOW: Final = "SELECT opening_window FROM budgets WHERE id = ?"
_SPEC_FIELDS: Final = tuple(field.name for field in fields(BudgetSpec))

Allowed: TypeAlias = Callable[[Budget | None], None]
"""Told what is there (None: nothing) before it is changed, while nobody else can change it; raises to forbid that."""


class BudgetConflict(Exception):
    """A change that does not go with what is there; `code` as the admin API says it."""

    def __init__(self, code: Literal["managed_by_file", "name_in_both", "already_exists"], message: str) -> None:
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
        self._loaded = BudgetCatalog()
        connection = state.connect()
        try:
            migrate(connection, "budget", STEPS)
            # Here, and not only where alerts are raised: hosts that share this state follow each other's alerts.
            migrate(connection, "alerts", ALERT_STEPS)
        finally:
            connection.close()

    def put(self, spec: BudgetSpec, *, allowed: Allowed | None = None) -> Budget:
        """Make or change a budget or limit on behalf of the admin API.

        What it has spent stays with it unless its scope or what it counts changes: that makes it another budget.

        Raises:
            BudgetConflict: flyball.yaml has it, or a limit has a budget's name.
        """
        with self._state.change() as connection:
            known = named_budget(connection, spec.name, self._clock.now_ns())
            retired = connection.execute(_RETIRED, (spec.name,)).fetchone() is not None
            if allowed is not None:
                allowed(None if retired else known)
            if known is not None and retired:
                self._erase(connection, known)
                known = None
            if known is not None and known.managed_by == "file":
                raise BudgetConflict("managed_by_file", f"{known.title} is in flyball.yaml; change it there")
            if known is not None and known.kind is not spec.kind:
                raise BudgetConflict("already_exists", f"{known.title} has this name; choose another one")
            return self._write(connection, spec, known, "api")

    def get(self, name: str) -> Budget | None:
        """The budget or limit of that name."""
        with self._state.read() as connection:
            return live_budget(connection, name, self._clock.now_ns())

    def list(self, org: str | None = None, kind: LineKind | None = None) -> tuple[Budget, ...]:
        """All budgets and limits by name, or those of one org or kind."""
        with self._state.read() as connection:
            return tuple(live_budgets(connection, self._clock.now_ns(), Which(kind, org)))

    def page(self, which: Which, keep: Callable[[Budget], bool], most: int) -> tuple[Budget, ...]:
        """The first of them that are to be kept; of very many no more are read than it takes."""
        with self._state.read() as connection, closing(live_budgets(connection, self._clock.now_ns(), which)) as found:
            return tuple(islice(filter(keep, found), most))

    def delete(self, name: str, *, allowed: Allowed | None = None) -> bool:
        """Delete a budget and what it has counted; whether there was one.

        Raises:
            BudgetConflict: flyball.yaml has it.
        """
        if self.get(name) is None:
            return False
        with self._state.change() as connection:
            known = live_budget(connection, name, self._clock.now_ns())
            if allowed is not None:
                allowed(known)
            if known is None:
                return False
            if known.managed_by == "file":
                raise BudgetConflict("managed_by_file", f"{known.title} is in flyball.yaml; remove it there")
            self._erase(connection, known)
        return True

    def raise_limit(
        self, name: str, by: Nano, *, until_ns: int, reason: str, made_by: str, allowed: Allowed | None = None
    ) -> Raise | None:
        """Raise a limit for a while, be it flyball.yaml's; None when there is no such budget.

        Raises:
            BadBudget: an end that has passed, or more than a limit can be.
        """
        now_ns = self._clock.now_ns()
        with self._state.change() as connection:
            budget = live_budget(connection, name, now_ns)
            if allowed is not None:
                allowed(budget)
            if budget is None:
                return None
            made = Raise(new_id("rai"), by, until_ns, reason, made_by, now_ns)
            check_raise(budget.unit, budget.limit_at(now_ns), made, known=len(budget.raises))
            write_raise(connection, budget, made, now_ns)
        return made

    def end_raise(self, name: str, number: str) -> Raise | None:
        """End a raise before its time; None when there is no such raise that still holds."""
        if self._raise_of(name, number) is None:
            return None
        with self._state.change() as connection:
            found = self._raise_of(name, number)
            remove_raise(connection, number)
        return found

    def _raise_of(self, name: str, number: str) -> Raise | None:
        budget = self.get(name)
        return None if budget is None else next((each for each in budget.raises if each.id == number), None)

    def load(
        self,
        *,
        distinct_scopes_per_key: int | None = None,
        observing: Container[str] = (),
        observe_all: bool = False,
    ) -> BudgetCatalog:
        """A snapshot for the workers; it remembers which scopes the ones before it have seen.

        `observing` are the orgs whose enforcement is `observe`; `observe_all` makes it so for all. What has not changed
        since the snapshot before is taken from it: of very many budgets little is made, and little thrown away.
        """
        if distinct_scopes_per_key is not None:
            self._seen.most = distinct_scopes_per_key
        before = self._loaded
        with self._state.read() as connection:
            budgets = tuple(live_budgets(connection, self._clock.now_ns(), known=before.budgets))
        self._loaded = BudgetCatalog(budgets, self._seen, observing=observing, observe_all=observe_all, before=before)
        return self._loaded

    def states(self, budgets: Sequence[Budget] | None = None, *, at_ns: int | None = None) -> tuple[BudgetState, ...]:
        """Where budgets stand now, or in the window of another instant; all of them, or those given."""
        now = self._clock.now_ns() if at_ns is None else at_ns
        wanted = self.list() if budgets is None else budgets
        return states_of(self._book, wanted, now)

    def state_for(self, budget: Budget, scope: str) -> BudgetState:
        """Where a budget whose scope is a pattern stands for one that it stands for."""
        return state_for(self._book, budget, self._clock.now_ns(), scope)

    def states_of_each(self, budget: Budget, most: int, *, at_ns: int | None = None) -> tuple[BudgetState, ...]:
        """Where those stand that a budget's pattern stands for and that have counted, the fullest first."""
        now = self._clock.now_ns() if at_ns is None else at_ns
        return states_of_each(self._book, budget, now, most)

    def sync_from_file(self, budgets: Sequence[BudgetEntry], limits: Sequence[RateLimitEntry] = ()) -> FileSync:
        """Let the file's budgets and rate limits be exactly these; touches nothing if they are already.

        One that has gone from the file stops counting; what it spent is kept and goes on if it comes back.

        Raises:
            BadBudget: an entry that cannot be meant as it stands, or a name that stands twice; nothing was changed.
            BudgetConflict: the admin API has one of these names; nothing was changed.
        """
        specs = _specs(budgets, limits)
        now_ns = self._clock.now_ns()
        with self._state.read() as connection:
            sync = _difference(connection, specs, now_ns)
        if not any(sync):
            return sync
        with self._state.change() as connection:
            sync = _difference(connection, specs, now_ns)
            for name in sync.removed:
                connection.execute("UPDATE budgets SET retired = 1 WHERE name = ?", (name,))
            moved = {*sync.added, *sync.changed}
            for spec in specs:
                if spec.name in moved:
                    self._write(connection, spec, named_budget(connection, spec.name, now_ns), "file")
        return sync

    def _write(
        self, connection: sqlite3.Connection, spec: BudgetSpec, known: Budget | None, managed_by: ManagedBy
    ) -> Budget:
        if known is not None and (known.scope, known.unit, known.kind) != (spec.scope, spec.unit, spec.kind):
            self._erase(connection, known)
            known = None
        stated = {name: getattr(spec, name) for name in _SPEC_FIELDS}
        raises = () if known is None else known.raises
        number = new_id("bud") if known is None else known.id
        budget = Budget(**stated, id=number, managed_by=managed_by, raises=raises)
        write_budget(connection, budget, self._open(connection, budget, known))
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
        remove_budget(connection, budget)
        self._book.erase(budget.id)


def _specs(budgets: Sequence[BudgetEntry], limits: Sequence[RateLimitEntry]) -> list[BudgetSpec]:
    specs = [*map(spec_of, budgets), *map(rate_of, limits)]
    names: set[str] = set()
    for spec in specs:
        if spec.name in names:
            raise BadBudget("name", f"{spec.title} stands twice in flyball.yaml")
        names.add(spec.name)
    return specs


def _difference(connection: sqlite3.Connection, specs: Sequence[BudgetSpec], now_ns: int) -> FileSync:
    live = {budget.name: budget for budget in live_budgets(connection, now_ns)}
    for spec in specs:
        known = live.get(spec.name)
        if known is not None and known.managed_by == "api":
            raise BudgetConflict(
                "name_in_both", f"{spec.title} is in flyball.yaml and was also made by the admin API; rename one"
            )
    names = {spec.name for spec in specs}
    return FileSync(
        added=tuple(spec.name for spec in specs if spec.name not in live),
        changed=tuple(spec.name for spec in specs if spec.name in live and not _same(spec, live[spec.name])),
        removed=tuple(name for name, budget in live.items() if budget.managed_by == "file" and name not in names),
    )


def _same(spec: BudgetSpec, budget: Budget) -> bool:
    return all(getattr(spec, name) == getattr(budget, name) for name in _SPEC_FIELDS)
