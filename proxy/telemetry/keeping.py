"""What of the store drops when: the partitions of each table, by the retention that is set."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from proxy.telemetry.clustered import everywhere, held
from proxy.telemetry.migrate import migrations
from proxy.telemetry.retention import Retained, retained
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.store import StoreAddress, as_store_failures, connected

_TIMEOUT_S: Final = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """What drops together: a month, week or year of a table. `drops_at` is when its last row is too old."""

    table: str
    partition: str
    days: int
    rows: int
    bytes_on_disk: int
    drops_at: datetime


async def plan_retention(address: StoreAddress, settings: TelemetrySettings) -> list[Partition]:
    """Every partition there is, the next to drop first.

    The last row's time is asked of each partition, since a part drops when all of its rows are too old.

    Raises:
        TelemetryUnavailable, StoreRefused: as ClickHouse answers.
    """
    found: list[Partition] = []
    async with connected(address, timeout_s=_TIMEOUT_S) as client:
        for each in retained(step.sql for step in migrations()):
            days = int(getattr(settings, each.setting))
            with as_store_failures():
                answer = await client.query(
                    _last_rows(each, settings.cluster),
                    parameters={"db": address.database, "t": held(each.table, settings.cluster)},
                )
            found += _read(each, days, answer.result_rows)
    return sorted(found, key=lambda one: (one.drops_at, one.table))


def _last_rows(table: Retained, cluster: str | None) -> str:
    rows = everywhere(held(table.table, cluster), cluster)
    return (
        "SELECT p.partition, p.rows, p.size, l.last FROM"  # noqa: S608 - names of our own schema
        " (SELECT partition, sum(rows) AS rows, sum(bytes_on_disk) AS size"
        f" FROM {everywhere('system.parts', cluster)}"
        " WHERE active AND database = {db:String} AND table = {t:String} GROUP BY partition) AS p"
        f" LEFT JOIN (SELECT _partition_value.1 AS value, toUnixTimestamp(max({table.time})) AS last"
        f" FROM {rows} GROUP BY value) AS l ON toString(l.value) = p.partition"
    )


def _read(table: Retained, days: int, rows: Iterable[Sequence[Any]]) -> list[Partition]:
    return [
        Partition(
            table=table.table,
            partition=partition,
            days=days,
            rows=count,
            bytes_on_disk=size,
            drops_at=datetime.fromtimestamp(last, UTC) + timedelta(days=days),
        )
        for partition, count, size, last in rows
    ]
