"""The collector's process: opens the store, brings its schema up, says where it is, and ships until told to stop."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proxy.telemetry.collector import Collector
from proxy.telemetry.embedded.server import READER, WRITER, EmbeddedClickHouse
from proxy.telemetry.migrate import migrate
from proxy.telemetry.rows import Table
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.store import (
    READER_PASSWORD,
    WRITER_PASSWORD,
    StoreAddress,
    StoreRefused,
    TelemetryUnavailable,
    own_password,
    store_address,
)

_LOG: Final = logging.getLogger(__name__)
_LONGEST_WAIT_S: Final = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoints:
    """Where ClickHouse answers. `url` has no password; those of the embedded one lie in the state folder.

    `notes` are for the operator: what did not go as set. `reader` is Grafana's user, empty for a store not ours.
    """

    url: str
    database: str
    user: str
    reader: str
    embedded: bool
    notes: tuple[str, ...] = ()


async def run_collector(
    settings: TelemetrySettings,
    folder: Path,
    ready: Callable[[Endpoints], None],
    stop: asyncio.Event,
    decided: Callable[[bytes], Awaitable[None]] | None = None,
    shipped: Callable[[Table, bytes], None] | None = None,
) -> None:
    """Run the collector of the state folder `folder` until `stop`; `ready` is called once it is known
    where ClickHouse is; the embedded one answers then and has its schema. `decided` is told the rows of decisions,
    `shipped` those of all tables, once ClickHouse has them.

    Raises:
        StoreUnavailable: the embedded store cannot be opened (a second owner, no chdb-core, a broken disk).
        SchemaTooNew: the store was written by a newer Flyball.
        ValueError: `settings.url` is no URL.
    """
    spool = folder / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    async with _store(settings, folder) as (address, endpoints):
        if not endpoints.embedded:
            ready(endpoints)  # a server that is away must not keep the others from starting
        if not await _migrated(address, settings, stop):
            return
        if endpoints.embedded:
            ready(endpoints)
        await Collector(spool, address, settings, decided, shipped).run(stop)


@contextlib.asynccontextmanager
async def _store(settings: TelemetrySettings, folder: Path) -> AsyncIterator[tuple[StoreAddress, Endpoints]]:
    """The ClickHouse to ship to: the one that is set, or our own for the length of the block."""
    if settings.url is not None:
        address = store_address(settings, folder)
        yield address, _endpoints(address, embedded=False)
        return
    passwords = {
        WRITER: own_password(folder / WRITER_PASSWORD),
        READER: own_password(folder / READER_PASSWORD),
    }
    async with EmbeddedClickHouse(folder / "clickhouse", settings, passwords) as own:
        address = store_address(settings, folder, own.url)
        yield address, _endpoints(address, embedded=True, notes=tuple(own.notes))


def _endpoints(address: StoreAddress, *, embedded: bool, notes: tuple[str, ...] = ()) -> Endpoints:
    return Endpoints(
        url=address.url,
        database=address.database,
        user=address.user,
        reader=READER if embedded else "",
        embedded=embedded,
        notes=notes,
    )


async def _migrated(address: StoreAddress, settings: TelemetrySettings, stop: asyncio.Event) -> bool:
    """Bring the schema up, waiting for ClickHouse as long as it takes; False when told to stop before."""
    wait = 0.5
    while not stop.is_set():
        try:
            await migrate(address, settings)
            return True
        except (TelemetryUnavailable, StoreRefused) as away:
            _LOG.warning("ClickHouse at %s is not ready, rows wait in the spool: %s", address.url, away)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await stop.wait()
        wait = min(wait * 2, _LONGEST_WAIT_S)
    return False
