"""The console's questions, put to the telemetry store's reader and to the budget store."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from proxy.admin.console.from_rows import operation_seen, story
from proxy.admin.console.readings import (
    BudgetReader,
    BudgetSeen,
    OperationSeen,
    OperationStory,
    RecentAsked,
    SpendAsked,
    SpendReader,
    SpendSeen,
    Sum,
)
from proxy.admin.rooms import SpendReader as RowReader
from proxy.budget import CLAIMED, BudgetState, BudgetStore, LineKind, kind_of
from proxy.core.clock import utc
from proxy.core.money import ZERO, Nano
from proxy.core.usage import INPUT_BUCKETS, OUTPUT_BUCKETS, Bucket
from proxy.telemetry import SpendQuery, SpendRow

_Bucket: TypeAlias = Literal["hour", "day", "all"]
_Path: TypeAlias = tuple[str, ...]
_Amounts: TypeAlias = dict[datetime, Nano]
_ByName: TypeAlias = dict[str, _Amounts]
_MOST_LINES: Final = 50_000
_SLASH: Final = "/"


class StoreReadings:
    """What was spent and done, from the telemetry store."""

    def __init__(self, reader: RowReader) -> None:
        self._reader = reader

    async def spend(self, asked: SpendAsked) -> SpendSeen:
        """What was spent in a window: totals first, then slot by slot for the dearest names only."""
        path = _path(asked)
        named = _sums(await self._rows(asked, path), path)
        dearest = sorted(named.values(), key=lambda one: (-one.cost, -one.calls, one.name))
        first = [one.name for one in dearest[: asked.series]]
        whole, (slots, series), earlier = await asyncio.gather(
            self._rows(asked, ()), self._slots(asked, path, first), self._earlier(asked)
        )
        return SpendSeen(
            whole=_sums(whole, ()).get("", Sum()),
            names=dearest[: asked.rows],
            slots=slots,
            series={name: series.get(name, {}) for name in first},
            earlier=earlier,
        )

    async def operation(self, operation_id: str, org: str | None, team: str | None) -> OperationStory | None:
        """One operation with its attempts; None when unknown or another org's or team's."""
        found = await self._reader.operation(operation_id, org)
        if found is None or team not in (None, found.operation.team):
            return None
        return story(found.operation, found.attempts)

    async def recent(self, asked: RecentAsked) -> Sequence[OperationSeen]:
        """The newest operations first."""
        chosen = {name: [value] for name, value in asked.chosen.items()}
        if asked.team is not None:
            # Who is bound to a team and asks for another one finds nothing.
            chosen["team"] = [asked.team] if asked.team in chosen.get("team", [asked.team]) else []
        rows = await self._reader.recent(
            org=asked.org, filters=chosen, limit=asked.limit, before=asked.before, search=asked.search
        )
        return [operation_seen(row) for row in rows]

    async def _earlier(self, asked: SpendAsked) -> Nano:
        before = asked.window.before
        query = _query(asked, before.start, before.end, "all", ())
        return Nano(sum(row.cost for row in await self._reader.spend(query)))

    async def _rows(self, asked: SpendAsked, group: _Path) -> list[SpendRow]:
        return await self._reader.spend(_query(asked, asked.window.start, asked.window.end, "all", group))

    async def _slots(self, asked: SpendAsked, path: _Path, first: Sequence[str]) -> tuple[_Amounts, _ByName]:
        """Spend by slot, of all and of the dearest; the store knows hours and days, shorter slots are asked for."""
        if asked.window.span.slot < timedelta(hours=1):
            named = await self._short_slots(asked, path)
            return _all_of(named), named
        whole, named = await asyncio.gather(
            self._long_slots(asked, (), {}), self._long_slots(asked, path, _filters(path, first))
        )
        return _all_of(whole), named

    async def _long_slots(self, asked: SpendAsked, path: _Path, filters: Mapping[str, Sequence[str]]) -> _ByName:
        length = asked.window.span.slot
        bucket: _Bucket = "day" if length == timedelta(days=1) else "hour"
        query = _query(asked, asked.window.start, asked.window.end, bucket, path, filters)
        found: _ByName = defaultdict(lambda: defaultdict(lambda: ZERO))
        for row in await self._reader.spend(query):
            if row.bucket_start is not None:
                slot = asked.window.start + (row.bucket_start - asked.window.start) // length * length
                amounts = found[_name(row, path)]
                amounts[slot] = Nano(amounts[slot] + row.cost)
        return found

    async def _short_slots(self, asked: SpendAsked, path: _Path) -> _ByName:
        slots, length = asked.window.slots, asked.window.span.slot
        answers = await asyncio.gather(
            *(self._reader.spend(_query(asked, slot, slot + length, "all", path)) for slot in slots)
        )
        found: _ByName = defaultdict(dict)
        for slot, rows in zip(slots, answers, strict=True):
            for row in rows:
                found[_name(row, path)][slot] = row.cost
        return found


def _all_of(named: _ByName) -> _Amounts:
    sums: _Amounts = defaultdict(lambda: ZERO)
    for amounts in named.values():
        for slot, amount in amounts.items():
            sums[slot] = Nano(sums[slot] + amount)
    return sums


class StoreBudgets:
    """How the budgets stand, from the state file."""

    def __init__(self, store: BudgetStore) -> None:
        self._store = store

    async def live(self, org: str | None, team: str | None) -> Sequence[BudgetSeen]:
        """The budgets of one org (of a team: its own, its keys' and the org's), or of all."""
        return await asyncio.to_thread(self._live, org, team)

    def _live(self, org: str | None, team: str | None) -> list[BudgetSeen]:
        budgets = [
            one for one in self._store.list(org, LineKind.BUDGET) if team is None or _is_told_to(team, one.scope)
        ]
        return [_budget(state) for state in self._store.states(budgets)]


def _query(
    asked: SpendAsked,
    start: datetime,
    end: datetime,
    bucket: _Bucket,
    group: _Path,
    filters: Mapping[str, Sequence[str]] | None = None,
) -> SpendQuery:
    narrowed = dict(filters or {})
    if asked.team is not None:
        narrowed["team"] = [asked.team] if asked.team in narrowed.get("team", [asked.team]) else []
    return SpendQuery(
        org=asked.org, start=start, end=end, bucket=bucket, group_by=group, filters=narrowed, limit=_MOST_LINES
    )


def _path(asked: SpendAsked) -> _Path:
    """What a name is made of: teams and keys are named within their org and team, unless there is only one."""
    wider = {"team": (("org", asked.org),), "key": (("org", asked.org), ("team", asked.team))}
    return (*(name for name, bound in wider.get(asked.by, ()) if bound is None), asked.by)


def _filters(path: _Path, names: Sequence[str]) -> dict[str, Sequence[str]]:
    """Filters that let these names through, and few others; names without a slash are whole values."""
    if len(path) == 1:
        return {path[0]: names}
    parts = zip(*(name.split(_SLASH, len(path) - 1) for name in names), strict=True)
    return {name: sorted(set(values)) for name, values in zip(path, parts, strict=False)}


def _sums(rows: Iterable[SpendRow], path: _Path) -> dict[str, Sum]:
    sums: dict[str, Sum] = {}
    for row in rows:
        name = _name(row, path)
        sums[name] = sums.get(name, Sum(name=name)).plus(_sum(row))
    return sums


def _sum(row: SpendRow) -> Sum:
    read = row.tokens.get(Bucket.CACHE_READ, 0)
    return Sum(
        cost=row.cost,
        calls=row.calls,
        unpriced=row.unpriced,
        refused=row.refused,
        input_tokens=sum(row.tokens.get(bucket, 0) for bucket in INPUT_BUCKETS) - read,
        cache_read_tokens=read,
        output_tokens=sum(row.tokens.get(bucket, 0) for bucket in OUTPUT_BUCKETS),
    )


def _name(row: SpendRow, group: _Path) -> str:
    return _SLASH.join(row.group[part] for part in group)


def _team(scope: str) -> str:
    """The team that a scope such as `key:acme/support/bot` lies in; empty for an org's."""
    parts = scope.partition(":")[2].split("/")
    return parts[1] if scope.startswith(("team:", "key:")) and len(parts) > 1 else ""


def _is_told_to(team: str, scope: str) -> bool:
    """Whether a team is told of a budget: its own, its keys' and the org's; users and runs may be another team's."""
    return kind_of(scope) not in CLAIMED and _team(scope) in ("", team)


def _budget(state: BudgetState) -> BudgetSeen:
    return BudgetSeen(
        name=state.budget.name,
        scope=state.budget.scope,
        window=state.window,
        hard=state.budget.hard,
        unit=state.budget.unit,
        counted_scope=state.scope if state.budget.is_pattern else "",
        counted_scopes=state.scopes if state.budget.is_pattern else 0,
        models=state.budget.models,
        limit=state.limit,
        spent=state.spent,
        held=state.held,
        resets_at=None if state.resets_at_ns is None else utc(state.resets_at_ns),
    )


_: type[SpendReader] = StoreReadings
__: type[BudgetReader] = StoreBudgets
