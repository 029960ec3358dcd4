"""What the board "Policy" must say."""

from collections.abc import Callable, Mapping
from typing import Final

from proxy.telemetry.rows import DecisionRow
from tests.unit.dashboards.seed import moment
from tests.unit.dashboards.world import Rows, World, grouped, key, quantile, ratio, shown, text


def _live(world: World) -> list[DecisionRow]:
    return [row for row in world.decided() if not row.shadow]


def _is_no(row: DecisionRow) -> bool:
    return not (row.shadow or row.allow or row.observed)


def _denied(world: World) -> list[DecisionRow]:
    return [row for row in world.decided() if _is_no(row)]


def _tried(world: World) -> list[DecisionRow]:
    return [row for row in world.decided() if row.shadow]


def _p95(world: World) -> Rows:
    return [[quantile([row.latency_us for row in world.decided()], 0.95) if world.decided() else None]]


def _over_time(
    rows: Callable[[World], list[DecisionRow]], name: Callable[[DecisionRow], str]
) -> Callable[[World], Rows]:
    def wanted(world: World) -> Rows:
        cells = grouped(rows(world), lambda row: (world.bucket(moment(row.decided_at)), name(row)))
        ordered = sorted(cells.items(), key=lambda pair: [part.encode() for part in pair[0]])
        return [[*cell, len(found)] for cell, found in ordered]

    return wanted


def _who(world: World) -> Rows:
    groups = grouped(_denied(world), lambda row: (row.code, row.point, key(row), shown(row.agent)))
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), [name.encode() for name in pair[0]]))
    return [[*names, len(rows)] for names, rows in ordered[:50]]


def _latest(world: World) -> Rows:
    rows = sorted(_denied(world), key=lambda row: row.decision_id)
    rows.sort(key=lambda row: row.decided_at, reverse=True)
    return [[row.decided_at, row.decision_id, row.operation_id, key(row), row.code, row.message] for row in rows[:20]]


def _tools(world: World) -> Rows:
    groups = grouped([row for row in _live(world) if row.tool], lambda row: row.tool)
    counts = [(name, len(rows), sum(map(_is_no, rows))) for name, rows in groups.items()]
    counts.sort(key=lambda one: (-one[2], -one[1], one[0].encode()))
    return [list(one) for one in counts]


def _tried_rules(world: World) -> Rows:
    groups = grouped(_tried(world), lambda row: (row.revision, row.point))
    different = {names: [row for row in rows if row.differs] for names, rows in groups.items()}
    return [
        [
            *names,
            len(groups[names]),
            len(rows),
            sum(not row.allow for row in rows),
            ratio(len(rows), len(groups[names])),
        ]
        for names, rows in sorted(different.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    ]


def _time_taken(world: World) -> Rows:
    cells = grouped(world.decided(), lambda row: world.bucket(moment(row.decided_at)))
    told = {when: [row.latency_us for row in rows] for when, rows in cells.items()}
    return [[when, quantile(values, 0.5), quantile(values, 0.95)] for when, values in sorted(told.items())]


def _revisions(world: World) -> Rows:
    edges = {world.start.date(), world.end.date()}

    def when(row: DecisionRow) -> str:
        decided = moment(row.decided_at)
        whole = world.is_long and decided.date() not in edges
        return f"{decided:%Y-%m-%d} 00:00:00" if whole else text(decided)

    groups = grouped(_live(world), lambda row: (row.revision, row.engine))
    told: Rows = [
        [*names, len(rows), sum(map(_is_no, rows)), min(map(when, rows)), max(map(when, rows))]
        for names, rows in sorted(groups.items())
    ]
    return sorted(told, key=lambda one: str(one[5]), reverse=True)


WANTED: Final[Mapping[int, Callable[[World], Rows]]] = {
    1: lambda world: [[len(_live(world))]],
    2: lambda world: [[len(_denied(world))]],
    3: lambda world: [[ratio(len(_denied(world)), len(_live(world)))]],
    4: lambda world: [[sum(row.observed for row in _live(world))]],
    5: lambda world: [[sum(row.obligations != "[]" for row in _live(world))]],
    6: lambda world: [[sum(row.approval_id != "" for row in _live(world))]],
    7: lambda world: [[sum(row.differs for row in _tried(world))]],
    8: _p95,
    9: _over_time(_live, lambda row: row.point),
    10: _over_time(_denied, lambda row: row.code),
    11: _who,
    12: _latest,
    13: _tools,
    14: _over_time(lambda world: [row for row in _tried(world) if row.differs], lambda row: row.code or "would allow"),
    15: _tried_rules,
    16: _time_taken,
    17: _revisions,
}
