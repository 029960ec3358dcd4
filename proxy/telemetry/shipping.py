"""One sealed segment becomes one insert, exactly once however often it is sent."""

import asyncio
import contextlib
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.asyncclient import AsyncClient

from proxy.telemetry.segments import SegmentName
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.store import StoreAddress, StoreRefused, TelemetryUnavailable, as_store_failures, open_client

INSERT_SETTINGS: Final[Mapping[str, int | str]] = {
    # One segment must be one block, and the block's token is what ClickHouse knows it by when it comes again,
    # in the table and in what hangs on it.
    "input_format_parallel_parsing": 0,
    "max_insert_block_size": 10_000_000,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "async_insert": 0,
    "date_time_input_format": "best_effort",
    # A worker of a newer version may write columns that this schema does not have yet.
    "input_format_skip_unknown_fields": 1,
}

_NOT_THE_CONTENTS_FAULT: Final = frozenset(
    {
        60,  # UNKNOWN_TABLE: not migrated yet
        81,  # UNKNOWN_DATABASE
        159,  # TIMEOUT_EXCEEDED
        160,  # TOO_SLOW
        164,  # READONLY
        192,  # UNKNOWN_USER
        193,  # WRONG_PASSWORD
        194,  # REQUIRED_PASSWORD
        198,  # DNS_ERROR
        201,  # QUOTA_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        439,  # CANNOT_SCHEDULE_TASK
        473,  # DEADLOCK_AVOIDED
        497,  # ACCESS_DENIED
        516,  # AUTHENTICATION_FAILED
        999,  # KEEPER_EXCEPTION
    }
)


class Shipped(Enum):
    """What became of one attempt to send a segment."""

    DONE = "done"
    AWAY = "away"
    REFUSED = "refused"
    GONE = "gone"


class Shipper:
    """Sends segments; keeps one client as long as it works."""

    def __init__(self, address: StoreAddress, settings: TelemetrySettings) -> None:
        self._address = address
        self._settings = settings
        self._client: AsyncClient | None = None
        self._opening = asyncio.Lock()
        self.last_error = ""

    async def ship(self, name: SegmentName, path: Path) -> tuple[Shipped, int]:
        """Insert a whole segment and delete it; how it went, and the rows in it. The file stays unless it is done."""
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            return Shipped.GONE, 0
        rows = content.count(b"\n")
        try:
            if rows:
                await self._insert(name, content)
        except TelemetryUnavailable as away:
            self.last_error = away.message
            await self.close()
            return Shipped.AWAY, rows
        except StoreRefused as refused:
            self.last_error = str(refused)
            return (Shipped.AWAY if refused.code in _NOT_THE_CONTENTS_FAULT else Shipped.REFUSED), rows
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return Shipped.DONE, rows

    async def close(self) -> None:
        """Give the client's connections back."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                await client.close()

    async def _insert(self, name: SegmentName, content: bytes) -> None:
        client = await self._connected()
        token = f"{name}/{name.table}"
        with as_store_failures():
            await client.raw_insert(
                name.table.value,
                insert_block=content,
                fmt="JSONEachRow",
                settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
            )

    async def _connected(self) -> AsyncClient:
        async with self._opening:
            if self._client is None:
                self._client = await open_client(self._address, timeout_s=self._settings.insert_timeout_s)
            return self._client
