"""Carries sealed segments from the spool to ClickHouse, oldest first, and loses none on the way."""

import asyncio
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from proxy.telemetry.parcels import Parcel, Parcels
from proxy.telemetry.proofs import Seals
from proxy.telemetry.rows import Table
from proxy.telemetry.segments import OPEN, REJECTED, SEALED, bytes_in, forget_oldest
from proxy.telemetry.selfcheck import SelfCheck
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.shipping import Shipped, Shipper
from proxy.telemetry.store import StoreAddress

_LOG: Final = logging.getLogger(__name__)
_LOOK_EVERY_S: Final = 0.2
_REPORT_EVERY_S: Final = 1.0
_COMPLAIN_EVERY_S: Final = 60.0
_AT_ONCE: Final = 64
_MOST_REFUSALS: Final = 5
_LONGEST_WAIT_S: Final = 30.0
_MB: Final = 1024 * 1024
_REJECTED_SHARE: Final = 10
"""What was put aside may take a tenth of the spool beside it; then the oldest of it is forgotten, and counted."""
METRICS_FILE: Final = "collector.json"


@dataclass(slots=True)
class CollectorMetrics:
    """What the collector knows of itself; also in `<spool>/collector.json`, written every second.

    `lag_seconds` is the age of the oldest row that is sealed and not in ClickHouse. The figures named `check_` are of
    the latest comparison with what ClickHouse holds (telemetry/selfcheck.py); `check_at` 0: there was none yet.
    `forgotten_rows` were refused by ClickHouse and deleted since there was no room to keep more of them.
    """

    lag_seconds: float = 0.0
    spool_bytes: int = 0
    sealed_segments: int = 0
    shipped_rows: int = 0
    shipped_segments: int = 0
    refusals: int = 0
    rejected_segments: int = 0
    rejected_rows: int = 0
    forgotten_rows: int = 0
    check_shipped: int = 0
    check_missing: int = 0
    check_doubled: int = 0
    check_rollup_difference: int = 0
    check_at: float = 0.0
    away: bool = False
    last_error: str = ""
    reported_at: float = 0.0


@dataclass(slots=True)
class _Patience:
    """How often a segment was refused, and when it is tried again (monotonic seconds)."""

    refusals: int = 0
    not_before: float = 0.0


class Collector:
    """Ships one spool: `run` until told to stop, then flushes what is sealed. Only one may run on a spool."""

    def __init__(
        self,
        spool: Path,
        address: StoreAddress,
        settings: TelemetrySettings,
        decided: Callable[[bytes], Awaitable[None]] | None = None,
        shipped: Callable[[Table, bytes], None] | None = None,
    ) -> None:
        """`decided` is told the rows of decisions, `shipped` those of all tables, once ClickHouse has them."""
        self._shipped = shipped
        self._decided = decided
        self._spool = spool
        self._settings = settings
        self._shipper = Shipper(address, settings)
        self._parcels = Parcels(spool)
        self._seals = Seals(spool, settings)
        self._check = SelfCheck(address)
        self._patience: dict[str, _Patience] = {}
        self._away_for = 0
        self._is_behind = False
        self._reported = self._complained = float("-inf")
        self.metrics = CollectorMetrics()

    async def run(self, stop: asyncio.Event) -> None:
        """Ship until `stop`; then for at most the flush deadline what is left. Meanwhile compare what arrived."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self._check.run(stop))
            await self._ship(stop)

    async def _ship(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            busy = await self.round()
            await asyncio.to_thread(self._seals.flush)
            await self._report()
            await _until(stop, self._pause(busy=busy))
        deadline = time.monotonic() + self._settings.flush_timeout_s
        while time.monotonic() < deadline and await self.round():
            pass
        await asyncio.to_thread(self._seals.flush, now=True)
        if time.monotonic() < deadline:
            await self.round()
        await self._report(now=True)
        await self._shipper.close()

    async def round(self) -> bool:
        """Send what is due once; whether anything was shipped, so that looking again at once is worth it."""
        due = await asyncio.to_thread(self._due)
        if self._away_for:
            due = due[:1]  # one is enough to find out whether ClickHouse is back
        self.metrics.away = False
        places = asyncio.Semaphore(self._settings.parallel_inserts)
        async with asyncio.TaskGroup() as sending:
            tasks = [sending.create_task(self._send(parcel, places)) for parcel in due]
        self._away_for = self._away_for + 1 if self.metrics.away else 0
        self._is_behind = self._parcels.backlog.segments > sum(len(parcel.segments) for parcel in due)
        return not self.metrics.away and any(task.result() is Shipped.DONE for task in tasks)

    async def _send(self, parcel: Parcel, places: asyncio.Semaphore) -> Shipped:
        async with places:
            if self.metrics.away:
                return Shipped.AWAY
            content = await asyncio.to_thread(self._parcels.content, parcel)
            rows = content.count(b"\n")
            outcome = await self._shipper.ship(parcel, content)
            if outcome is Shipped.DONE:
                if parcel.table is Table.OPERATIONS:
                    await asyncio.to_thread(self._seals.seal, parcel)
                await asyncio.to_thread(self._parcels.done, parcel)
                if self._decided is not None and parcel.table is Table.DECISIONS:
                    await self._decided(content)
                if self._shipped is not None:
                    self._shipped(parcel.table, content)
            del content
        self._note(parcel, outcome, rows)
        if outcome is Shipped.REFUSED:
            await asyncio.to_thread(self._refused, parcel, rows)
        return outcome

    def _note(self, parcel: Parcel, outcome: Shipped, rows: int) -> None:
        self.metrics.away |= outcome is Shipped.AWAY
        if outcome is Shipped.DONE:
            self._patience.pop(parcel.key, None)
            self.metrics.shipped_segments += len(parcel.segments)
            self.metrics.shipped_rows += rows
        else:
            self._complain(parcel, outcome)

    def _refused(self, parcel: Parcel, rows: int) -> None:
        """ClickHouse does not want these rows: wait and try again, at last put them aside for a person to look at."""
        self.metrics.refusals += 1
        if parcel.listed:
            self._parcels.break_up(parcel)
            return
        patience = self._patience.setdefault(parcel.key, _Patience())
        patience.refusals += 1
        patience.not_before = time.monotonic() + min(2.0**patience.refusals / 4, _LONGEST_WAIT_S)
        if patience.refusals < _MOST_REFUSALS:
            return
        del self._patience[parcel.key]
        self._parcels.put_aside(parcel, self._spool / REJECTED)
        self.metrics.rejected_segments += 1
        self.metrics.rejected_rows += rows
        self.metrics.forgotten_rows += forget_oldest(
            self._spool / REJECTED, keep_bytes=self._settings.spool_mb * _MB // _REJECTED_SHARE
        )
        _LOG.error(
            "ClickHouse refused segment %s %d times, it is put aside in %s: %s",
            parcel.key,
            _MOST_REFUSALS,
            self._spool / REJECTED,
            self._shipper.last_error,
        )

    def _due(self) -> list[Parcel]:
        """What to send now; also counts what lies there."""
        now = time.monotonic()
        due = self._parcels.due(lambda key: key in self._patience and self._patience[key].not_before > now)
        backlog = self._parcels.backlog
        self.metrics.sealed_segments = backlog.segments
        oldest = backlog.oldest_ns
        self.metrics.lag_seconds = 0.0 if oldest is None else max(0.0, time.time() - oldest / 1e9)
        return due[:_AT_ONCE]

    def _pause(self, *, busy: bool) -> float:
        """Seconds until the next look: short when all is well, growing with jitter while ClickHouse is away.

        After a shipment that left nothing, what is sealed next is gathered, for an insert costs the same whatever it
        brings.
        """
        if busy:
            return 0.0 if self._is_behind else self._settings.gather_ms / 1000
        if not self._away_for:
            return _LOOK_EVERY_S
        longest = min(_LOOK_EVERY_S * 2.0 ** min(self._away_for, 10), _LONGEST_WAIT_S)
        return longest * random.uniform(0.5, 1.0)

    def _complain(self, parcel: Parcel, outcome: Shipped) -> None:
        now = time.monotonic()
        if now - self._complained >= _COMPLAIN_EVERY_S:
            self._complained = now
            _LOG.warning(
                "segment %s is not shipped (%s): %s", parcel.segments[0], outcome.value, self._shipper.last_error
            )

    async def _report(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._reported >= _REPORT_EVERY_S:
            self._reported = time.monotonic()
            self.metrics.last_error = self._shipper.last_error
            self._note_check()
            self.metrics.reported_at = time.time()
            await asyncio.to_thread(self._write_report)

    def _note_check(self) -> None:
        if (checked := self._check.latest) is not None:
            self.metrics.check_shipped = checked.shipped
            self.metrics.check_missing = checked.missing
            self.metrics.check_doubled = checked.doubled
            self.metrics.check_rollup_difference = checked.rollup_difference
            self.metrics.check_at = checked.at

    def _write_report(self) -> None:
        fresh = self._spool / f".{METRICS_FILE}"
        try:
            self.metrics.spool_bytes = bytes_in(self._spool / SEALED) + bytes_in(self._spool / OPEN)
            fresh.write_text(json.dumps(asdict(self.metrics)))
            fresh.replace(self._spool / METRICS_FILE)
        except OSError as why:
            _LOG.warning("the collector's figures cannot be written: %s", why)


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
