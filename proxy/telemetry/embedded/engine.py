"""The chdb engine: one per process, one owner per folder, a few connections in threads.

The engine must be opened after the last fork of this process: a query in a forked child hangs.
"""

import asyncio
import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from proxy.telemetry.embedded.guard import refusal
from proxy.telemetry.embedded.session import Answer, Connection, EngineError, Session
from proxy.telemetry.embedded.statement import Statement

_LOCKED: Final = "Error initializing EmbeddedServer"


class StoreUnavailable(RuntimeError):
    """The embedded ClickHouse cannot be opened; the message says why and what to do."""


class Lane:
    """A fixed number of sessions with the same rights; a statement waits for a free one, never on the loop."""

    def __init__(self, sessions: list[Session], *, guarded: bool, table_functions: frozenset[str]) -> None:
        self._sessions: queue.SimpleQueue[Session] = queue.SimpleQueue()
        for session in sessions:
            self._sessions.put(session)
        self._all = sessions
        self._guarded = guarded
        self._table_functions = table_functions
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
            if self._guarded:
                self._check(session, statement)
            return session.run(statement)
        finally:
            self._sessions.put(session)

    def close(self) -> None:
        """End the threads, then the connections."""
        self._threads.shutdown(wait=True)
        for session in self._all:
            session.close()

    def _check(self, session: Session, statement: Statement) -> None:
        why = (
            "INSERT is not allowed"
            if statement.insert_format is not None
            else refusal(session.canonical(statement), self._table_functions)
        )
        if why is not None:
            raise EngineError(f"Code: 497. DB::Exception: read-only user: {why}. (ACCESS_DENIED)", 497)


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
        first = self._connect()
        _hide_file_system(first)
        first.query(f"CREATE DATABASE IF NOT EXISTS `{database.replace('`', '')}`", "TabSeparated")
        names = first.query("SELECT lower(name) FROM system.table_functions", "TabSeparated").bytes() or b""
        functions = frozenset(names.decode().split())
        self.full = Lane(
            [Session(each, self._limits(reading=False)) for each in [first, *self._more(bounds.threads - 1)]],
            guarded=False,
            table_functions=functions,
        )
        self.reading = Lane(
            [Session(each, self._limits(reading=True)) for each in self._more(max(2, bounds.threads // 2))],
            guarded=True,
            table_functions=functions,
        )

    def close(self) -> None:
        """End all queries and give the folder free."""
        self.reading.close()
        self.full.close()

    def _more(self, count: int) -> list[Connection]:
        return [self._connect() for _ in range(count)]

    def _connect(self) -> Connection:
        try:
            import chdb  # noqa: PLC0415 - half a gigabyte that only the collector's process loads
        except ImportError as missing:
            raise StoreUnavailable(f"the embedded ClickHouse needs the package chdb-core: {missing}") from missing
        ceiling = self._bounds.memory_bytes
        options = (
            f"max_server_memory_usage={ceiling}&mark_cache_size={ceiling // 16}&index_mark_cache_size={ceiling // 32}"
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
