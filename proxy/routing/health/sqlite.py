"""Reports on targets in the state file, for the workers of one host."""

import os
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from proxy.core.clock import Clock
from proxy.routing.health.report import Told
from proxy.routing.health.store import KEPT_S, HealthStore, HealthUnavailable
from proxy.state import StateFile, migrate

_BUSY_MS: Final = 200
"""The ledger comes first: what is not told now is told half a second later."""
_STEPS: Final = (
    """
    CREATE TABLE target_health (
        worker TEXT PRIMARY KEY,
        at_ns  INTEGER NOT NULL,
        report BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
)
_TELL: Final = "INSERT OR REPLACE INTO target_health (worker, at_ns, report) VALUES (?, ?, ?)"
_FORGET: Final = "DELETE FROM target_health WHERE at_ns < ?"
_HEAR: Final = "SELECT worker, at_ns, report FROM target_health WHERE at_ns >= ?"


class SqliteHealthStore:
    """See HealthStore. Opens its connection when it is first used."""

    def __init__(self, state: StateFile, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        with closing(state.connect()) as connection:
            migrate(connection, "health", _STEPS)

    def exchange(self, worker: str, report: bytes) -> Sequence[Told]:
        """See HealthStore."""
        now_ns = self._clock.now_ns()
        since_ns = now_ns - int(KEPT_S * 1e9)
        with self._lock:
            try:
                connection = self._own()
                if report:
                    _write(connection, since_ns, (worker, now_ns, report))
                rows = connection.execute(_HEAR, (since_ns,)).fetchall()
            except sqlite3.Error as error:
                raise HealthUnavailable(f"the state file: {error}") from error
        return [Told(name, max(0.0, (now_ns - at_ns) / 1e9), told) for name, at_ns, told in rows]

    def close(self) -> None:
        """See HealthStore."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

    def _own(self) -> sqlite3.Connection:
        if self._connection is None or self._pid != os.getpid():
            self._connection, self._pid = self._state.connect(busy_ms=_BUSY_MS), os.getpid()
        return self._connection


def _write(connection: sqlite3.Connection, since_ns: int, row: tuple[str, int, bytes]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_TELL, row)
        connection.execute(_FORGET, (since_ns,))
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


_: type[HealthStore] = SqliteHealthStore
