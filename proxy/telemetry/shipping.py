"""One parcel becomes one insert, counted once however often it is sent."""

import asyncio
import contextlib
from collections.abc import Mapping
from enum import Enum
from typing import Final

from clickhouse_connect.driver.asyncclient import AsyncClient

from proxy.telemetry.parcels import Parcel
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.store import (
    StoreAddress,
    StoreRefused,
    TelemetryUnavailable,
    as_store_failures,
    open_client,
)

INSERT_SETTINGS: Final[Mapping[str, int | str]] = {
    # One parcel must be one block, and the block's token is what ClickHouse knows it by when it comes again,
    # in the table and in what hangs on it.
    "input_format_parallel_parsing": 0,
    "max_insert_block_size": 10_000_000,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "async_insert": 0,
    # One thread, and no merging of rows that a view has grouped already: a third less CPU for an insert.
    "max_threads": 1,
    "max_insert_threads": 1,
    "optimize_on_insert": 0,
    # On a cluster: DONE is to mean that the shards have it.
    "distributed_foreground_insert": 1,
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
    """What became of one attempt to send a parcel."""

    DONE = "done"
    AWAY = "away"
    REFUSED = "refused"


class Shipper:
    """Sends parcels; keeps one client as long as it works."""

    def __init__(self, address: StoreAddress, settings: TelemetrySettings) -> None:
        self._address = address
        self._settings = settings
        self._client: AsyncClient | None = None
        self._opening = asyncio.Lock()
        self.last_error = ""

    async def ship(self, parcel: Parcel, content: bytes) -> Shipped:
        """Insert a parcel's rows as one block; DONE also when ClickHouse had them already."""
        try:
            if content:
                await self._insert(parcel, content)
        except TelemetryUnavailable as away:
            self.last_error = away.message
            await self.close()
            return Shipped.AWAY
        except StoreRefused as refused:
            self.last_error = str(refused)
            return Shipped.AWAY if refused.code in _NOT_THE_CONTENTS_FAULT else Shipped.REFUSED
        return Shipped.DONE

    async def close(self) -> None:
        """Give the client's connections back."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                await client.close()

    async def _insert(self, parcel: Parcel, content: bytes) -> None:
        client = await self._connected()
        with as_store_failures():
            await client.raw_insert(
                parcel.table.value,
                insert_block=content,
                fmt="JSONEachRow",
                settings={**INSERT_SETTINGS, "insert_deduplication_token": parcel.token},
            )

    async def _connected(self) -> AsyncClient:
        async with self._opening:
            if self._client is None:
                self._client = await open_client(self._address, timeout_s=self._settings.insert_timeout_s)
            return self._client
