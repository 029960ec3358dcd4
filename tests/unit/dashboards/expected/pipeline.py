"""What the board "Pipeline health" must say."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Final

from proxy.telemetry.rows import OperationRow, PipelineStateRow
from tests.unit.dashboards.seed import moment
from tests.unit.dashboards.world import Cell, Rows, World, at, cost, grouped, ratio, shown, unpriced

Counter = Callable[[PipelineStateRow], int]


def _latest(world: World) -> list[PipelineStateRow]:
    groups = grouped(world.told(), lambda row: row.host)
    return [max(rows, key=lambda row: row.at) for _, rows in sorted(groups.items())]


def _grown(world: World, counter: Counter) -> list[tuple[PipelineStateRow, int]]:
    """By how much it grew until each telling; from zero where it fell, which is a new beginning."""
    found = []
    for rows in grouped(world.told(), lambda row: row.host).values():
        ordered = sorted(rows, key=lambda row: row.at)
        found.append((ordered[0], 0))
        for before, now in pairwise(ordered):
            more = counter(now) - counter(before)
            found.append((now, more if more >= 0 else counter(now)))
    return found


def _sum(counter: Counter) -> Callable[[World], Rows]:
    return lambda world: [[sum(more for _, more in _grown(world, counter))]]


def _dropped(row: PipelineStateRow) -> int:
    return row.dropped_rows


def _rejected(row: PipelineStateRow) -> int:
    return row.rejected_rows


def _served(world: World) -> list[OperationRow]:
    return [row for row in world.calls() if row.outcome not in {"refused", "cached"}]


def _estimated(world: World) -> Rows:
    return [[ratio(sum(row.usage_source == "estimated" for row in _served(world)), len(_served(world)))]]


def _newest(world: World) -> Rows:
    recent = [at(row) for row in world.calls() if at(row) > world.end - timedelta(days=1)]
    # Whole seconds are subtracted from whole seconds.
    return [[int(world.end.timestamp()) - int(max(recent).timestamp()) if recent else None]]


def _most(value: Callable[[PipelineStateRow], float]) -> Callable[[World], Rows]:
    def wanted(world: World) -> Rows:
        cells = grouped(world.told(), lambda row: (world.interval(moment(row.at)), row.host))
        return [[*cell, float(max(map(value, rows)))] for cell, rows in sorted(cells.items())]

    return wanted


def _lost(world: World) -> Rows:
    dropped = grouped(_grown(world, _dropped), lambda pair: world.interval(moment(pair[0].at)))
    rejected = grouped(_grown(world, _rejected), lambda pair: world.interval(moment(pair[0].at)))
    return [
        [when, sum(more for _, more in dropped[when]), sum(more for _, more in rejected[when])]
        for when in sorted(dropped)
    ]


def _shipped(world: World) -> Rows:
    cells = grouped(
        _grown(world, lambda row: row.shipped_rows), lambda pair: (world.interval(moment(pair[0].at)), pair[0].host)
    )
    return [[*cell, sum(more for _, more in found)] for cell, found in sorted(cells.items())]


def _host(row: PipelineStateRow) -> list[Cell]:
    store = "away" if row.is_away else "there"
    return [row.host, row.lag_seconds, row.spool_bytes, row.sealed_segments, store, row.workers, row.unsettled, row.at]


def _unpriced(world: World) -> Rows:
    groups = grouped(world.spend(), lambda row: (shown(row.provider), shown(row.model)))
    ordered = sorted(groups.items(), key=lambda pair: (-unpriced(pair[1]), [name.encode() for name in pair[0]]))
    told: Rows = [[*names, unpriced(rows), len(rows)] for names, rows in ordered if unpriced(rows)]
    return told[:50]


def _sources(world: World) -> Rows:
    groups = grouped(_served(world), lambda row: (row.usage_source, shown(row.provider)))
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [[*names, len(rows), sum(bool(row.usage_flaws) for row in rows), cost(rows)] for names, rows in ordered]


WANTED: Final[Mapping[int, Callable[[World], Rows]]] = {
    1: lambda world: [[max((row.lag_seconds for row in _latest(world)), default=None)]],
    2: lambda world: [[sum(row.spool_bytes for row in _latest(world)) if _latest(world) else None]],
    3: _sum(_dropped),
    4: _sum(_rejected),
    5: lambda world: [[unpriced(world.spend())]],
    6: _estimated,
    7: lambda world: [[sum(bool(row.usage_flaws) for row in world.calls())]],
    8: _newest,
    9: _most(lambda row: row.lag_seconds),
    10: _most(lambda row: row.spool_bytes),
    11: _lost,
    12: _shipped,
    13: lambda world: [_host(row) for row in _latest(world)],
    14: _unpriced,
    15: _sources,
}
