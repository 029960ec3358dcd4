"""The chdb engine: one per process, one owner per folder, a few connections in threads.

The engine must be opened after the last fork of this process: a query in a forked child hangs.
"""

import asyncio
import os
import queue
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

from proxy.telemetry.backups import FOLDER as BACKUPS
from proxy.telemetry.embedded.guard import Names, refusal
from proxy.telemetry.embedded.held import HeldSessions
from proxy.telemetry.embedded.reader_settings import SettingRefused, permitted
from proxy.telemetry.embedded.session import Answer, Connection, EngineError, Session
from proxy.telemetry.embedded.statement import Statement

_LOCKED: Final = "Error initializing EmbeddedServer"


class StoreUnavailable(RuntimeError):
    """The embedded ClickHouse cannot be opened; the message says why and what to do."""


class Lane:
    """A fixed number of sessions with the same rights; a statement waits for a free one, never on the loop."""

    def __init__(self, sessions: list[Session]) -> None:
        self._sessions: queue.SimpleQueue[Session] = queue.SimpleQueue()
        for session in sessions:
            self._sessions.put(session)
        self._all = sessions
        self._threads = ThreadPoolExecutor(len(sessions), thread_name_prefix="clickhouse")

    async def run(self, statement: Statement) -> Answer:
        """Run one statement in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.run_here, statement)

    def run_here(self, statement: Statement) -> Answer:
        """Run one statement in this thread.

        Raises:
            EngineError: as ClickHouse words it, or as the guard does.
        """
        session = self._sessions.get()
        try:
            return self._run(session, statement)
        finally:
            self._sessions.put(session)

    def close(self) -> None:
        """End the threads, then the connections."""
        self._threads.shutdown(wait=True)
        for session in self._all:
            session.close()

    def _run(self, session: Session, statement: Statement) -> Answer:
        return session.run(statement)


class FullLane(Lane):
    """The lane of the user who may do everything, with sessions for clients that need them."""

    def __init__(self, sessions: list[Session], held: HeldSessions) -> None:
        super().__init__(sessions)
        self._held = held

    def close(self) -> None:
        """As Lane.close, and end the clients' sessions."""
        super().close()
        self._held.close()

    def _run(self, session: Session, statement: Statement) -> Answer:
        with self._held.of(statement) as own:
            return (own or session).run(statement)


class ReadingLane(Lane):
    """The lane of the read-only user: every statement is looked at first, and settings are only the permitted ones."""

    def __init__(
        self, sessions: list[Session], names: Names, databases: frozenset[str], open_session: Callable[..., Session]
    ) -> None:
        """`open_session` opens one more session with these settings beside the standing ones."""
        super().__init__(sessions)
        self._names = names
        self._databases = databases
        self._open_session = open_session

    def _run(self, session: Session, statement: Statement) -> Answer:
        if (why := self._refusal(session, statement)) is not None:
            raise EngineError(f"Code: 497. DB::Exception: read-only user: {why}. (ACCESS_DENIED)", 497)
        if not statement.settings:
            return session.run(statement)
        try:
            settings = permitted(statement.settings, session.standing)
        except SettingRefused as refused:
            raise EngineError(f"Code: 164. DB::Exception: {refused}. (READONLY)", 164) from None
        # A read-only session takes no setting any more, so this statement has one of its own.
        own = self._open_session(settings)
        try:
            return own.run(replace(statement, settings={}))
        finally:
            own.close()

    def _refusal(self, session: Session, statement: Statement) -> str | None:
        if statement.insert_format is not None:
            return "INSERT is not allowed"
        if statement.database not in self._databases:
            return f"the database {statement.database[:40]!r} is not allowed"
        return refusal(session.canonical(statement), self._names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What one engine and one query may take: bytes, seconds, threads."""

    memory_bytes: int
    query_s: int
    result_bytes: int
    threads: int


class Engine:
    """The opened engine: `full` runs anything, `reading` is for the read-only user."""

    def __init__(self, folder: Path, bounds: Bounds, *, database: str) -> None:
        """Open or create the store in `folder`, with `database` in it.

        Raises:
            StoreUnavailable: chdb is not installed, or another process owns the folder.
        """
        self._folder = folder
        self._bounds = bounds
        # Kept open, so that the engine stays when a session opens its connection anew.
        self._keeper = self._connect()
        _hide_file_system(self._keeper)
        self._keeper.query(f"CREATE DATABASE IF NOT EXISTS `{database.replace('`', '')}`", "TabSeparated")
        limits = self._limits(reading=False)
        self.full = FullLane(
            [Session(self._connect, limits) for _ in range(bounds.threads)],
            HeldSessions(lambda: Session(self._connect, limits, is_held=True)),
        )
        self.reading = ReadingLane(
            [self._reader({}) for _ in range(max(2, bounds.threads // 2))],
            _names(self._keeper),
            frozenset({database, "default"}),
            self._reader,
        )

    def close(self) -> None:
        """End all queries and give the folder free."""
        self.reading.close()
        self.full.close()
        self._keeper.close()

    def _reader(self, settings: Mapping[str, str]) -> Session:
        return Session(self._connect, {**self._limits(reading=True), **settings})

    def _connect(self) -> Connection:
        try:
            import chdb  # noqa: PLC0415 - half a gigabyte that only the collector's process loads
        except ImportError as missing:
            raise StoreUnavailable(f"the embedded ClickHouse needs the package chdb-core: {missing}") from missing
        ceiling = self._bounds.memory_bytes
        options = (
            f"max_server_memory_usage={ceiling}&mark_cache_size={ceiling // 16}&index_mark_cache_size={ceiling // 32}"
            f"&backups.allowed_path={self._folder.parent / BACKUPS}"
        )
        try:
            return cast(Connection, chdb.connect(f"{self._folder}?{options}"))
        except RuntimeError as why:
            raise StoreUnavailable(self._explain(str(why))) from None

    def _explain(self, why: str) -> str:
        if _LOCKED in why:
            return (
                f"the ClickHouse store {self._folder} cannot be opened: another process owns it (only one collector "
                "may run on a state folder) or it cannot be written"
            )
        return f"the ClickHouse store {self._folder} cannot be opened: {why}"

    def _limits(self, *, reading: bool) -> dict[str, str]:
        limits = {
            "max_memory_usage": str(self._bounds.memory_bytes // (4 if reading else 2)),
            "max_result_bytes": str(self._bounds.result_bytes),
            "result_overflow_mode": "throw",
            "max_execution_time": str(self._bounds.query_s),
            "max_threads": str(os.cpu_count() or 1),
            "timeout_overflow_mode": "throw",
            # A query that spills would fill the disk the spool lives on.
            "max_bytes_ratio_before_external_group_by": "0",
            "max_bytes_ratio_before_external_sort": "0",
        }
        return {**limits, "readonly": "1"} if reading else limits


def _hide_file_system(connection: Connection) -> None:
    """Replace the embedded build's `default` database, in which every file of the machine is a table."""
    connection.query("DROP DATABASE IF EXISTS default", "TabSeparated")
    connection.query("CREATE DATABASE default ENGINE = Memory", "TabSeparated")


def _names(connection: Connection) -> Names:
    """What the engine can call: the guard refuses some of it, and needs to know what is a function at all."""
    found = [
        connection.query(f"SELECT lower(name) FROM system.{table}", "TabSeparated").bytes() or b""  # noqa: S608 - ours
        for table in ("table_functions", "functions")
    ]
    table_functions, functions = (frozenset(each.decode().split("\n")) for each in found)
    return Names(table_functions=table_functions, functions=functions)
