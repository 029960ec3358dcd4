"""The one order in which the admin state changes on several hosts: what a journal of it promises, and its entries."""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec

from proxy.state.faults import StateAway

Statement: TypeAlias = tuple[str, Any]
"""SQL and its parameters. What it does follows from these and the tables alone: no clock, no chance."""
_OWN_TABLES: Final = frozenset({"state", "migrations", "sqlite_sequence", "sqlite_stat1"})


class Place(NamedTuple):
    """How far a host has followed: the journal's id (empty: none yet) and the entries of it that were taken in."""

    journal: str
    position: int


class News(NamedTuple):
    """What a journal has beyond a place. `head` counts all its entries; before `base` only a snapshot is left.

    `came_from` is the place of the host that began it anew after another one was lost.
    """

    journal: str
    head: int
    base: int
    entries: Sequence[bytes]
    came_from: Place


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One change: its statements in order, and whether workers must reload for it."""

    statements: list[tuple[str, Any]]
    reloads: bool


class TableDump(msgspec.Struct, frozen=True, array_like=True):
    """All rows of a table."""

    name: str
    columns: list[str]
    rows: list[list[Any]]


class JournalMoved(Exception):
    """Others have appended since; nothing was appended."""


class Journal(Protocol):
    """Entries in one order for all hosts. Every method blocks; all raise StateAway when it cannot be reached."""

    def turn(self) -> AbstractContextManager[None]:
        """Be the only host that changes the state, for a moment; what keeps it exact is `append`'s position."""
        ...

    def news(self, place: Place) -> News | None:
        """What stands behind a place, some hundred entries at most; None while there is no journal."""
        ...

    def begin(self, dump: bytes, came_from: Place) -> Place | None:
        """Begin a journal with a snapshot and give its beginning; None, and nothing done, if there is one already.

        One that lost its end since `came_from` is replaced.
        """
        ...

    def append(self, place: Place, entry: bytes) -> int:
        """Append behind exactly that place; the new position.

        Raises:
            JournalMoved: there is something behind it already.
        """
        ...

    def snapshot(self, journal: str, base: int) -> bytes | None:
        """The dump at `base`; None when it has been replaced by a later one."""
        ...

    def compact(self, place: Place, dump: bytes) -> None:
        """Let a dump stand for all entries up to a place, if that is the journal's end still."""
        ...


def packed(statements: Sequence[Statement], *, reloads: bool) -> bytes:
    """An entry as it is kept."""
    return msgspec.msgpack.encode(Entry(list(statements), reloads))


def replay(connection: sqlite3.Connection, entry: bytes) -> bool:
    """Do what an entry says; whether workers must reload.

    Raises:
        StateAway: it cannot be done here: a newer Flyball wrote it.
    """
    try:
        said = msgspec.msgpack.decode(entry, type=Entry)
        for sql, values in said.statements:
            connection.execute(sql, values)
    except (msgspec.MsgspecError, sqlite3.OperationalError, sqlite3.IntegrityError) as error:
        raise StateAway(
            f"the shared admin state has a change that this version cannot follow ({error}): run the same version "
            "on all hosts"
        ) from error
    return said.reloads


def dump(connection: sqlite3.Connection, local: frozenset[str]) -> bytes:
    """All rows of all tables but those that are this host's own."""
    tables = []
    for name in _shared_tables(connection, local):
        cursor = connection.execute(f"SELECT * FROM {name}")  # noqa: S608 - names of our own tables
        columns = [column[0] for column in cursor.description]
        tables.append(TableDump(name, columns, [list(row) for row in cursor]))
    return msgspec.msgpack.encode(tables)


def load(connection: sqlite3.Connection, dumped: bytes, local: frozenset[str]) -> None:
    """Let the shared tables be what a dump says, in the transaction that is open."""
    connection.execute("PRAGMA defer_foreign_keys = ON")
    for name in _shared_tables(connection, local):
        connection.execute(f"DELETE FROM {name}")  # noqa: S608 - as above
    for table in msgspec.msgpack.decode(dumped, type=list[TableDump]):
        marks = ", ".join("?" * len(table.columns))
        insert = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({marks})"  # noqa: S608 - as above
        try:
            for row in table.rows:
                connection.execute(insert, row)
        except sqlite3.OperationalError as error:
            raise StateAway(f"the shared admin state is of a newer version ({error}): update this host") from error


def _shared_tables(connection: sqlite3.Connection, local: frozenset[str]) -> list[str]:
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return [name for name in names if name not in local and name not in _OWN_TABLES]
