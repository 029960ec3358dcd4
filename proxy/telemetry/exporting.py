"""A table's rows as one Parquet file, read slice by slice, so that neither side ever holds more than a slice."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from proxy.telemetry.rows import Table
from proxy.telemetry.store import StoreAddress, as_store_failures, connected

if TYPE_CHECKING:
    import pyarrow as pa
    from clickhouse_connect.driver.asyncclient import AsyncClient

EXPORTED: Final = {
    Table.OPERATIONS.value: "charged_at",
    Table.ATTEMPTS.value: "started_at",
    Table.DECISIONS.value: "decided_at",
    Table.TOOL_CALLS.value: "called_at",
    Table.AUDIT.value: "at",
    "spend_quarter_hours": "quarter",
}
"""The tables that can be exported, and what their rows are chosen by."""
_ROWS_A_SLICE: Final = 20_000
_STEP: Final = timedelta(days=1)
_TIMEOUT_S: Final = 120
_PLAIN: Final = {"output_format_arrow_string_as_string": 1, "output_format_arrow_low_cardinality_as_dictionary": 0}
Told: TypeAlias = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """What is exported: rows of `table` from `since` up to, not including, `until` (with a zone); of one org or all."""

    table: str
    since: datetime
    until: datetime
    org: str | None = None

    def __post_init__(self) -> None:
        if self.table not in EXPORTED:
            raise ValueError(f"the table {self.table!r} cannot be exported; these can: {', '.join(EXPORTED)}")
        if self.since >= self.until:
            raise ValueError("there is no time between since and until")

    @property
    def condition(self) -> str:
        """The rows of a slice, with parameters; names come from the closed list above."""
        time = EXPORTED[self.table]
        of_org = " AND org = {org:String}" if self.org is not None else ""
        return f"{time} >= {{start:DateTime64(3, 'UTC')}} AND {time} < {{end:DateTime64(3, 'UTC')}}{of_org}"

    def parameters(self, start: datetime, end: datetime) -> dict[str, object]:
        """The values for `condition`."""
        return {"start": start, "end": end, "org": self.org or ""}


async def export_parquet(address: StoreAddress, export: Export, path: Path, told: Told) -> int:
    """Write the rows, in the order of time's slices, to `path`, whole or not at all; how many they are.

    `told` hears of each slice's number of rows. Decimals stay exact, times are UTC.

    Raises:
        FileExistsError: something stands at `path` already.
        TelemetryUnavailable, StoreRefused: as ClickHouse answers.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - heavy, and only this verb needs it

    draft = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        async with connected(address, timeout_s=_TIMEOUT_S) as client:
            schema = (await _rows(client, export, export.since, export.since)).schema
            with pq.ParquetWriter(draft, schema, compression="zstd") as writer:
                async for rows in _slices(client, export):
                    writer.write_table(rows)
                    count += rows.num_rows
                    told(rows.num_rows)
        # A link never replaces what stands there.
        os.link(draft, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    return count


async def _slices(client: AsyncClient, export: Export) -> AsyncIterator[pa.Table]:
    start = export.since
    while start < export.until:
        end = min(start + _STEP, export.until)
        async for first, last in _spans(client, export, start, end):
            rows = await _rows(client, export, first, last)
            if rows.num_rows:
                yield rows
        start = end


async def _spans(
    client: AsyncClient, export: Export, start: datetime, end: datetime
) -> AsyncIterator[tuple[datetime, datetime]]:
    """Cut a span in halves until a part has few enough rows, or is as short as a millisecond."""
    waiting = [(start, end)]
    while waiting:
        first, last = waiting.pop()
        count = await _count(client, export, first, last)
        half = (last - first) / 2
        middle = (first + half).replace(microsecond=(first + half).microsecond // 1000 * 1000)
        if count <= _ROWS_A_SLICE or not first < middle < last:
            if count:
                yield first, last
        else:
            waiting += [(middle, last), (first, middle)]


async def _count(client: AsyncClient, export: Export, start: datetime, end: datetime) -> int:
    sql = f"SELECT count() FROM {export.table} WHERE {export.condition}"  # noqa: S608 - closed lists
    with as_store_failures():
        return int((await client.query(sql, parameters=export.parameters(start, end))).result_rows[0][0])


async def _rows(client: AsyncClient, export: Export, start: datetime, end: datetime) -> pa.Table:
    order = f"ORDER BY {EXPORTED[export.table]}"
    sql = f"SELECT * FROM {export.table} WHERE {export.condition} {order}"  # noqa: S608 - closed lists
    with as_store_failures():
        return await client.query_arrow(sql, parameters=export.parameters(start, end), settings=_PLAIN)
