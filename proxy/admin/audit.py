"""The trail of changes in the state file, each entry chained to the one before it; from here it is spooled."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from proxy.admin.chain import Entry, hash_of
from proxy.admin.rooms import AuditLog, Change
from proxy.admin.tables import Tables
from proxy.core.chain import GENESIS

_LAST: Final = 2**63 - 1
_COLUMNS: Final = "at_ns, actor, role, action, subject, org, team, before, after"
_MOST: Final = 5000


class StateAuditLog:
    """Who changed what and when, in table `audit`. Where hosts share the admin state it is one chain for all."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def append(self, change: Change) -> None:
        """Keep a change."""
        with self._tables.write() as connection:
            number, previous = _head(connection)
            values = (number + 1, *_values(change), previous, hash_of(number + 1, change, previous))
            connection.execute(
                "INSERT INTO audit (number, at_ns, actor, role, action, subject, org, team, before, after,"
                " previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )

    def newest(
        self, *, before: int | None, org: str | None, team: str | None, filters: Mapping[str, str], limit: int
    ) -> Sequence[tuple[int, Change]]:
        """Changes with their numbers, newest first; `filters` are exact values of actor, action and subject."""
        actor, action, subject = (filters.get(name) for name in ("actor", "action", "subject"))
        with self._tables.read() as connection:
            rows = connection.execute(
                "SELECT number, at_ns, actor, role, action, subject, org, team, before, after FROM audit"
                " WHERE number < ? AND (?2 IS NULL OR org = ?2) AND (?3 IS NULL OR team = ?3)"
                " AND (?4 IS NULL OR actor = ?4) AND (?5 IS NULL OR action = ?5) AND (?6 IS NULL OR subject = ?6)"
                " ORDER BY number DESC LIMIT ?7",
                (_LAST if before is None else before, org, team, actor, action, subject, limit),
            ).fetchall()
        return [(row[0], _change(row[1:])) for row in rows]

    def entries(self, after: int, limit: int = _MOST) -> list[Entry]:
        """The entries behind a number, in order; what was never chained has no hash."""
        with self._tables.read() as connection:
            return _entries(connection, after, limit)

    def head_number(self) -> int:
        """The number of the last entry, 0 where there is none."""
        with self._tables.read() as connection:
            row = connection.execute("SELECT max(number) FROM audit").fetchone()
        return row[0] or 0

    def chain_up(self) -> None:
        """Chain entries that were made before there was a chain; nothing to do where there are none."""
        with self._tables.read() as connection:
            if connection.execute("SELECT 1 FROM audit WHERE hash IS NULL LIMIT 1").fetchone() is None:
                return
        with self._tables.write() as connection:
            _chain_up(connection)


def _head(connection: sqlite3.Connection) -> tuple[int, str]:
    """Number and hash of the last entry, whatever was not chained before it being chained now."""
    row = connection.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    if row is None:
        return 0, GENESIS
    return row[0], row[1] if row[1] is not None else _chain_up(connection)


def _chain_up(connection: sqlite3.Connection) -> str:
    """Give every entry without a hash one; the hash of the last entry."""
    number, previous = 0, GENESIS
    while entries := _entries(connection, number, _MOST):
        for entry in entries:
            own = entry.hash
            if not own:
                own = hash_of(entry.number, entry.change, previous)
                connection.execute(
                    "UPDATE audit SET previous = ?, hash = ? WHERE number = ?", (previous, own, entry.number)
                )
            number, previous = entry.number, own
    return previous


def _entries(connection: sqlite3.Connection, after: int, limit: int) -> list[Entry]:
    rows = connection.execute(
        f"SELECT number, {_COLUMNS}, previous, hash FROM audit WHERE number > ? ORDER BY number LIMIT ?",  # noqa: S608
        (after, limit),
    ).fetchall()
    return [Entry(row[0], _change(row[1:-2]), row[-2] or "", row[-1] or "") for row in rows]


def _values(change: Change) -> tuple[object, ...]:
    return (
        *(change.at_ns, change.actor, change.role, change.action, change.subject),
        *(change.org, change.team, change.before, change.after),
    )


def _change(row: Sequence[object]) -> Change:
    names = ("at_ns", "actor", "role", "action", "subject", "org", "team", "before", "after")
    return Change(**dict(zip(names, row, strict=True)))  # type: ignore[arg-type]  # columns in the order of the fields


_: type[AuditLog] = StateAuditLog
