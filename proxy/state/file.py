"""The state file: how it is opened, changed, watched and checkpointed."""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from proxy.state.faults import StateBusy
from proxy.state.following import Shared
from proxy.state.migrations import migrate
from proxy.state.recording import RecordingConnection

_STEPS: Final = (
    """
    CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL);
    INSERT INTO state (one, generation) VALUES (1, 1);
    """,
    "ALTER TABLE state ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0",
    # How far the journal that hosts share was followed.
    """
    ALTER TABLE state ADD COLUMN journal TEXT NOT NULL DEFAULT '';
    ALTER TABLE state ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
    """,
)
_PATIENCE_MS: Final = 2_000
_RESTART_ABOVE_PAGES: Final = 16_384
Kind = TypeVar("Kind", bound=sqlite3.Connection)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint did: pages in the write-ahead log, how many of them are in the file now, and whether the
    log starts over."""

    log_pages: int
    moved_pages: int
    restarted: bool


class StateFile:
    """One SQLite file in WAL mode, shared by the processes of one host.

    The object is cheap, opens nothing until it is used, may be used from several threads, and opens a connection
    of its own in a process forked after it was made. The file is readable by its owner only.

    With `shared` its changes are those of all hosts: each is made here and on the others, in one order.
    """

    def __init__(self, path: Path, *, shared: Shared | None = None) -> None:
        self.path = path
        self.shared = shared
        self._lock = threading.RLock()
        self._connection: RecordingConnection | None = None
        self._checkpointer: sqlite3.Connection | None = None
        self._pid = 0
        self._seen_version = -1
        self._seen_generation = -1
        self._changed_here = False

    def connect(self, *, busy_ms: int = _PATIENCE_MS) -> sqlite3.Connection:
        """A new connection in autocommit mode that waits up to `busy_ms` for a lock and never checkpoints.

        synchronous=NORMAL: a transaction survives the death of every process; a power cut may take the last ones,
        never the file's consistency.

        Raises:
            sqlite3.Error: the file cannot be opened, or is not a database.
        """
        return self._connect(sqlite3.Connection, busy_ms)

    def _connect(self, kind: type[Kind], busy_ms: int = _PATIENCE_MS) -> Kind:
        self._create()
        connection = sqlite3.connect(
            self.path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False, factory=kind
        )
        assert isinstance(connection, kind)
        try:
            # Each write logs whole pages: measured, small ones halve the log and take a sixth off the ledger's CPU.
            connection.execute("PRAGMA page_size = 2048")
            _to_wal(connection, time.monotonic() + busy_ms / 1000)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def change(self, *, reloads: bool = True) -> Iterator[sqlite3.Connection]:
        """One write transaction; it bumps the generation, so that every process reloads its snapshot, if `reloads`.

        Where the state is shared, what is executed must say all there is to it: ids and times are parameters.
        Blocks for up to 2 s while others write: not for an event loop that serves calls.

        Raises:
            StateBusy: the lock was not to be had.
            StateAway: the state that hosts share is not to be had.
        """
        with self._lock:
            connection = self._own()
            if connection.in_transaction:
                raise RuntimeError("a change of the state file was begun inside another one")
            with self._turn():
                _begin(connection)
                try:
                    yield from self._changing(connection, reloads=reloads)
                    connection.execute("COMMIT")
                except BaseException:
                    _undo(connection)
                    raise
            self._changed_here = True

    def _turn(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self.shared is None else self.shared.journal.turn()

    def _changing(self, connection: RecordingConnection, *, reloads: bool) -> Iterator[sqlite3.Connection]:
        """The change itself; where the state is shared, after those of others and before it is theirs."""
        if self.shared is None:
            yield connection
            moved = reloads
        else:
            moved = self.shared.follow(connection) or reloads
            connection.written = []
            try:
                yield connection
                written = connection.written
            finally:
                connection.written = None
            if written or reloads:
                self.shared.append(connection, written, reloads=reloads)
        if moved:
            connection.execute("UPDATE state SET generation = generation + 1")

    def follow(self) -> bool:
        """Take in what other hosts have changed; whether workers reload for it. Nothing to do where none share.

        Raises:
            StateBusy, StateAway: it could not be looked at or taken in; nothing was changed.
            StateForeign: this host's own state is not part of the shared one.
        """
        with self._lock:
            connection = self._own()
            if self.shared is None or self.shared.is_here(connection):
                return False
            _begin(connection)
            try:
                moved = self.shared.follow(connection)
                if moved:
                    connection.execute("UPDATE state SET generation = generation + 1")
                connection.execute("COMMIT")
            except BaseException:
                _undo(connection)
                raise
            self._changed_here = self._changed_here or moved
            return moved

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent view of the file; inside `change` it is the change's own."""
        with self._lock:
            connection = self._own()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    def generation(self) -> int:
        """The number that every admin change raises by one."""
        with self._lock:
            row = self._own().execute("SELECT generation FROM state").fetchone()
        return int(row[0])

    def changed(self) -> bool:
        """Whether the generation moved since the last time this was asked; true the first time.

        For the one loop of a process that reloads its snapshot: a few microseconds when nothing moved.
        """
        with self._lock:
            version = self._own().execute("PRAGMA data_version").fetchone()[0]
            if version == self._seen_version and not self._changed_here:
                return False
            self._seen_version, self._changed_here = version, False
            # The ledger writes to this file all day; only a new generation concerns a snapshot.
            generation = self.generation()
            moved = generation != self._seen_generation
            self._seen_generation = generation
            return moved

    def checkpoint(self, *, restart_above_pages: int = _RESTART_ABOVE_PAGES) -> Checkpoint:
        """Move the write-ahead log into the file; called about once a second by one process, the supervisor.

        The bulk is moved without stopping anyone. Under steady writing that alone never lets the log start over,
        so above `restart_above_pages` the rest is moved with writers held off, for some milliseconds.

        Raises:
            StateBusy: the log has to start over and the lock was not to be had; the bulk is moved all the same.
        """
        with self._lock:
            log, moved = _move_log(self._own())
            if log <= restart_above_pages:
                return Checkpoint(log, moved, restarted=False)
            return self._restart_log(log)

    def _restart_log(self, log: int) -> Checkpoint:
        """Move all that is left and be the first to write after: the first writer waits for the disk, and that must
        not be a worker's event loop."""
        own = self._own()
        if self._checkpointer is None:
            self._checkpointer = self.connect()
        _begin(own)
        try:
            _, moved = _move_log(self._checkpointer)
        finally:
            own.execute("ROLLBACK")
        # Only a transaction begun after the move starts the log over, and only one that changes something.
        _begin(own)
        own.execute("UPDATE state SET restarts = restarts + 1")
        own.execute("COMMIT")
        left, _ = _move_log(self._checkpointer)
        return Checkpoint(log, moved, restarted=left < log)

    def close(self) -> None:
        """Close our connection; the object can be used again."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
                if self._checkpointer is not None:
                    self._checkpointer.close()
            self._connection = self._checkpointer = None

    def _own(self) -> RecordingConnection:
        """The connection of this object in this process."""
        if self._connection is None or self._pid != os.getpid():
            # One inherited over a fork must neither be used nor closed: it is dropped as it stands.
            self._connection, self._checkpointer = self._connect(RecordingConnection), None
            self._pid = os.getpid()
            self._seen_version = self._seen_generation = -1
            migrate(self._connection, "state", _STEPS)
        return self._connection

    def _create(self) -> None:
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))


def is_busy(error: sqlite3.Error) -> bool:
    """Whether an error only says that another connection holds the lock."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_BUSY


def _begin(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if is_busy(error):
            raise StateBusy("the state file is locked by another process") from error
        raise


def _move_log(connection: sqlite3.Connection) -> tuple[int, int]:
    """Pages in the log, and how many of them are in the file now; stops no reader or writer."""
    _, log, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return log, moved


def _undo(connection: sqlite3.Connection) -> None:
    # Some failures (a full disk) have already rolled back.
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _to_wal(connection: sqlite3.Connection, deadline: float) -> None:
    """Switch a new file to WAL; two processes doing so at once meet a lock that ignores the busy timeout."""
    while True:
        try:
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.005)
