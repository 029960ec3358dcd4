"""Backups of the embedded ClickHouse: the whole database as one file, taken while rows go on arriving."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from clickhouse_connect.driver.asyncclient import AsyncClient

from proxy.telemetry.store import StoreAddress, StoreRefused, as_store_failures, connected

FOLDER: Final = "backups"
SUFFIX: Final = ".tar.zst"
_TIMEOUT_S: Final = 60
_LOOK_EVERY_S: Final = 0.2
_FAILED: Final = frozenset({"BACKUP_FAILED", "BACKUP_CANCELLED", "RESTORE_FAILED", "RESTORE_CANCELLED"})
_DONE: Final = frozenset({"BACKUP_CREATED", "RESTORED"})
Told: TypeAlias = Callable[[int], None]


class NotEmpty(Exception):
    """A restore would replace rows; its message says how many."""


async def back_up(address: StoreAddress, home: Path, told: Told) -> Path:
    """Write the database into a new file under `<home>/backups`; `told` hears the bytes that are done.

    Raises:
        TelemetryUnavailable, StoreRefused: as ClickHouse answers.
    """
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}{SUFFIX}"
    async with connected(address, timeout_s=_TIMEOUT_S) as client:
        await _carried_out(client, f"BACKUP DATABASE {_quoted(address.database)} TO File({_literal(path)})", told)
    path.chmod(0o600)
    return path


async def restore(address: StoreAddress, home: Path, source: Path, told: Told) -> None:
    """Replace a database that has no operations by the one in a backup's file.

    Raises:
        NotEmpty: there are operations already.
        TelemetryUnavailable, StoreRefused: as ClickHouse answers.
    """
    database = _quoted(address.database)
    async with connected(address, timeout_s=_TIMEOUT_S, database="default") as client:
        with as_store_failures():
            found = await client.query(f"SELECT count() FROM {database}.operations")  # noqa: S608 - a quoted name
        if count := int(found.result_rows[0][0]):
            raise NotEmpty(f"the store has {count:,} operations already; restore into a new state folder")
        path = await asyncio.to_thread(_staged, source, home / FOLDER)
        try:
            with as_store_failures():
                await client.command(f"DROP DATABASE {database} SYNC")
            await _carried_out(client, f"RESTORE DATABASE {database} FROM File({_literal(path)})", told)
        finally:
            path.unlink()


def _staged(source: Path, folder: Path) -> Path:
    """A copy of a backup where the engine may read it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    return Path(shutil.copyfile(source, folder / f"restoring-{source.name}"))


async def _carried_out(client: AsyncClient, sql: str, told: Told) -> None:
    with as_store_failures():
        answer = await client.command(f"{sql} ASYNC")
    operation = str(answer[0] if isinstance(answer, list) else answer).split()[0]
    while True:
        with as_store_failures():
            found = await client.query(
                "SELECT status, error, greatest(bytes_read, uncompressed_size) FROM system.backups"
                " WHERE id = {id:String}",
                parameters={"id": operation},
            )
        status, error, size = found.result_rows[0]
        told(int(size))
        if status in _FAILED:
            raise StoreRefused(str(error).partition("\n")[0], 0)
        if status in _DONE:
            return
        await asyncio.sleep(_LOOK_EVERY_S)


def _literal(path: Path) -> str:
    """A path as SQL's grammar wants it here, where it takes no parameter."""
    escaped = str(path).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '')}`"
