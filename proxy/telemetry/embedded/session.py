"""One connection to the engine and how a statement runs on it."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from proxy.telemetry.embedded.statement import Statement, quoted

_CODE: Final = re.compile(r"Code: (\d+)")


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


class Connection(Protocol):
    def query(self, query: str, format: str = ..., params: Mapping[str, str] | None = ...) -> _Result: ...
    def send_insert(self, query: str, format: str = ...) -> _Inserter: ...
    def close(self) -> None: ...


class Session:
    """One connection with its standing settings; used by one thread at a time."""

    def __init__(self, connection: Connection, standing: Mapping[str, str]) -> None:
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


def _set(settings: Mapping[str, str | None]) -> str:
    """A SET statement; None = back to the engine's default. `readonly` goes last: nothing can be set after it."""
    names = sorted(settings, key=lambda name: name == "readonly")
    values = ((name, settings[name]) for name in names)
    return "SET " + ", ".join(f"{name} = {'DEFAULT' if value is None else quoted(value)}" for name, value in values)


def _engine_error(refused: RuntimeError) -> EngineError:
    text = str(refused)
    found = _CODE.search(text)
    return EngineError(text[found.start() :] if found else text, int(found[1]) if found else 1001)
