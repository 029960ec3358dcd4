"""One connection to the engine and how a statement runs on it."""

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
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
    def rows_written(self) -> int: ...
    def bytes_written(self) -> int: ...


class Connection(Protocol):
    def query(self, query: str, format: str = ..., params: Mapping[str, str] | None = ...) -> _Result: ...
    def close(self) -> None: ...


class Session:
    """One connection with its standing settings; used by one thread at a time."""

    def __init__(
        self, connect: Callable[[], Connection], standing: Mapping[str, str], *, is_held: bool = False
    ) -> None:
        """`is_held`: it is a client's own, and keeps what `SET` and temporary tables make of it."""
        self._is_held = is_held
        self._connect = connect
        self.standing = standing
        self._open()

    def run(self, statement: Statement) -> Answer:
        """Run one statement under its own settings, and leave none of them behind.

        Raises:
            EngineError: as ClickHouse words it.
        """
        if statement.only_for_sessions and not self._is_held:
            return Answer()
        try:
            return self._run_under_settings(statement)
        except EngineError:
            # What an answer was when it failed stays in the connection, and would stand before the next answer.
            self._forget_answer()
            raise

    def _forget_answer(self) -> None:
        if self._is_held:
            self._query("SELECT 1")
        else:
            self._connection.close()
            self._open()

    def _open(self) -> None:
        self._connection = self._connect()
        self._database = ""
        if self.standing:
            self._query(_set(self.standing))

    def _run_under_settings(self, statement: Statement) -> Answer:
        self._use(statement.database)
        if not statement.settings:
            return self._run(statement)
        before = self._present(statement.settings) if self._is_held else self.standing
        try:
            self._query(_set(statement.settings))
            return self._run(statement)
        finally:
            self._restore(statement.settings, before)

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

    def _present(self, names: Iterable[str]) -> dict[str, str]:
        """What these settings are now, of those that were ever set."""
        asked = "SELECT name, value FROM system.settings WHERE changed"
        rows = (self._query(asked, "JSONCompactEachRow").bytes() or b"").splitlines()
        changed: dict[str, str] = dict(json.loads(row) for row in rows)
        return {name: changed[name] for name in names if name in changed}

    def _restore(self, settings: Iterable[str], before: Mapping[str, str]) -> None:
        for name in settings:
            # A name the engine does not know was refused before; the others must go back in any case.
            with suppress(EngineError):
                self._query(_set({name: before.get(name)}))

    def _run(self, statement: Statement) -> Answer:
        if statement.insert_format is not None:
            return self._insert(statement, statement.insert_format)
        result = self._query(statement.sql, statement.output_format, statement.parameters)
        content = result.bytes() or b""
        return Answer(
            content=content,
            format=statement.output_format if content or statement.reads else None,
            read_rows=result.rows_read(),
            read_bytes=result.bytes_read(),
        )

    def _insert(self, statement: Statement, into_format: str) -> Answer:
        # Not send_insert of chdb: it says nothing when a materialised view fails, and leaves every view out.
        with _as_file(statement.data) as path:
            source = f"FROM INFILE {quoted(path)} COMPRESSION 'none' {statement.insert_settings}"
            result = self._query(f"{statement.sql} {source} FORMAT {into_format}")
        return Answer(written_rows=result.rows_written(), written_bytes=result.bytes_written())

    def _query(self, sql: str, output: str = "TabSeparated", parameters: Mapping[str, str] | None = None) -> _Result:
        try:
            return self._connection.query(sql, output, dict(parameters or {}))
        except RuntimeError as refused:
            raise _engine_error(refused) from None


@contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """The rows as a file, in memory where the system has such, for as long as the engine reads it."""
    if sys.platform != "linux":
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("rows", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _set(settings: Mapping[str, str | None]) -> str:
    """A SET statement; None = back to the engine's default. `readonly` goes last: nothing can be set after it."""
    names = sorted(settings, key=lambda name: name == "readonly")
    values = ((name, settings[name]) for name in names)
    return "SET " + ", ".join(f"{name} = {'DEFAULT' if value is None else quoted(value)}" for name, value in values)


def _engine_error(refused: RuntimeError) -> EngineError:
    text = str(refused)
    found = _CODE.search(text)
    return EngineError(text[found.start() :] if found else text, int(found[1]) if found else 1001)
