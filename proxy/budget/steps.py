"""What each step of the ledger does to the tables, inside a transaction that someone else begins and ends."""

import sqlite3
from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final, Generic, TypeAlias, TypeVar

from proxy.budget.counters import Counter, Counters
from proxy.budget.ledger import (
    Balance,
    Extension,
    Granted,
    HoldLine,
    HoldLost,
    HoldRequest,
    Reached,
    Settled,
    Short,
    Unit,
    Verdict,
)
from proxy.budget.sqlite_runs import Place, kill, prune
from proxy.core.money import ZERO, Nano

MOST: Final = 10**18
"""The most that one step may hold or book (a billion dollars): sums stay far inside 64 bits."""

_OURS: Final = len("op_") + 32
_ROW_NUMBERS: Final = 2**62 - 1

_HOLD: Final = """INSERT INTO holds
    (number, operation, worker, phase, amount, charged_at, lease_until, lines, start_record)
    SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM settled WHERE operation = ?)
    ON CONFLICT (number) DO NOTHING"""
_AMOUNT: Final = "SELECT amount, lines FROM holds WHERE number = ? AND operation = ?"
_DISPATCH: Final = "UPDATE holds SET phase = 1, worker = ? WHERE number = ? AND operation = ?"
_DISPATCH_WITH: Final = "UPDATE holds SET phase = 1, worker = ?, start_record = ? WHERE number = ? AND operation = ?"
_EXTEND: Final = "UPDATE holds SET amount = ?, lines = ? WHERE number = ? AND operation = ?"
_AMOUNT_HELD: Final = "SELECT amount, lines FROM holds WHERE number = ? AND operation = ? AND phase = 0"
# Read first, then deleted: RETURNING puts its rows into a table of their own, which costs more than a statement.
_END: Final = "DELETE FROM holds WHERE number = ?"
_REMEMBER: Final = "INSERT OR IGNORE INTO settled (operation, at_s) VALUES (?, ?)"
_REMEMBERED: Final = "SELECT 1 FROM settled WHERE operation = ?"
_RENEW: Final = "INSERT OR REPLACE INTO leases (worker, until_ns) VALUES (?, ?)"
# Ids sort by the time they were made; one that does not (a clock set back) only delays those behind it.
_PRUNE: Final = """DELETE FROM settled WHERE at_s < ?
    AND operation IN (SELECT operation FROM settled ORDER BY operation LIMIT ?)"""
_PRUNE_LEASES: Final = """DELETE FROM leases WHERE until_ns < ?
    AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.worker = leases.worker)"""

_PRUNE_COUNTERS: Final = """DELETE FROM counters WHERE id IN
    (SELECT id FROM counters WHERE kept_until_s < ? AND held = 0 ORDER BY kept_until_s LIMIT ?)"""

Answer = TypeVar("Answer")
Opened: TypeAlias = tuple[HoldLine, Counter, int]
"""A line, its counter, and what is wanted of it."""


class Tables:
    """The tables as one connection sees them in the open transaction."""

    __slots__ = ("counters", "cursor")

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.cursor = cursor
        self.counters = Counters(cursor)

    def prune(
        self, *, settled_before_s: int, leases_before_ns: int, runs_before_ns: int, now_s: int, most: int
    ) -> None:
        """Forget a bounded number of old settled operations, windows and runs, and workers long gone."""
        self.cursor.execute(_PRUNE, (settled_before_s, most))
        self.cursor.execute(_PRUNE_LEASES, (leases_before_ns,))
        if self.cursor.execute(_PRUNE_COUNTERS, (now_s, most)).rowcount:
            self.counters.distrust()
        prune(self.cursor, runs_before_ns, most)


class Step(ABC, Generic[Answer]):
    """One thing asked of the ledger, and the future that its asker waits on (None: nobody waits)."""

    __slots__ = ("deadline", "future", "number", "operation")

    # Whether it is pointless once the asker has gone.
    droppable = True

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.number = number_of(operation)
        self.future: Future[Answer] | None = None
        self.deadline = 0.0

    @abstractmethod
    def run(self, tables: Tables) -> Answer:
        """Do it. HoldLost is an answer too; it must be raised before anything was changed."""


AnyStep = Step[Any]


class Hold(Step[Verdict]):
    """Set money aside on all lines or on none."""

    __slots__ = ("made", "now_ns", "request")

    def __init__(self, request: HoldRequest, now_ns: int) -> None:
        super().__init__(request.operation)
        self.request = request
        self.now_ns = now_ns
        self.made = False

    def run(self, tables: Tables) -> Verdict:
        """Granted, or something else with nothing changed."""
        request, of = self.request, tables.counters.of
        place = None if request.run is None else Place(tables.cursor, request.run, self.now_ns)
        opened = [(line, of(line), request.amount if line.amount is None else line.amount) for line in request.lines]
        no = (place and place.stopped()) or _first_no(tables.counters, opened)
        if no is not None:
            known = tables.cursor.execute(_AMOUNT, (self.number, self.operation)).fetchone()
            return no if known is None else _granted(tables.counters, known[0], opened, place)
        if not self._insert(tables.cursor, opened):
            known = tables.cursor.execute(_AMOUNT, (self.number, self.operation)).fetchone()
            if known is None:
                raise HoldLost(self.operation)
            return _granted(tables.counters, known[0], opened, place)
        for _, counter, wanted in opened:
            counter.hold(wanted)
        if place is not None:
            place.take()
        self.made = True
        return _granted(tables.counters, request.amount, opened, place)

    def _insert(self, cursor: sqlite3.Cursor, opened: list[Opened]) -> bool:
        request = self.request
        values = (
            self.number,
            request.operation,
            request.worker,
            1 if request.dispatched else 0,
            request.amount,
            request.charged_at_ns,
            request.lease_until_ns,
            " ".join([_noted(line, counter) for line, counter, _ in opened]),
            request.start_record,
            settled_key(request.operation),
        )
        return cursor.execute(_HOLD, values).rowcount == 1


class Dispatch(Step[None]):
    """Note that the hold may cost from now on."""

    __slots__ = ("start_record", "worker")

    def __init__(self, operation: str, worker: str, start_record: bytes | None) -> None:
        super().__init__(operation)
        self.worker = worker
        self.start_record = start_record

    def run(self, tables: Tables) -> None:
        """Raises HoldLost when there is no such hold."""
        if self.start_record is None:
            done = tables.cursor.execute(_DISPATCH, (self.worker, self.number, self.operation))
        else:
            done = tables.cursor.execute(_DISPATCH_WITH, (self.worker, self.start_record, self.number, self.operation))
        if done.rowcount == 0:
            raise HoldLost(self.operation)


class Extend(Step[Extension]):
    """Set more money aside for an open hold."""

    __slots__ = ("lines", "more")

    def __init__(self, operation: str, more: Mapping[Unit, int], lines: tuple[HoldLine, ...]) -> None:
        super().__init__(operation)
        self.more = more
        self.lines = lines

    def run(self, tables: Tables) -> Extension:
        """Granted with the new amount, or Short with nothing changed."""
        known = tables.cursor.execute(_AMOUNT, (self.number, self.operation)).fetchone()
        if known is None:
            raise HoldLost(self.operation)
        opened = [(line, tables.counters.of(line), self.more[line.unit]) for line in grown(self.lines, self.more)]
        short = _first_short(tables.counters, opened)
        if short is not None:
            return short
        amount = known[0] + self.more.get(Unit.USD, 0)
        noted = " ".join([self._grow(tables.counters, entry) for entry in known[1].split(" ")]) if known[1] else ""
        tables.cursor.execute(_EXTEND, (amount, noted, self.number, self.operation))
        return _granted(tables.counters, amount, opened)

    def _grow(self, counters: Counters, entry: str) -> str:
        """Hold more on a counter that the hold was made on; how that is noted."""
        number, _, own = entry.partition(":")
        held, _, unit = own.partition(":")
        by = self.more.get(Unit(unit) if own else Unit.USD, 0)
        if by == 0:
            return entry
        counters.numbered(int(number)).hold(by)
        return f"{number}:{int(held) + by}:{unit}" if own else entry


class Settle(Step[Settled]):
    """End a hold and book what the call cost."""

    __slots__ = ("at_s", "cost", "used")

    droppable = False

    def __init__(self, operation: str, cost: Nano, at_s: int, used: Mapping[Unit, int]) -> None:
        super().__init__(operation)
        self.cost = cost
        self.at_s = at_s
        self.used = used

    def run(self, tables: Tables) -> Settled:
        """Book once; nothing when there is no hold."""
        cursor, key = tables.cursor, settled_key(self.operation)
        row = cursor.execute(_AMOUNT, (self.number, self.operation)).fetchone()
        if row is None:
            known = cursor.execute(_REMEMBERED, (key,)).fetchone()
            return Settled(True, ZERO, unknown=known is None)
        cursor.execute(_END, (self.number,))
        amount, lines = row
        for entry in lines.split(" ") if lines else ():
            self._book(tables.counters, entry, amount)
        cursor.execute(_REMEMBER, (key, self.at_s))
        return Settled(False, Nano(max(0, self.cost - amount)))

    def _book(self, counters: Counters, entry: str, amount: int) -> None:
        number, held, unit = _read_noted(entry, amount)
        counters.numbered(number).book(self._cost_in(unit, held), held)

    def _cost_in(self, unit: str, held: int) -> int:
        if unit == "usd":
            return self.cost
        return self.used.get(Unit(unit), 0 if unit == "slots" else held)


class Release(Step[bool]):
    """End a hold at no cost."""

    __slots__ = ("only_held",)

    droppable = False

    def __init__(self, operation: str, only_held: bool = False) -> None:
        super().__init__(operation)
        self.only_held = only_held

    def run(self, tables: Tables) -> bool:
        """Whether there was one."""
        query = _AMOUNT_HELD if self.only_held else _AMOUNT
        row = tables.cursor.execute(query, (self.number, self.operation)).fetchone()
        if row is None:
            return False
        tables.cursor.execute(_END, (self.number,))
        amount, lines = row
        for entry in lines.split(" ") if lines else ():
            number, held, _ = _read_noted(entry, amount)
            tables.counters.numbered(number).hold(-held)
        return True


class Renew(Step[None]):
    """Let a worker's holds live longer; `operation` is the worker here."""

    __slots__ = ("until_ns",)

    def __init__(self, worker: str, until_ns: int) -> None:
        super().__init__(worker)
        self.until_ns = until_ns

    def run(self, tables: Tables) -> None:
        """One row, however many holds."""
        tables.cursor.execute(_RENEW, (self.operation, self.until_ns))


class KillRun(Step[bool]):
    """Let a run take no more calls."""

    __slots__ = ("at_ns", "run_of")

    droppable = False

    def __init__(self, run_of: tuple[str, str, str], at_ns: int) -> None:
        super().__init__("")
        self.run_of = run_of
        self.at_ns = at_ns

    def run(self, tables: Tables) -> bool:
        """Whether it could take any before."""
        return kill(tables.cursor, self.run_of, self.at_ns)


def number_of(operation: str) -> int:
    """The row number of an operation's hold: both halves of a UUIDv7, of which one is counted and one random; a digest
    of any other id.

    Two open operations meeting in one number is a matter of 1 in 1e11 years of such proxies, and safe: the second
    is told that its hold is lost.
    """
    if len(operation) == _OURS:
        try:
            # Ids of one process differ in the first half only.
            return (int(operation[3:19], 16) ^ int(operation[19:], 16)) & _ROW_NUMBERS
        except ValueError:
            pass
    return int.from_bytes(blake2b(operation.encode(), digest_size=8).digest()) & _ROW_NUMBERS


def settled_key(operation: str) -> bytes:
    """How a settled operation is remembered: 16 bytes for one of our ids, which may be millions."""
    if len(operation) == _OURS:
        try:
            return bytes.fromhex(operation[3:])
        except ValueError:
            pass
    return operation.encode()


def grown(lines: Iterable[HoldLine], more: Mapping[Unit, int]) -> tuple[HoldLine, ...]:
    """The lines of the units that an extension names."""
    return tuple([line for line in lines if line.unit in more])


def _first_no(counters: Counters, opened: list[Opened]) -> Reached | Short | None:
    """The first gate that would be passed, else the first limit."""
    for line, counter, wanted in opened:
        if line.gate is not None:
            spent, held = counters.standing(line, counter)
            if spent + held + wanted > line.gate:
                return Reached(line, Nano(spent), Nano(held), Nano(wanted))
    return _first_short(counters, opened)


def _first_short(counters: Counters, opened: list[Opened]) -> Short | None:
    for line, counter, wanted in opened:
        if line.hard:
            spent, held = counters.standing(line, counter)
            if spent + held + wanted > line.limit:
                return Short(line, Nano(spent), Nano(held), Nano(wanted))
    return None


def _granted(counters: Counters, amount: int, opened: list[Opened], place: Place | None = None) -> Granted:
    balances = tuple([_balance(counters, line, counter) for line, counter, _ in opened])
    return Granted(Nano(amount), balances, 0 if place is None else place.depth)


def _balance(counters: Counters, line: HoldLine, counter: Counter) -> Balance:
    spent, held = counters.standing(line, counter)
    return Balance(line, Nano(spent), Nano(held))


def _noted(line: HoldLine, counter: Counter) -> str:
    return str(counter.number) if line.amount is None else f"{counter.number}:{line.amount}:{line.unit}"


def _read_noted(entry: str, amount: int) -> tuple[int, int, str]:
    """Counter, what is held there, unit."""
    if ":" not in entry:
        return int(entry), amount, "usd"
    number, held, unit = entry.split(":")
    return int(number), int(held), unit
