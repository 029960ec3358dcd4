"""The chdb engine: one per process, one owner per folder, a few connections in threads.

The engine must be opened after the last fork of this process: a query in a forked child hangs.
"""

import asyncio
import queue
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

from proxy.telemetry.embedded.guard import refusal
from proxy.telemetry.embedded.statement import Statement, quoted

_CODE: Final = re.compile(r"Code: (\d+)")
_LOCKED: Final = "Error initializing EmbeddedServer"


class StoreUnavailable(RuntimeError):
    """The embedded ClickHouse cannot be opened; the message says why and what to do."""


class EngineError(Exception):
    """The engine refused a statement; `code` is ClickHouse's error number."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the engine gave back; `format` is None when there is no result set."""

    content: bytes = b""
    format: str | None = None
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0


class _Result(Protocol):
    def bytes(self) -> bytes | None: ...
    def rows_read(self) -> int: ...
    def bytes_read(self) -> int: ...


class _Written(Protocol):
    rows_written: int
    bytes_written: int


class _Inserter(Protocol):
    def append(self, data: bytes) -> None: ...
    def finish(self) -> _Written: ...
    def cancel(self) -> None: ...


class _Connection(Protocol):
    def query(self, query: str, format: str = ..., params: Mapping[str, str] | None = ...) -> _Result: ...
    def send_insert(self, query: str, format: str = ...) -> _Inserter: ...
    def close(self) -> None: ...


class _Session:
    """One connection with its standing settings; used by one thread at a time."""

    def __init__(self, connection: _Connection, standing: Mapping[str, str]) -> None:
        self._connection = connection
        self._standing = standing
        self._database = ""
        if standing:
            self._query(_set(standing))

    def run(self, statement: Statement) -> Answer:
        """Run one statement under its own settings, and leave none of them behind.

        Raises:
            EngineError: as ClickHouse words it.
        """
        if statement.only_for_sessions:
            return Answer()
        self._use(statement.database)
        if not statement.settings:
            return self._run(statement)
        try:
            self._query(_set(statement.settings))
            return self._run(statement)
        finally:
            self._restore(statement.settings)

    def canonical(self, statement: Statement) -> str:
        """The statement as the engine itself would write it: one statement, no comments, plain quotes."""
        sql = statement.sql.strip().rstrip(";")
        escaped = sql.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
        written = self._query("SELECT formatQuerySingleLine({sql:String})", "RawBLOB", {"sql": escaped})
        return (written.bytes() or b"").decode()

    def close(self) -> None:
        self._connection.close()

    def _use(self, database: str) -> None:
        if database != self._database:
            self._query(f"USE `{database.replace('`', '')}`")
            self._database = database

    def _restore(self, settings: Iterable[str]) -> None:
        for name in settings:
            # A name the engine does not know was refused before; the others must go back in any case.
            with suppress(EngineError):
                self._query(_set({name: self._standing.get(name)}))

    def _run(self, statement: Statement) -> Answer:
        if statement.insert_format is not None:
            return self._insert(statement.sql, statement.insert_format, statement.data)
        result = self._query(statement.sql, statement.output_format, statement.parameters)
        content = result.bytes() or b""
        return Answer(
            content=content,
            format=statement.output_format if content or statement.reads else None,
            read_rows=result.rows_read(),
            read_bytes=result.bytes_read(),
        )

    def _insert(self, sql: str, into_format: str, data: bytes) -> Answer:
        try:
            inserter = self._connection.send_insert(sql, into_format)
            try:
                inserter.append(data)
                written = inserter.finish()
            finally:
                inserter.cancel()
        except RuntimeError as refused:
            raise _engine_error(refused) from None
        return Answer(written_rows=written.rows_written, written_bytes=written.bytes_written)

    def _query(self, sql: str, output: str = "TabSeparated", parameters: Mapping[str, str] | None = None) -> _Result:
        try:
            return self._connection.query(sql, output, dict(parameters or {}))
        except RuntimeError as refused:
            raise _engine_error(refused) from None


class Lane:
    """A fixed number of sessions with the same rights; a statement waits for a free one, never on the loop."""

    def __init__(self, sessions: list[_Session], *, guarded: bool, table_functions: frozenset[str]) -> None:
        self._sessions: queue.SimpleQueue[_Session] = queue.SimpleQueue()
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

    def _check(self, session: _Session, statement: Statement) -> None:
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
            [_Session(each, self._limits(reading=False)) for each in [first, *self._more(bounds.threads - 1)]],
            guarded=False,
            table_functions=functions,
        )
        self.reading = Lane(
            [_Session(each, self._limits(reading=True)) for each in self._more(max(2, bounds.threads // 2))],
            guarded=True,
            table_functions=functions,
        )

    def close(self) -> None:
        """End all queries and give the folder free."""
        self.reading.close()
        self.full.close()

    def _more(self, count: int) -> list[_Connection]:
        return [self._connect() for _ in range(count)]

    def _connect(self) -> _Connection:
        try:
            import chdb  # noqa: PLC0415 - half a gigabyte that only the collector's process loads
        except ImportError as missing:
            raise StoreUnavailable(f"the embedded ClickHouse needs the package chdb-core: {missing}") from missing
        ceiling = self._bounds.memory_bytes
        options = (
            f"max_server_memory_usage={ceiling}&mark_cache_size={ceiling // 16}&index_mark_cache_size={ceiling // 32}"
        )
        try:
            return cast(_Connection, chdb.connect(f"{self._folder}?{options}"))
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


def _hide_file_system(connection: _Connection) -> None:
    """Replace the embedded build's `default` database, in which every file of the machine is a table."""
    connection.query("DROP DATABASE IF EXISTS default", "TabSeparated")
    connection.query("CREATE DATABASE default ENGINE = Memory", "TabSeparated")


def _set(settings: Mapping[str, str | None]) -> str:
    """A SET statement; None = back to the engine's default. `readonly` goes last: nothing can be set after it."""
    names = sorted(settings, key=lambda name: name == "readonly")
    values = ((name, settings[name]) for name in names)
    return "SET " + ", ".join(f"{name} = {'DEFAULT' if value is None else quoted(value)}" for name, value in values)


def _engine_error(refused: RuntimeError) -> EngineError:
    text = str(refused)
    found = _CODE.search(text)
    return EngineError(text[found.start() :] if found else text, int(found[1]) if found else 1001)
