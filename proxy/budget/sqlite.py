"""The SQLite ledger: waiting steps go into one transaction, run inline, and a locked file never blocks the loop."""

import asyncio
import contextlib
import random
import sqlite3
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from proxy.budget import sqlite_runs
from proxy.budget.ledger import (
    RUN_MEMORY_S,
    Balance,
    Extension,
    Granted,
    HoldLine,
    HoldLost,
    HoldRequest,
    Lapsed,
    Ledger,
    LedgerUnavailable,
    RunState,
    Settled,
    Unit,
    Verdict,
)
from proxy.budget.schema import STEPS
from proxy.budget.settings import BudgetSettings
from proxy.budget.steps import (
    MOST,
    Answer,
    AnyStep,
    Dispatch,
    Extend,
    Hold,
    KillRun,
    Release,
    Renew,
    Settle,
    Step,
    Tables,
)
from proxy.core.clock import Clock
from proxy.core.money import Nano
from proxy.state import StateFile, is_busy, migrate

_NS: Final = 1_000_000_000
_QUICK_TRIES: Final = 3
_LONGEST_SLEEP_S: Final = 0.016
_PRUNE_STEPS: Final = 128
_LEASES_KEPT_NS: Final = 86_400 * _NS
_NOTHING_USED: Final[Mapping[Unit, int]] = {}

_HOLDS_OF: Final = """SELECT operation, worker, phase, amount, charged_at, start_record FROM holds
    WHERE worker = ? ORDER BY charged_at, operation LIMIT 256"""
_LAPSED: Final = """SELECT operation, worker, phase, amount, charged_at, start_record FROM holds
    WHERE lease_until < ?1
    AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.worker = holds.worker AND until_ns >= ?1)
    ORDER BY charged_at, operation LIMIT 256"""
_STANDING: Final = """SELECT coalesce(sum(opening + spent), 0), coalesce(sum(held), 0) FROM counters
    WHERE budget = ? AND window >= ? AND window <= ?"""


@dataclass(slots=True)
class LedgerFigures:
    """What a ledger did in this process, for its metrics. Times in nanoseconds."""

    steps: int = 0
    batches: int = 0
    longest_batch_ns: int = 0
    busy: int = 0
    timed_out: int = 0
    broken: int = 0
    orphans_released: int = 0
    unknown_settled: int = 0


class SqliteLedger:
    """A ledger over the host's state file; one object per process, used from one event loop.

    A step is appended to a queue and carried out by a callback of the loop, together with all that wait by then,
    in one BEGIN IMMEDIATE on a connection that never sleeps for a lock: a locked file is tried again after an
    awaited pause.
    """

    def __init__(
        self,
        state: StateFile,
        *,
        clock: Clock,
        settings: BudgetSettings | None = None,
        run_memory_s: int = RUN_MEMORY_S,
    ) -> None:
        """Opens the file and brings its tables up to date: blocks, for a moment; call before serving.

        `run_memory_s` is how long a run is remembered after its last call.
        """
        self._state = state
        self._clock = clock
        self._settings = settings or BudgetSettings()
        self._run_memory_ns = run_memory_s * _NS
        self._patience_s = self._settings.patience_ms / 1000
        self._waiting: deque[AnyStep] = deque()
        self._orphans: deque[AnyStep] = deque()
        self._lines: dict[str, tuple[HoldLine, ...]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._tries = 0
        self._prune_owed = 0
        self._closed: asyncio.Future[None] | None = None
        self._connection: sqlite3.Connection | None = None
        self.figures = LedgerFigures()
        connection = state.connect()
        migrate(connection, "budget", STEPS)
        self._use(connection)

    # -- the door ---------------------------------------------------------------------------------------------------

    async def hold(self, request: HoldRequest) -> Verdict:
        """See Ledger.hold."""
        _check(request.amount, *[line.amount for line in request.lines if line.amount is not None])
        if len(self._waiting) >= self._settings.max_waiting:
            raise LedgerUnavailable(f"{len(self._waiting)} steps are waiting already")
        step = Hold(request, self._clock.now_ns())
        try:
            verdict = await self._ask(step)
        except asyncio.CancelledError:
            # Granted in the moment its asker was cancelled: nobody knows of it but us.
            if step.made:
                self._release_orphan(request.operation)
            raise
        if type(verdict) is Granted:
            self._lines[request.operation] = request.lines
        return verdict

    async def dispatch(self, operation: str, worker: str, *, start_record: bytes | None = None) -> None:
        """See Ledger.dispatch."""
        await self._ask(Dispatch(operation, worker, start_record))

    async def extend(self, operation: str, more: Mapping[Unit, int]) -> Extension:
        """See Ledger.extend."""
        _check(*more.values())
        lines = self._lines.get(operation)
        if lines is None:
            raise HoldLost(operation)
        return await self._ask(Extend(operation, more, lines))

    async def settle(
        self, operation: str, cost: Nano, at_ns: int, *, used: Mapping[Unit, int] | None = None, by: str = ""
    ) -> Settled:
        """See Ledger.settle. `by` is not remembered: on one host one process alone settles what is lost."""
        _check(cost, *(used or _NOTHING_USED).values())
        self._lines.pop(operation, None)
        settled = await self._ask(Settle(operation, cost, at_ns // _NS, used or _NOTHING_USED))
        if settled.unknown:
            self.figures.unknown_settled += 1
        return settled

    async def release(self, operation: str, *, only_held: bool = False) -> bool:
        """See Ledger.release."""
        if not only_held:
            self._lines.pop(operation, None)
        released = await self._ask(Release(operation, only_held))
        if released:
            self._lines.pop(operation, None)
        return released

    async def renew(self, worker: str, until_ns: int) -> None:
        """See Ledger.renew."""
        await self._ask(Renew(worker, until_ns))

    async def lapsed(self, now_ns: int) -> list[Lapsed]:
        """See Ledger.lapsed."""
        return [_lapsed(row) for row in self._read(_LAPSED, (now_ns,))]

    async def holds_of(self, worker: str) -> list[Lapsed]:
        """See Ledger.holds_of."""
        return [_lapsed(row) for row in self._read(_HOLDS_OF, (worker,))]

    async def balances(self, lines: Sequence[HoldLine]) -> tuple[Balance, ...]:
        """See Ledger.balances."""
        standing = []
        for line in lines:
            first = line.window if line.counted_from is None else line.counted_from
            spent, held = self._read(_STANDING, (line.budget, first, line.window))[0]
            standing.append(Balance(line, Nano(spent), Nano(held)))
        return tuple(standing)

    async def kill_run(self, org: str, key_id: str, name: str, at_ns: int) -> bool:
        """See Ledger.kill_run."""
        return await self._ask(KillRun((org, key_id, name), at_ns))

    async def runs(self, org: str | None = None, limit: int = 100, before_ns: int | None = None) -> list[RunState]:
        """See Ledger.runs."""
        return [sqlite_runs.state_of(row) for row in self._read(*sqlite_runs.listing(org, limit, before_ns))]

    async def killed_runs(self, since_ns: int) -> frozenset[tuple[str, str, str]]:
        """See Ledger.killed_runs."""
        return frozenset(self._read(*sqlite_runs.killed(since_ns)))

    async def close(self) -> None:
        """See Ledger.close."""
        if self._closed is None:
            self._loop = asyncio.get_running_loop()
            self._closed = self._loop.create_future()
            for orphan in self._orphans:
                orphan.deadline = self._loop.time() + self._patience_s
            self._schedule()
        await self._closed

    # -- waiting ----------------------------------------------------------------------------------------------------

    def _ask(self, step: Step[Answer]) -> asyncio.Future[Answer]:
        """Queue a step; the future is done when its transaction is."""
        if self._closed is not None:
            raise LedgerUnavailable("this ledger was closed")
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        step.future = loop.create_future()
        step.deadline = loop.time() + self._patience_s
        self._waiting.append(step)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush)
        return step.future

    def _release_orphan(self, operation: str) -> None:
        self.figures.orphans_released += 1
        step = Release(operation)
        step.deadline = float("inf")
        self._orphans.append(step)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Carry out what waits, as far as one transaction goes; the rest on the next turn of the loop."""
        assert self._loop is not None
        self._scheduled = False
        if self._waiting or self._orphans:
            try:
                tables = self._begin()
            except sqlite3.Error as error:
                self._put_off(error)
                return
            self._tries = 0
            self._carry_out(tables)
        if self._waiting or self._orphans:
            self._schedule()
            return
        self._tries = 0
        if self._closed is not None and not self._closed.done():
            self._let_go()
            self._closed.set_result(None)

    def _begin(self) -> Tables:
        if self._connection is None:
            self._use(self._state.connect(busy_ms=0))
        tables = self._tables
        tables.cursor.execute("BEGIN IMMEDIATE")
        tables.counters.begin()
        return tables

    def _put_off(self, error: sqlite3.Error) -> None:
        """The transaction did not begin: try again soon if the file is only locked, else fail who waits."""
        assert self._loop is not None
        if not is_busy(error):
            self._break(error, [*self._orphans, *self._waiting])
            self._orphans.clear()
            self._waiting.clear()
            self._schedule()
            return
        self.figures.busy += 1
        self._fail_the_late(self._loop.time())
        self._scheduled = True
        self._tries += 1
        if self._tries <= _QUICK_TRIES:
            # A transaction takes some tens of microseconds; the loop's shortest pause is a whole millisecond.
            self._loop.call_soon(self._flush)
            return
        pause = min(_LONGEST_SLEEP_S, 0.001 * 2 ** (self._tries - _QUICK_TRIES - 1))
        self._loop.call_later(pause * random.uniform(0.5, 1.0), self._flush)

    def _fail_the_late(self, now: float) -> None:
        for steps in (self._waiting, self._orphans):
            while steps and steps[0].deadline <= now:
                self.figures.timed_out += 1
                _answer(steps.popleft(), LedgerUnavailable(f"the state file was locked for {self._patience_s:g} s"))

    # -- one transaction --------------------------------------------------------------------------------------------

    def _carry_out(self, tables: Tables) -> None:
        """The open transaction: steps until there are none, or enough, then commit and answer."""
        done: list[tuple[AnyStep, object]] = []
        began = time.monotonic_ns()
        try:
            self._run_steps(tables, done, began + self._settings.batch_us * 1000)
            self._prune(tables)
            tables.counters.write()
            tables.cursor.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo(tables)
            self._break(error, [step for step, _ in done])
            return
        except BaseException as error:
            # A fault of ours in one step: those who share its transaction are told, those behind it go on.
            self._undo(tables)
            for step, _ in done:
                _answer(step, LedgerUnavailable(f"a step failed: {error!r}"))
            self._schedule()
            raise
        tables.counters.forget(undone=False)
        for step, answer in done:
            _answer(step, answer)
        self._note(len(done), time.monotonic_ns() - began)

    def _run_steps(self, tables: Tables, done: list[tuple[AnyStep, object]], until_ns: int) -> None:
        most = self._settings.batch_steps
        while len(done) < most and (self._waiting or self._orphans):
            step = self._orphans.popleft() if self._orphans else self._waiting.popleft()
            if step.droppable and step.future is not None and step.future.cancelled():
                continue
            # Noted before it runs: if it fails, it is among those that are told.
            done.append((step, None))
            try:
                done[-1] = (step, step.run(tables))
            except HoldLost as lost:
                done[-1] = (step, lost)
            if type(step) is Settle:
                self._prune_owed += 2
            if time.monotonic_ns() >= until_ns:
                break

    def _prune(self, tables: Tables) -> None:
        """Forget twice as many settled operations as were added, in bounded steps."""
        if self._prune_owed < _PRUNE_STEPS:
            return
        self._prune_owed = 0
        now = self._clock.now_ns()
        tables.prune(
            settled_before_s=now // _NS - self._settings.settled_memory_s,
            leases_before_ns=now - _LEASES_KEPT_NS,
            runs_before_ns=now - self._run_memory_ns,
            now_s=now // _NS,
            most=_PRUNE_STEPS,
        )

    def _undo(self, tables: Tables) -> None:
        tables.counters.forget(undone=True)
        with contextlib.suppress(sqlite3.Error):
            tables.cursor.execute("ROLLBACK")

    def _break(self, error: sqlite3.Error, steps: Sequence[AnyStep]) -> None:
        """The store failed: those steps were not carried out, and the next one meets a new connection."""
        self.figures.broken += 1
        for step in steps:
            _answer(step, LedgerUnavailable(f"the state file failed: {error}"))
        self._let_go()

    def _note(self, steps: int, took_ns: int) -> None:
        figures = self.figures
        figures.steps += steps
        figures.batches += 1
        figures.longest_batch_ns = max(figures.longest_batch_ns, took_ns)

    # -- the connection ---------------------------------------------------------------------------------------------

    def _use(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA busy_timeout = 0")
        self._connection = connection
        self._tables = Tables(connection.cursor())

    def _let_go(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _read(self, query: str, values: tuple[object, ...]) -> list[Any]:
        """Read outside a transaction; a WAL reader waits for no one."""
        if self._closed is not None:
            raise LedgerUnavailable("this ledger was closed")
        try:
            if self._connection is None:
                self._use(self._state.connect(busy_ms=0))
            assert self._connection is not None
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the state file failed: {error}") from error


def _answer(step: AnyStep, answer: object) -> None:
    """Wake who waits, if anyone does still."""
    future = step.future
    if future is None or future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _check(*amounts: int) -> None:
    for amount in amounts:
        if not 0 <= amount <= MOST:
            raise ValueError(f"an amount must be between 0 and {MOST}, not {amount}")


def _lapsed(row: tuple[str, str, int, int, int, bytes]) -> Lapsed:
    operation, worker, phase, amount, charged_at, record = row
    return Lapsed(operation, worker, "dispatched" if phase else "held", Nano(amount), charged_at, record)


_: type[Ledger] = SqliteLedger
