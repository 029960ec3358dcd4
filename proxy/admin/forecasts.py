"""Forecasts of budgets: what their scopes used, from the telemetry store, given to the budget room's arithmetic."""

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Final, Literal, NamedTuple

from proxy.admin.histories import MOST_LINES, Histories, Place, SumsReader
from proxy.budget import (
    Budget,
    BudgetState,
    Forecast,
    NoForecast,
    Unit,
    UsageHistory,
    WindowKind,
    foreseen,
    tokens_used,
)
from proxy.core.clock import Clock, utc
from proxy.core.refusal import Refused
from proxy.core.usage import INPUT_BUCKETS, OUTPUT_BUCKETS
from proxy.telemetry import SpendQuery, SpendRow

HOUR_NS: Final = 3_600_000_000_000
QUARTER_NS: Final = HOUR_NS // 4
PAST_DAYS: Final = 28
KEPT_NS: Final = 300_000_000_000
"""How long a history is used again: its hours are over, and late rows are few."""
MOST_KEPT: Final = 512
PATIENCE_S: Final = 3.0
AWAY_NS: Final = 10_000_000_000
"""How long a store that did not answer is not asked again: a page of many budgets must not wait for each of them."""
_LONG_WINDOW: Final = timedelta(days=40)
_SHORT: Final = frozenset({WindowKind.MINUTE, WindowKind.HOUR})
_OTHERS: Final = "(other)"
_UNAVAILABLE: Final = NoForecast("unavailable", "the telemetry store does not answer now")


class CoursePoint(NamedTuple):
    """What had been spent of a budget at a time in its window."""

    at_ns: int
    spent: int


class Forecasts:
    """Forecasts and courses of budgets. Histories are kept for five minutes, at most `MOST_KEPT` of 6 kB each."""

    def __init__(self, reader: SumsReader, clock: Clock) -> None:
        self._reader = reader
        self._histories = Histories(reader)
        self._clock = clock
        self._away_until_ns = 0
        self._kept: OrderedDict[tuple[object, ...], tuple[int, UsageHistory]] = OrderedDict()

    async def of(self, state: BudgetState) -> Forecast | NoForecast:
        """How a budget's window goes on from where it stands; without an answer of the store, that there is none."""
        reason = _impossible(state)
        if reason is not None:
            return reason
        now_ns = self._clock.now_ns()
        if self._clock.monotonic_ns() < self._away_until_ns:
            return _UNAVAILABLE
        try:
            async with asyncio.timeout(PATIENCE_S):
                history = await self._history(state, now_ns)
        except (Refused, TimeoutError):
            self._away_until_ns = self._clock.monotonic_ns() + AWAY_NS
            return _UNAVAILABLE
        return foreseen(history, spent=state.spent, limit=state.limit, now_ns=now_ns, ends_ns=state.resets_at_ns)

    async def course(self, state: BudgetState) -> tuple[CoursePoint, ...]:
        """What had been spent from the window's beginning on, by hours or days; it ends now with what the ledger has.

        Raises:
            Refused: the telemetry store does not answer.
        """
        now_ns = self._clock.now_ns()
        window = state.budget.window_at(now_ns)
        if window.ends_ns is None or state.budget.window in _SHORT | {WindowKind.ROLLING}:
            return ()
        long = timedelta(microseconds=(window.ends_ns - window.starts_ns) // 1000) > _LONG_WINDOW
        ends_ns = -(-now_ns // QUARTER_NS) * QUARTER_NS
        if ends_ns <= window.starts_ns:
            return (CoursePoint(window.starts_ns, state.spent), CoursePoint(now_ns, state.spent))
        sums = await self._sums(state, window.starts_ns, ends_ns, "day" if long else "hour")
        return _cumulated(sums, window.starts_ns, now_ns, state.spent, 24 * HOUR_NS if long else HOUR_NS)

    async def _history(self, state: BudgetState, now_ns: int) -> UsageHistory:
        budget = state.budget
        key = (state.scope, budget.unit, budget.models)
        kept_until, history = self._kept.get(key, (0, None))
        if history is not None and now_ns < kept_until:
            return history
        ends_ns = now_ns // HOUR_NS * HOUR_NS
        starts_ns = ends_ns - PAST_DAYS * 24 * HOUR_NS
        sums = await self._hourly(state, starts_ns, ends_ns)
        hours = array("q", bytes(8 * PAST_DAYS * 24))
        for at_ns, amount in sums.items():
            hours[(at_ns - starts_ns) // HOUR_NS] = amount
        history = UsageHistory(starts_ns, hours)
        self._kept[key] = (now_ns + KEPT_NS, history)
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return history

    async def _hourly(self, state: BudgetState, starts_ns: int, ends_ns: int) -> Mapping[int, int]:
        """The same by hours; read together with what else is asked for, where no models are told apart."""
        if state.budget.models:
            return await self._sums(state, starts_ns, ends_ns, "hour")
        rows = await self._histories.rows(place_of(state.scope), starts_ns, ends_ns)
        return _summed(state.budget, rows)

    async def _sums(
        self, state: BudgetState, starts_ns: int, ends_ns: int, bucket: Literal["hour", "day"]
    ) -> Mapping[int, int]:
        """What the scope used by hours of UTC or days of the budget's timezone, named by their beginnings."""
        budget = state.budget
        query = SpendQuery(
            org=budget.org,
            start=utc(starts_ns),
            end=utc(ends_ns),
            bucket=bucket,
            timezone=budget.timezone if bucket == "day" else "UTC",
            group_by=("requested_model",) if budget.models else (),
            filters=place_of(state.scope).filters,
            limit=MOST_LINES,
        )
        return _summed(budget, await self._reader.spend(query))


def place_of(scope: str) -> Place:
    """Where the rows of a scope are."""
    kind, _, path = scope.partition(":")
    org, _, rest = path.partition("/")
    if kind == "org":
        return Place(org, (), ())
    if kind == "key":
        team, _, key = rest.partition("/")
        return Place(org, ("team", "key"), (team, key))
    if kind == "tag":
        name, _, value = rest.partition("=")
        return Place(org, (f"tag:{name}",), (value,))
    return Place(org, (kind,), (rest,))


def _summed(budget: Budget, rows: Iterable[SpendRow]) -> Mapping[int, int]:
    sums: dict[int, int] = {}
    for row in rows:
        if row.bucket_start is not None and _counts(budget, row):
            at_ns = int(row.bucket_start.timestamp()) * 1_000_000_000
            sums[at_ns] = sums.get(at_ns, 0) + used_of(budget.unit, row)
    return sums


def used_of(unit: Unit, row: SpendRow) -> int:
    """What the calls of a row used, in a budget's unit; what was refused used nothing."""
    if unit is Unit.USD:
        return row.cost
    if unit is Unit.REQUESTS:
        return row.calls - row.refused
    tokens = row.tokens
    used = tokens_used(
        sum(tokens.get(bucket, 0) for bucket in INPUT_BUCKETS), sum(tokens.get(bucket, 0) for bucket in OUTPUT_BUCKETS)
    )
    return used[unit]


def _counts(budget: Budget, row: SpendRow) -> bool:
    return not budget.models or any(fnmatchcase(row.group["requested_model"], pattern) for pattern in budget.models)


def _impossible(state: BudgetState) -> NoForecast | None:
    if state.budget.window in _SHORT:
        return NoForecast("short_window", "the window starts over before a forecast would be of use")
    if state.budget.window is WindowKind.ROLLING:
        return NoForecast("rolling_window", "a rolling window has no end to forecast")
    if state.budget.unit not in (Unit.USD, Unit.REQUESTS, *tokens_used(0, 0)):
        return NoForecast("not_counted", "what is under way at once does not add up over time")
    if _OTHERS in state.scope or state.scope.endswith("*"):
        return NoForecast("not_counted", "the rows do not tell whose use this counter is of")
    return None


def _cumulated(
    sums: Mapping[int, int], starts_ns: int, now_ns: int, spent: int, step_ns: int
) -> tuple[CoursePoint, ...]:
    # What the rows do not tell, such as an opening spend, was there from the beginning.
    total = spent - sum(sums.values())
    points = [CoursePoint(starts_ns, max(0, total))]
    for at_ns in sorted(sums):
        if at_ns > points[-1].at_ns:
            points.append(CoursePoint(at_ns, points[-1].spent))
        total += sums[at_ns]
        points.append(CoursePoint(min(now_ns, max(at_ns, starts_ns) + step_ns), max(0, total)))
    return (*(point for point in points if point.at_ns < now_ns), CoursePoint(now_ns, spent))
