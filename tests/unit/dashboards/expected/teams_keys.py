"""What the board "Teams and keys" must say."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from proxy.telemetry.rows import OperationRow
from tests.unit.dashboards.expected.spending import spend_by
from tests.unit.dashboards.world import (
    Rows,
    World,
    at,
    cost,
    grouped,
    key,
    quarter,
    ratio,
    shown,
    team,
    text,
    tokens,
    unpriced,
)


def _chargeback(world: World) -> Rows:
    groups = grouped(world.spend(), lambda row: (row.org, shown(row.team), shown(row.cost_center)))
    whole = cost(world.spend())
    ordered = sorted(groups.items(), key=lambda pair: (-cost(pair[1]), [name.encode() for name in pair[0]]))
    return [
        [
            *names,
            len(rows),
            tokens(rows),
            sum((Decimal(row.list_usd) for row in rows if row.list_usd), Decimal(0)),
            cost(rows),
            unpriced(rows),
            ratio(cost(rows), whole),
        ]
        for names, rows in ordered
    ]


def _centers(world: World) -> Rows:
    groups = grouped(world.spend(), lambda row: shown(row.cost_center))
    ordered = sorted(groups.items(), key=lambda pair: (-cost(pair[1]), pair[0].encode()))
    return [[name, len({team(row) for row in rows}), len(rows), cost(rows)] for name, rows in ordered]


def _keys(world: World) -> Rows:
    edges = {world.start.date(), world.end.date()}

    def when(row: OperationRow) -> str:
        if world.is_long and at(row).date() not in edges:
            return f"{at(row):%Y-%m-%d} 00:00:00"
        return text(quarter(at(row)))

    ordered = sorted(grouped(world.spend(), key).items(), key=lambda pair: (-cost(pair[1]), pair[0].encode()))
    return [
        [
            name,
            len({row.agent for row in rows} - {""}),
            len({row.model for row in rows} - {""}),
            len(rows),
            sum(row.outcome == "refused" for row in rows),
            cost(rows),
            max(map(when, rows)),
        ]
        for name, rows in ordered
    ]


def _refused(world: World) -> Rows:
    refused = [row for row in world.calls() if row.outcome == "refused"]
    groups = grouped(refused, lambda row: (key(row), row.code, shown(row.refused_by)))
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), [name.encode() for name in pair[0]]))
    return [[*names, len(rows)] for names, rows in ordered[:50]]


WANTED: Final[Mapping[int, Callable[[World], Rows]]] = {
    1: lambda world: [[len({team(row) for row in world.spend()})]],
    2: lambda world: [[len({key(row) for row in world.spend()})]],
    3: lambda world: [[cost(world.spend())]],
    4: lambda world: [[cost(row for row in world.spend() if not row.cost_center)]],
    5: _chargeback,
    6: spend_by(lambda row: row.org),
    7: spend_by(team),
    8: _centers,
    9: _keys,
    10: _refused,
}
