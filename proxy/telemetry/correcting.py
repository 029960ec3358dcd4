"""Reads what may be repriced, page by page, and writes corrections, each batch of them exactly once."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.asyncclient import AsyncClient

from proxy.telemetry.corrections import (
    CorrectionRow,
    RecordedCost,
    RepriceQuery,
    Stretch,
    read_page,
    read_stretches,
    select_attempts,
    select_corrected,
    select_operations,
    select_stretches,
)
from proxy.telemetry.shipping import INSERT_SETTINGS
from proxy.telemetry.spend import Select
from proxy.telemetry.store import StoreAddress, StoreRefused, TelemetryUnavailable, as_store_failures, open_client

PAGE: Final = 5_000
"""Operations that are read and corrected in one go."""
_TIMEOUT_S: Final = 120
_encode = msgspec.json.Encoder().encode


class Corrections:
    """The store as a reprice uses it; `close` gives its connections back.

    Every method raises TelemetryUnavailable while ClickHouse cannot answer.
    """

    def __init__(self, address: StoreAddress, *, page: int = PAGE) -> None:
        self._address = address
        self._page = page
        self._client: AsyncClient | None = None

    async def stretches(self, asked: RepriceQuery) -> list[Stretch]:
        """The orgs and days in which there is something to reprice."""
        return read_stretches(asked, await self._rows(select_stretches(asked)))

    async def pages(self, asked: RepriceQuery, stretch: Stretch) -> AsyncIterator[list[RecordedCost]]:
        """The operations of a stretch, a page at a time."""
        after: tuple[int, str] | None = None
        while operations := await self._rows(select_operations(asked, stretch, after, self._page)):
            first, last = ((row[1], row[0]) for row in (operations[0], operations[-1]))
            attempts = await self._rows(select_attempts(stretch.org, first, last))
            corrected = await self._rows(select_corrected(stretch.org, first, last))
            yield read_page(operations, attempts, corrected)
            if len(operations) < self._page:
                return
            after = last

    async def write(self, content: bytes, token: str) -> None:
        """Insert one batch, lines made by `lines_of`; sent again with the same token it counts once.

        Raises:
            StoreRefused: ClickHouse does not take these rows.
        """
        client = await self._connected()
        with as_store_failures():
            await client.raw_insert(
                "corrections",
                insert_block=content,
                fmt="JSONEachRow",
                settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
            )

    async def close(self) -> None:
        """Give the connections back."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _rows(self, select: Select) -> Sequence[Sequence[Any]]:
        client = await self._connected()
        try:
            with as_store_failures():
                return (await client.query(select.sql, parameters=select.parameters)).result_rows
        except StoreRefused as refused:
            raise TelemetryUnavailable(str(refused)) from None

    async def _connected(self) -> AsyncClient:
        if self._client is None:
            self._client = await open_client(self._address, timeout_s=_TIMEOUT_S)
        return self._client


def lines_of(rows: Sequence[CorrectionRow]) -> bytes:
    """Corrections as `Corrections.write` takes them."""
    return b"".join(_encode(row) + b"\n" for row in rows)
