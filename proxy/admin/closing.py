"""Closing a month: what must be so before, and the statements that come of it.

Calls that are charged to the month and are not in the store yet would be missing from its statements, so they are
waited for. What comes later all the same is charged by the next statements.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from proxy.admin.faults import Fault, Refusal
from proxy.admin.rooms import AdminRooms
from proxy.billing import (
    Amounts,
    Correction,
    Draft,
    Period,
    Place,
    Standing,
    Statement,
    billed,
    drift,
    statements_of,
)
from proxy.core.clock import utc
from proxy.core.money import Nano
from proxy.journey.start_record import row_of
from proxy.telemetry import CorrectedQuery, CorrectedRow, SpendQuery, SpendRow

DEFAULT_TIMEZONE: Final = "UTC"
_PLACES: Final = ("team", "cost_center", "key", "provider", "model")
_MOST_LINES: Final = 50_000
_FAR_NS: Final = 1 << 62
_RETRY: Final = ((b"retry-after", b"5"),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is to be closed, by whom, and what was said to it. `timezone` None is the org's, or UTC."""

    org: str
    period: Period
    by: str
    timezone: str | None = None
    allow_unpriced: bool = False


class Closing:
    """Works out and keeps the statements of one org for one month."""

    def __init__(self, rooms: AdminRooms) -> None:
        self._rooms = rooms

    async def draft(self, wanted: Wanted) -> list[Statement]:
        """The statements as they would be made now.

        Raises:
            Refusal: the month cannot be closed yet; the message says why.
            BillingError: it is not its turn, it is closed, or there is no such month or time zone.
            IdentityError: there is no such org.
            Refused, LedgerUnavailable: the store or the ledger cannot be asked.
        """
        standing = await asyncio.to_thread(self._rooms.statements.standing, wanted.org)
        standing.require_next(wanted.org, wanted.period)
        timezone = _timezone(wanted, standing)
        start, end = wanted.period.bounds(timezone)
        await self._ready(wanted, end, start)
        amounts, versions = await self._amounts(wanted.org, start, end)
        _require_priced(wanted, amounts)
        earlier = await asyncio.to_thread(self._rooms.statements.list, org=wanted.org)
        lines = await asyncio.to_thread(self._rooms.adjustments.list, org=wanted.org, period=str(wanted.period))
        if not (amounts or lines or standing.closed):
            # Nobody is to close the months of an org that there never was; one that was deleted has calls.
            await asyncio.to_thread(self._rooms.key_store.org, wanted.org)
        return statements_of(
            Draft(
                org=wanted.org,
                period=wanted.period,
                timezone=timezone,
                closed_at=utc(self._rooms.clock.now_ns()),
                closed_by=wanted.by,
                amounts=amounts,
                corrections=await self._late(wanted.org, standing, earlier),
                negotiated=lines,
                versions=versions,
                allow_unpriced=wanted.allow_unpriced,
                first_number=standing.statements + 1,
                previous=_last_hashes(earlier),
            )
        )

    async def close(self, wanted: Wanted) -> list[Statement]:
        """Make the statements, for good.

        Raises:
            Refusal, BillingError, Refused, LedgerUnavailable: as `draft`; nothing was changed.
        """
        made = await self.draft(wanted)
        standing = await asyncio.to_thread(self._rooms.statements.standing, wanted.org)
        timezone, now_ns = _timezone(wanted, standing), self._rooms.clock.now_ns()
        await asyncio.to_thread(
            self._rooms.statements.close, wanted.org, wanted.period, timezone, made, by=wanted.by, at_ns=now_ns
        )
        return made

    async def _ready(self, wanted: Wanted, end: datetime, start: datetime) -> None:
        now = utc(self._rooms.clock.now_ns())
        if now < end:
            raise _not_ready(f"{wanted.period} ends at {end:%Y-%m-%d %H:%M} UTC")
        if held := await self._held(wanted.org, start, end):
            raise _not_ready(f"{held} calls of {wanted.period} are not settled yet", again=True)
        if why := await asyncio.to_thread(self._rooms.lag):
            raise _not_ready(f"the telemetry store lags: {why}", again=True)

    async def _held(self, org: str, start: datetime, end: datetime) -> int:
        first, last = int(start.timestamp()) * 10**9, int(end.timestamp()) * 10**9
        open_holds = await self._rooms.runs.lapsed(_FAR_NS)
        of_period = [each for each in open_holds if first <= each.charged_at_ns < last]
        return sum(_org_of(each.start_record) in (org, None) for each in of_period)

    async def _amounts(
        self, org: str, start: datetime, end: datetime
    ) -> tuple[dict[Place, Amounts], dict[str, tuple[str, ...]]]:
        rows, corrected = await self._sums(org, start, end)
        by_version = await self._rooms.reader.spend(
            SpendQuery(org=org, start=start, end=end, group_by=("team", "price_version"), limit=_MOST_LINES)
        )
        versions: dict[str, set[str]] = {}
        for row in by_version:
            versions.setdefault(row.group["team"], set()).add(row.group["price_version"])
        for each in corrected:
            versions.setdefault(each.team, set()).update(each.versions)
        named = {team: tuple(sorted(each for each in found if each)) for team, found in versions.items()}
        return _by_place(rows, corrected), named

    async def _sums(
        self, org: str, start: datetime, end: datetime
    ) -> tuple[Sequence[SpendRow], Sequence[CorrectedRow]]:
        # Corrections first: one that is made meanwhile is then taken for a late call, which charges the same.
        corrected = await self._rooms.reader.corrected(CorrectedQuery(org=org, start=start, end=end))
        rows = await self._rooms.reader.spend(
            SpendQuery(org=org, start=start, end=end, group_by=_PLACES, limit=_MOST_LINES)
        )
        if len(rows) == _MOST_LINES:
            raise Refusal(Fault.REQUEST_TOO_LARGE, f"{org} has more than {_MOST_LINES:,} lines in this month.")
        return rows, corrected

    async def _late(
        self, org: str, standing: Standing, earlier: Sequence[Statement]
    ) -> Mapping[str, tuple[Correction, ...]]:
        """What became known since of months that are closed, and whose calls are all still kept."""
        charged = billed(earlier)
        kept_since = utc(self._rooms.clock.now_ns()) - timedelta(days=self._rooms.operations_days - 1)
        found: dict[str, tuple[Correction, ...]] = {}
        for period, timezone in standing.closed:
            start, end = period.bounds(timezone)
            if start < kept_since:
                continue
            now = _by_place(*await self._sums(org, start, end))
            for team, lines in drift(str(period), now, charged.get(str(period), {})).items():
                found[team] = (*found.get(team, ()), *lines)
        return found


def _by_place(rows: Iterable[SpendRow], corrected: Iterable[CorrectedRow]) -> dict[Place, Amounts]:
    changes = {Place(each.team, each.cost_center, each.key, each.provider, each.model): each.cost for each in corrected}
    found: dict[Place, Amounts] = {}
    for row in rows:
        place = Place(*(row.group[name] for name in _PLACES))
        change = changes.pop(place, Nano(0))
        found[place] = Amounts(
            calls=row.calls,
            unpriced=row.unpriced,
            recorded=Nano(row.cost - change),
            corrected=change,
            listed=row.list_cost,
            tokens={bucket.value: count for bucket, count in row.tokens.items()},
        )
    for place, change in changes.items():
        found[place] = Amounts(recorded=Nano(-change), corrected=change)
    return found


def _require_priced(wanted: Wanted, amounts: Mapping[Place, Amounts]) -> None:
    unpriced = sum(each.unpriced for each in amounts.values())
    if not unpriced or wanted.allow_unpriced:
        return
    models = sorted({place.model for place, each in amounts.items() if each.unpriced})
    raise _not_ready(
        f"{unpriced:,} calls have no price ({', '.join(models[:5])}); add their prices and reprice, or allow them"
    )


def _timezone(wanted: Wanted, standing: Standing) -> str:
    known = standing.timezone
    if known is not None and wanted.timezone not in (None, known):
        message = f"The months of {wanted.org} are those of {known}; a gap or an overlap would come of another zone."
        raise Refusal(Fault.INVALID_REQUEST, message, param="timezone")
    return known or wanted.timezone or DEFAULT_TIMEZONE


def _last_hashes(statements: Sequence[Statement]) -> dict[str, str]:
    return {each.team: each.hash for each in sorted(statements, key=lambda one: one.number)}


def _org_of(start_record: bytes) -> str | None:
    """Whose call a hold is of; None where its record is of another version."""
    try:
        return row_of(start_record).org
    except msgspec.MsgspecError:
        return None


def _not_ready(why: str, *, again: bool = False) -> Refusal:
    return Refusal(Fault.PERIOD_NOT_READY, f"{why[:1].upper()}{why[1:]}.", headers=_RETRY if again else ())
