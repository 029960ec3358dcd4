"""What the SQLite ledger knows of runs: a row for each, read and written in the transaction of a call's hold."""

import sqlite3
from typing import Any, Final

from proxy.budget.ledger import RunState, RunTicket, Stopped

_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _NS
MOST_LISTED: Final = 1000

_READ: Final = "SELECT depth, started_ns, last_ns, killed_ns FROM runs WHERE org = ? AND key_id = ? AND name = ?"
_DEPTH: Final = "SELECT depth FROM runs WHERE org = ? AND key_id = ? AND name = ?"
_BEGIN: Final = """INSERT INTO runs (org, key_id, name, parent, depth, started_ns, last_ns, last_min, calls)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)"""
_COUNT: Final = "UPDATE runs SET calls = calls + 1, last_ns = ? WHERE org = ? AND key_id = ? AND name = ?"
# Apart, since it moves the row in both indexes.
_MOVE: Final = "UPDATE runs SET last_min = ? WHERE org = ? AND key_id = ? AND name = ?"
_KILL: Final = """INSERT INTO runs (org, key_id, name, parent, depth, started_ns, last_ns, last_min, calls, killed_ns)
    VALUES (?1, ?2, ?3, '', 0, 0, ?4, ?5, 0, ?4)
    ON CONFLICT DO UPDATE SET killed_ns = ?4 WHERE killed_ns IS NULL"""
_LIST: Final = """SELECT org, key_id, name, parent, depth, started_ns, last_ns, calls, killed_ns FROM runs
    WHERE {} last_min <= ?2 AND last_ns < ?3 ORDER BY last_min DESC, last_ns DESC LIMIT ?4"""
_LIST_ALL: Final = _LIST.format("?1 IS NULL AND")
_LIST_ORG: Final = _LIST.format("org = ?1 AND")
_KILLED: Final = "SELECT org, key_id, name FROM runs WHERE killed_ns >= ?"
_PRUNE: Final = """DELETE FROM runs WHERE (org, key_id, name) IN
    (SELECT org, key_id, name FROM runs WHERE last_min < ? ORDER BY last_min LIMIT ?)"""


class Place:
    """A call's place in its run, as the open transaction has it."""

    __slots__ = ("_cursor", "_depth", "_killed_ns", "_last_ns", "_now_ns", "_started_ns", "_ticket")

    def __init__(self, cursor: sqlite3.Cursor, ticket: RunTicket, now_ns: int) -> None:
        self._cursor = cursor
        self._ticket = ticket
        self._now_ns = now_ns
        row = cursor.execute(_READ, (ticket.org, ticket.key_id, ticket.name)).fetchone()
        self._depth: int
        self._started_ns: int | None
        if row is None:
            row = self._new_depth(), None, 0, None
        self._depth, self._started_ns, self._last_ns, self._killed_ns = row

    @property
    def depth(self) -> int:
        """How deep the run lies."""
        return self._depth

    def stopped(self) -> Stopped | None:
        """Why the run takes no more calls, if it takes none."""
        ticket = self._ticket
        if self._killed_ns is not None:
            return Stopped(ticket.name, "killed")
        if ticket.max_s is not None and self._started_ns is not None:
            ran_ns = self._now_ns - self._started_ns
            if ran_ns >= ticket.max_s * _NS:
                return Stopped(ticket.name, "seconds", ticket.max_s, ran_ns // _NS)
        if ticket.max_depth is not None and self._depth > ticket.max_depth:
            return Stopped(ticket.name, "depth", ticket.max_depth, self._depth)
        return None

    def take(self) -> None:
        """Count the call, and begin the run if it is its first."""
        ticket = self._ticket
        run = (ticket.org, ticket.key_id, ticket.name)
        last_ns = max(self._now_ns, self._last_ns)
        last_min = last_ns // _MINUTE_NS
        if self._started_ns is None:
            self._cursor.execute(_BEGIN, (*run, ticket.parent, self._depth, self._now_ns, last_ns, last_min))
            return
        self._cursor.execute(_COUNT, (last_ns, *run))
        if last_min != self._last_ns // _MINUTE_NS:
            self._cursor.execute(_MOVE, (last_min, *run))

    def _new_depth(self) -> int:
        ticket = self._ticket
        if ticket.parent in ("", ticket.name):
            return 1
        row = self._cursor.execute(_DEPTH, (ticket.org, ticket.key_id, ticket.parent)).fetchone()
        return 1 + max(1, row[0] if row is not None else 1)


def kill(cursor: sqlite3.Cursor, run: tuple[str, str, str], at_ns: int) -> bool:
    """Let a run take no more calls; whether it could take any before."""
    return cursor.execute(_KILL, (*run, at_ns, at_ns // _MINUTE_NS)).rowcount == 1


def prune(cursor: sqlite3.Cursor, before_ns: int, most: int) -> None:
    """Forget a bounded number of runs that nobody has called in since."""
    cursor.execute(_PRUNE, (before_ns // _MINUTE_NS, most))


def listing(org: str | None, limit: int, before_ns: int | None) -> tuple[str, tuple[Any, ...]]:
    """The query for the latest runs; its rows are what RunState is made of."""
    before = 2**63 - 1 if before_ns is None else before_ns
    query = _LIST_ALL if org is None else _LIST_ORG
    return query, (org, before // _MINUTE_NS, before, min(limit, MOST_LISTED))


def killed(since_ns: int) -> tuple[str, tuple[Any, ...]]:
    """The query for the runs killed since."""
    return _KILLED, (since_ns,)


def state_of(row: tuple[Any, ...]) -> RunState:
    """A run as it is told."""
    return RunState(*row)
