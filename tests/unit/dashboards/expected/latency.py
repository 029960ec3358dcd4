"""What the board "Latency and streams" must say."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from proxy.telemetry.rows import OperationRow
from proxy.telemetry.stages import shown_stages
from tests.unit.dashboards.world import Near, Rows, World, at, grouped, outputs, quantile, ratio, shown

Value: TypeAlias = Callable[[OperationRow], float | None]


def _duration(row: OperationRow) -> float:
    return row.duration_ms


def _first(row: OperationRow) -> float | None:
    return row.ttft_ms


def _overhead(row: OperationRow) -> float:
    return row.overhead_ms


def _flowed(row: OperationRow) -> bool:
    return row.ttft_ms is not None and row.duration_ms > row.ttft_ms


def _rate(row: OperationRow) -> float | None:
    if not _flowed(row) or not outputs([row]):
        return None
    return 1000 * outputs([row]) / (row.duration_ms - (row.ttft_ms or 0))


def _good(world: World) -> list[OperationRow]:
    return [row for row in world.calls() if row.outcome == "ok"]


def _at(level: float, value: Value, rows: list[OperationRow]) -> Near | None:
    values = [found for row in rows if (found := value(row)) is not None]
    return quantile(values, level) if values else None


def _whole(level: float, value: Value) -> Callable[[World], Rows]:
    return lambda world: [[_at(level, value, _good(world))]]


def _over_time(value: Value) -> Callable[[World], Rows]:
    def wanted(world: World) -> Rows:
        cells = grouped([row for row in _good(world) if value(row) is not None], lambda row: world.bucket(at(row)))
        return [
            [when, _at(0.5, value, rows), _at(0.95, value, rows), _at(0.99, value, rows)]
            for when, rows in sorted(cells.items())
        ]

    return wanted


def _share_streamed(world: World) -> Rows:
    return [[ratio(sum(row.streamed for row in world.calls()), len(world.calls()))]]


def _left(world: World) -> Rows:
    streams = [row for row in world.calls() if row.streamed]
    return [[ratio(sum(row.outcome == "cancelled" for row in streams), len(streams))]]


def _models(world: World) -> Rows:
    groups = grouped(_good(world), lambda row: (shown(row.model), shown(row.provider)))
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), [name.encode() for name in pair[0]]))
    return [
        [
            *names,
            len(rows),
            _at(0.5, _duration, rows),
            _at(0.95, _duration, rows),
            _at(0.5, _first, rows),
            _at(0.95, _first, rows),
            _at(0.5, _rate, rows),
            ratio(
                outputs(row for row in rows if _flowed(row)) * 1000,
                sum(row.duration_ms - (row.ttft_ms or 0) for row in rows if _flowed(row)),
            ),
        ]
        for names, rows in ordered
    ]


def _spent(rows: list[OperationRow]) -> dict[str, float]:
    spent = [row.stages_ms or shown_stages(row.stages_us, row.duration_ms) for row in rows]
    names = {stage for each in spent for stage, length in each.items() if length}
    return {stage: sum(each.get(stage, 0) for each in spent) for stage in names}


def _stages_over_time(world: World) -> Rows:
    cells = grouped(world.calls(), lambda row: world.bucket(at(row)))
    return [
        [when, stage, ms / len(rows)]
        for when, rows in sorted(cells.items())
        for stage, ms in sorted(_spent(rows).items())
    ]


def _stages(world: World) -> Rows:
    spent = _spent(world.calls())
    ordered = sorted(spent.items(), key=lambda pair: (-pair[1], pair[0]))
    return [[stage, ms, ms / len(world.calls()), ratio(ms, sum(spent.values()))] for stage, ms in ordered]


WANTED: Final[Mapping[int, Callable[[World], Rows]]] = {
    1: _whole(0.5, _duration),
    2: _whole(0.95, _duration),
    3: _whole(0.5, _first),
    4: _whole(0.95, _first),
    5: _whole(0.5, _rate),
    6: _whole(0.95, _overhead),
    7: _share_streamed,
    8: _left,
    9: _over_time(_duration),
    10: _over_time(_first),
    11: _over_time(_rate),
    12: _over_time(_overhead),
    13: _models,
    14: _stages_over_time,
    15: _stages,
}
