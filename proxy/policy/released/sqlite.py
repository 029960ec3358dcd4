"""Released calls in the state file, shared by the workers of one host."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

from proxy.policy.released.book import KEPT_NS, MOST_OF_A_RUN, ReleasedCalls, ReleasedUnavailable
from proxy.state import StateFile, migrate

MOST: Final = 200_000
"""Calls of all runs that are remembered, at about 100 bytes each; beyond it the oldest are forgotten."""
_BUSY_MS: Final = 1_000
_PRUNE_EVERY: Final = 256
_SPARE: Final = 8
"""A run is shortened when it is over its bound by this part of it: each time takes as long as it has calls."""
_STEPS: Final = (
    """
    CREATE TABLE released_calls (
        run   BLOB NOT NULL,
        call  BLOB NOT NULL,
        at_ns INTEGER NOT NULL,
        PRIMARY KEY (run, call)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX released_calls_by_age ON released_calls (at_ns);
    """,
)
_NOTE: Final = "INSERT OR REPLACE INTO released_calls (run, call, at_ns) VALUES (?, ?, ?)"
_ONE: Final = "SELECT 1 FROM released_calls WHERE run = ? AND call = ? AND at_ns > ?"
_SHORTEN: Final = """DELETE FROM released_calls WHERE run = ?1 AND call NOT IN
    (SELECT call FROM released_calls WHERE run = ?1 ORDER BY at_ns DESC LIMIT ?2)"""
_TOO_MANY: Final = "SELECT at_ns FROM released_calls ORDER BY at_ns DESC LIMIT 1 OFFSET ?"
_FORGET: Final = "DELETE FROM released_calls WHERE at_ns <= ?"


class SqliteReleasedCalls:
    """See ReleasedCalls. Opens its connection when it is first used."""

    def __init__(self, state: StateFile, *, most: int = MOST) -> None:
        self._state = state
        self._most = most
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._noted = 0
        with closing(state.connect()) as connection:
            migrate(connection, "released", _STEPS)

    def note(self, run: bytes, calls: Sequence[bytes], now_ns: int, most: int = MOST_OF_A_RUN) -> None:
        """See ReleasedCalls."""
        with self._asked() as connection:
            self._noted += len(calls)
            forget_ns = self._oldest(connection, now_ns) if self._noted >= _PRUNE_EVERY else 0
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(_NOTE, [(run, call, now_ns) for call in calls])
                of_run = connection.execute("SELECT count(*) FROM released_calls WHERE run = ?", (run,))
                if of_run.fetchone()[0] > most + most // _SPARE:
                    connection.execute(_SHORTEN, (run, most))
                if forget_ns:
                    self._noted = 0
                    connection.execute(_FORGET, (forget_ns,))
                connection.execute("COMMIT")
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def given(self, run: bytes, calls: Sequence[bytes], now_ns: int) -> frozenset[bytes]:
        """See ReleasedCalls."""
        since_ns = now_ns - KEPT_NS
        with self._asked() as connection:
            return frozenset(
                call for call in calls if connection.execute(_ONE, (run, call, since_ns)).fetchone() is not None
            )

    def close(self) -> None:
        """See ReleasedCalls."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

    def _oldest(self, connection: sqlite3.Connection, now_ns: int) -> int:
        """Up to when calls are to be forgotten; looked up before the lock is taken, which the ledger waits for."""
        too_many = connection.execute(_TOO_MANY, (self._most,)).fetchone()
        return max(now_ns - KEPT_NS, too_many[0] if too_many else 0)

    @contextmanager
    def _asked(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None or self._pid != os.getpid():
                    self._connection, self._pid = self._state.connect(busy_ms=_BUSY_MS), os.getpid()
                yield self._connection
            except sqlite3.Error as error:
                raise ReleasedUnavailable(f"the state file: {error}") from error


_: type[ReleasedCalls] = SqliteReleasedCalls
