"""Numbered, forward-only schema steps; every room keeps its own count in the shared file."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

_TABLE: Final = "CREATE TABLE IF NOT EXISTS migrations (room TEXT PRIMARY KEY, steps INTEGER NOT NULL) WITHOUT ROWID"


class StateTooNew(Exception):
    """The state file was written by a newer Flyball; nothing was touched."""


def migrate(connection: sqlite3.Connection, room: str, steps: Sequence[str]) -> None:
    """Bring a room's tables up to the last of its steps, all missing ones in one transaction.

    A step is SQL text of one or more statements; a step that was ever released is never edited, a new one is
    appended. Safe to run from many processes at once: whoever comes second finds nothing left to do.

    Raises:
        StateTooNew: the file has more steps than we know.
        sqlite3.Error: a step failed; none of them was kept.
    """
    if _done(connection, room) == len(steps):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_TABLE)
        done = _done(connection, room)
        if done > len(steps):
            raise StateTooNew(f"the state file has {done} steps of {room}, this version knows {len(steps)}")
        for step in steps[done:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute("INSERT OR REPLACE INTO migrations (room, steps) VALUES (?, ?)", (room, len(steps)))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _done(connection: sqlite3.Connection, room: str) -> int:
    """How many steps of a room the file has."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone() is None:
        return 0
    row = connection.execute("SELECT steps FROM migrations WHERE room = ?", (room,)).fetchone()
    return 0 if row is None else int(row[0])


def _statements(step: str) -> Iterator[str]:
    """The statements of a step one by one: `executescript` would commit the transaction we are in."""
    collected = ""
    for piece in step.split(";"):
        collected += piece
        if not piece.strip() and not collected.strip():
            continue
        # A semicolon inside a text, a comment or a trigger does not end a statement.
        collected += ";"
        if sqlite3.complete_statement(collected):
            yield collected
            collected = ""
    if collected.strip():
        yield collected
