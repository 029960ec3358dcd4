"""What the board "Cost overview" must say."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import mean, stdev
from typing import Final
from zoneinfo import ZoneInfo

from proxy.telemetry.rows import OperationRow
from tests.unit.dashboards.expected.spending import spend_by
from tests.unit.dashboards.world import (
    Near,
    Rows,
    World,
    at,
    cost,
    grouped,
    key,
    quantile,
    quarter,
    ratio,
    shown,
    team,
    tokens,
    unpriced,
)


def _model(row: OperationRow) -> str:
    return shown(row.model)


def _cost_per_call(world: World) -> Rows:
    served = [row for row in world.spend() if row.outcome != "refused"]
    return [[_rounded_down(cost(served), len(served) - unpriced(served))]]


def _rounded_down(sum_of: Decimal, count: int) -> Near | None:
    # Decimals are divided to nine places.
    return Near(float(sum_of / count) - 2e-9, float(sum_of / count) + 2e-9) if count else None


def _cache_read_share(world: World) -> Rows:
    rows = world.spend()
    inputs = sum(row.input_tokens + row.cache_read_tokens + row.cache_write_tokens for row in rows)
    return [[ratio(sum(row.cache_read_tokens for row in rows), inputs)]]


def _top_keys(world: World) -> Rows:
    sums = grouped(world.spend(), key)
    ordered = sorted(sums.items(), key=lambda pair: (-cost(pair[1]), pair[0].encode()))
    return [
        [name, cost(rows), len(rows), tokens(rows), unpriced(rows), sum(row.outcome == "refused" for row in rows)]
        for name, rows in ordered[:50]
    ]


def _dearest(world: World) -> Rows:
    priced = [row for row in world.calls() if at(row) > world.end - timedelta(days=1) and cost([row]) > 0]
    priced.sort(key=lambda row: (-cost([row]), row.operation_id))
    return [
        [row.charged_at, row.operation_id, key(row), shown(row.agent), _model(row), row.outcome, cost([row])]
        for row in priced[:20]
    ]


def _ended_badly(world: World) -> Rows:
    bad = [row for row in world.calls() if row.outcome not in {"ok", "cached"}]
    cells = grouped(bad, lambda row: (world.bucket(at(row)), row.outcome))
    return [[when, outcome, len(rows)] for (when, outcome), rows in sorted(cells.items())]


def _times(value: Callable[[OperationRow], float | None]) -> Callable[[World], Rows]:
    def wanted(world: World) -> Rows:
        good = [row for row in world.calls() if row.outcome == "ok" and value(row) is not None]
        cells = grouped(good, lambda row: world.bucket(at(row)))
        told = {when: [value(row) or 0.0 for row in rows] for when, rows in cells.items()}
        return [[when, quantile(values, 0.5), quantile(values, 0.95)] for when, values in sorted(told.items())]

    return wanted


def _refusals(world: World) -> Rows:
    codes = grouped([row for row in world.calls() if row.outcome == "refused"], lambda row: row.code)
    ordered = sorted(codes.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [[code, len(rows), len({key(row) for row in rows})] for code, rows in ordered]


def _forecast(world: World) -> Rows:
    zone = ZoneInfo(world.timezone)
    end = world.end.astimezone(zone)
    month = end.replace(day=1, hour=0, minute=0, second=0)
    next_month = (month + timedelta(days=32)).replace(day=1)
    start = min(month, datetime.combine(end.date() - timedelta(days=28), month.time(), zone))
    rows = world.spend(start=start, end=world.end)
    days = grouped(rows, lambda row: quarter(at(row)).astimezone(zone).date())
    spent = float(cost(row for row in rows if at(row) >= month))
    past = min(28, (end.date() - min(days, default=end.date())).days)
    if past < 3:
        return [[spent, None, None, None]]
    usd = [float(cost(days.get(end.date() - timedelta(days=back), []))) for back in range(1, past + 1)]
    ahead = (next_month.timestamp() - end.timestamp()) / 86400
    free = past - 1
    student = 1.28155 + 0.8466 / free + 0.5709 / free**2
    off = student * stdev(usd) * math.sqrt(ahead + ahead**2 / past)
    to_come = mean(usd) * ahead
    return [[spent, spent + to_come, spent + max(to_come - off, 0.0), spent + to_come + off]]


def _kinds(row: OperationRow) -> list[tuple[str, str]]:
    return [("team", team(row)), ("key", key(row)), ("model", _model(row)), ("agent", shown(row.agent))]


def _by_kind(rows: list[OperationRow]) -> dict[tuple[str, str], list[OperationRow]]:
    seen: dict[tuple[str, str], list[OperationRow]] = {}
    for row in rows:
        for kind in _kinds(row):
            seen.setdefault(kind, []).append(row)
    return seen


def _movers(world: World) -> Rows:
    now = _by_kind(world.spend())
    past = _by_kind(world.spend(world.start - (world.end - world.start), world.start - timedelta(minutes=15)))
    sums = [(name, cost(now.get(name, ())), cost(past.get(name, ()))) for name in now.keys() | past.keys()]
    moved = [one for one in sums if one[1] != one[2]]
    moved.sort(key=lambda one: (-abs(one[1] - one[2]), one[0][0], one[0][1].encode()))
    return [[*name, spend, before, spend - before] for name, spend, before in moved[:50]]


def _new(world: World) -> Rows:
    new = [
        (name, min(at(row) for row in own).date(), own)
        for name, own in _by_kind(world.spend(start=world.end - timedelta(days=35))).items()
    ]
    new = [one for one in new if one[1] > world.end.date() - timedelta(days=7)]
    new.sort(key=lambda one: (-cost(one[2]), one[0][0], one[0][1].encode()))
    return [[*name, f"{day}", cost(own), len(own)] for name, day, own in new[:50]]


WANTED: Final[Mapping[int, Callable[[World], Rows]]] = {
    1: lambda world: [[cost(world.spend())]],
    2: lambda world: [[len(world.spend())]],
    3: lambda world: [[tokens(world.spend())]],
    4: lambda world: [[unpriced(world.spend())]],
    5: lambda world: [[sum(row.code == "budget_exceeded" for row in world.calls())]],
    6: _cost_per_call,
    7: _cache_read_share,
    8: spend_by(_model),
    9: spend_by(team),
    10: spend_by(key),
    11: _top_keys,
    12: _ended_badly,
    13: _times(lambda row: row.duration_ms),
    14: _times(lambda row: row.ttft_ms),
    15: _refusals,
    16: _forecast,
    17: _movers,
    18: _new,
    19: _dearest,
}
