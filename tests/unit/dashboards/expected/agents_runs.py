"""What the board "Agents and runs" must say."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from dashboards.sql.query import MOST_SERIES, OTHERS
from proxy.telemetry.rows import OperationRow
from tests.unit.dashboards.expected.spending import spend_by
from tests.unit.dashboards.seed import moment
from tests.unit.dashboards.world import Near, OneOf, Rows, World, at, cost, grouped, key, ratio, shown


def _calls(world: World) -> list[OperationRow]:
    return [row for row in world.calls() if row.run]


def _runs(rows: list[OperationRow]) -> dict[tuple[str, str], list[OperationRow]]:
    return grouped(rows, lambda row: (key(row), row.run))


def _at_rank(level: float) -> Callable[[World], Rows]:
    def wanted(world: World) -> Rows:
        costs = sorted(float(cost(rows)) for rows in _runs(_calls(world)).values())
        if not costs:
            return [[None]]
        rank = level * (len(costs) - 1)
        low, high = costs[math.floor(rank)], costs[min(math.ceil(rank) + 1, len(costs) - 1)]
        return [[Near(low, high)]]

    return wanted


def _dearest_of_all(world: World) -> Rows:
    return [[max((cost(rows) for rows in _runs(_calls(world)).values()), default=None)]]


def _tools(rows: list[OperationRow]) -> int:
    return sum(row.tool_calls for row in rows)


def _agents(world: World) -> Rows:
    groups = grouped(_calls(world), lambda row: shown(row.agent))
    ordered = sorted(groups.items(), key=lambda pair: (-cost(pair[1]), pair[0].encode()))
    return [
        [
            name,
            len(_runs(rows)),
            len(rows),
            _tools(rows),
            ratio(_tools(rows), len(rows)),
            ratio(len(rows), len(_runs(rows))),
            cost(rows),
            ratio(cost(rows), len(_runs(rows))),
            sum(row.outcome == "refused" for row in rows),
            sum(row.outcome in {"upstream_error", "truncated", "lost"} for row in rows),
        ]
        for name, rows in ordered
    ]


def _intensity(world: World) -> Rows:
    cells = grouped(_calls(world), lambda row: world.bucket(at(row)))
    return [
        [when, ratio(len(rows), len(_runs(rows))), ratio(_tools(rows), len(rows))]
        for when, rows in sorted(cells.items())
    ]


def _listed(order: Callable[[list[OperationRow]], float]) -> Callable[[World], Rows]:
    def wanted(world: World) -> Rows:
        ordered = sorted(
            _runs(_calls(world)).items(), key=lambda pair: (-order(pair[1]), [name.encode() for name in pair[0]])
        )
        return [
            [
                run,
                path,
                OneOf(tuple(shown(row.agent) for row in rows)),
                len(rows),
                _tools(rows),
                sum(row.outcome == "refused" for row in rows),
                cost(rows),
                min(row.charged_at for row in rows),
                max(row.finished_at for row in rows),
            ]
            for (path, run), rows in ordered[:20]
        ]

    return wanted


def _tools_over_time(world: World) -> Rows:
    calls = world.tool_calls()
    often = grouped(calls, lambda row: shown(row.tool))
    first = sorted(often, key=lambda name: (-len(often[name]), name.encode()))[:MOST_SERIES]
    cells = grouped(
        calls,
        lambda row: (world.bucket(moment(row.called_at)), shown(row.tool) if shown(row.tool) in first else OTHERS),
    )
    ordered = sorted(cells.items(), key=lambda pair: [part.encode() for part in pair[0]])
    return [[*cell, len(rows)] for cell, rows in ordered]


def _each_tool(world: World) -> Rows:
    groups = grouped(world.tool_calls(), lambda row: shown(row.tool))
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0].encode()))
    return [
        [
            name,
            len(rows),
            len({row.operation_id for row in rows}),
            sum(row.code != "" for row in rows),
            len({(row.org, row.team, row.key_name) for row in rows}),
            len({row.agent for row in rows if row.agent}),
            len({(row.org, row.team, row.key_name, row.run) for row in rows if row.run}),
        ]
        for name, rows in ordered
    ]


WANTED: Final[Mapping[int, Callable[[World], Rows]]] = {
    1: lambda world: [[len(_runs(_calls(world)))]],
    2: _at_rank(0.5),
    3: _at_rank(0.95),
    4: _dearest_of_all,
    5: lambda world: [[ratio(len(_calls(world)), len(_runs(_calls(world))))]],
    6: lambda world: [[ratio(_tools(_calls(world)), len(_calls(world)))]],
    7: _agents,
    8: spend_by(lambda row: shown(row.agent)),
    9: _intensity,
    10: _listed(lambda rows: float(cost(rows))),
    11: _listed(len),
    12: _tools_over_time,
    13: _each_tool,
}
