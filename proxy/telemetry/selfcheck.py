"""Whether ClickHouse holds each operation that was shipped, and once: asked of it again and again.

The chain of shipped segments says how many operations each segment held, and every row says its segment. So what was
shipped in the last minutes is counted on both sides, whoever shipped it and whatever was restarted meanwhile; the
rollup that money is read from is compared with the rows it is made of.
"""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from clickhouse_connect.driver.asyncclient import AsyncClient

from proxy.telemetry.store import StoreAddress, StoreRefused, TelemetryUnavailable, as_store_failures, open_client

_LOG: Final = logging.getLogger(__name__)
EVERY_S: Final = 60.0
WINDOW: Final = timedelta(minutes=15)
_LONGEST_CALL: Final = timedelta(days=8)  # a batch takes a day or more, and is charged when it came in
_TIMEOUT_S: Final = 20
_SHIPPED: Final = """
SELECT
    sum(expected),
    sum(if(expected > finalizeAggregation(ids), expected - finalizeAggregation(ids), 0)),
    sum(present) - uniqExactMerge(ids)
FROM
(
    SELECT first_ns, max(rows) AS expected
    FROM shipped_segments
    WHERE shipped_at >= {since:DateTime64(3, 'UTC')}
    GROUP BY first_ns
) AS shipped
LEFT JOIN
(
    SELECT segment, count() AS present, uniqExactState(operation_id) AS ids
    FROM operations
    WHERE charged_at >= {oldest:DateTime64(3, 'UTC')}
      AND segment IN (SELECT first_ns FROM shipped_segments WHERE shipped_at >= {since:DateTime64(3, 'UTC')})
    GROUP BY segment
) AS found ON found.segment = shipped.first_ns
"""
_ROLLED: Final = """
WITH {start:DateTime('UTC')} AS start, {end:DateTime('UTC')} AS end
SELECT
    (SELECT toInt64(count()) FROM operations WHERE charged_at >= start AND charged_at < end),
    (SELECT toInt64(sum(calls)) FROM spend_quarter_hours WHERE quarter >= start AND quarter < end)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What one look found, of the operations that were shipped in the last quarter of an hour.

    `missing` are not in ClickHouse, `doubled` stand there more than once. `rollup_difference` is how many calls the
    last two full quarter-hours have more in `operations` than in `spend_quarter_hours`. All but `shipped` should be 0.
    """

    shipped: int
    missing: int
    doubled: int
    rollup_difference: int
    at: float

    @property
    def is_right(self) -> bool:
        """Whether everything stands there once."""
        return not (self.missing or self.doubled or self.rollup_difference)


class SelfCheck:
    """Looks once a minute; `latest` is what it found last, None before the first look that succeeded."""

    def __init__(self, address: StoreAddress, *, every_s: float = EVERY_S) -> None:
        self._address = address
        self._every_s = every_s
        self.latest: Checked | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop`; a ClickHouse that is away is looked at again the next time."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await stop.wait()
                    return
            try:
                self.latest = await self.look()
            except (TelemetryUnavailable, StoreRefused) as why:
                _LOG.warning("what was shipped could not be compared with what ClickHouse holds: %s", why)
                continue
            if not self.latest.is_right:
                _LOG.error("ClickHouse does not hold what was shipped, once each: %s", self.latest)

    async def look(self) -> Checked:
        """Count both sides now.

        Raises:
            TelemetryUnavailable, StoreRefused: as ClickHouse answers.
        """
        client = await open_client(self._address, timeout_s=_TIMEOUT_S)
        try:
            with as_store_failures():
                return await _compared(client, datetime.now(UTC))
        finally:
            await client.close()


async def _compared(client: AsyncClient, now: datetime) -> Checked:
    since = now - WINDOW
    shipped = await client.query(
        _SHIPPED,
        parameters={"since": _text(since, 3), "oldest": _text(since - _LONGEST_CALL, 3)},
        settings={"max_execution_time": _TIMEOUT_S},
    )
    end = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    rolled = await client.query(
        _ROLLED,
        parameters={"start": _text(end - 2 * WINDOW, 0), "end": _text(end, 0)},
        settings={"max_execution_time": _TIMEOUT_S},
    )
    rows, calls = rolled.result_rows[0]
    count, missing, doubled = (int(each) for each in shipped.result_rows[0])
    return Checked(
        shipped=count, missing=missing, doubled=doubled, rollup_difference=int(rows) - int(calls), at=time.time()
    )


def _text(moment: datetime, digits: int) -> str:
    """A moment as ClickHouse reads it in a parameter; `digits` are those of fractions of a second."""
    text = moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return text[:-3] if digits else text.partition(".")[0]
