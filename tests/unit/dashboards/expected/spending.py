"""Spend over time, as several boards show it."""

from collections.abc import Callable

from dashboards.sql.query import OTHERS
from proxy.telemetry.rows import OperationRow
from tests.unit.dashboards.world import Rows, World, at, cost, grouped


def spend_by(name: Callable[[OperationRow], str]) -> Callable[[World], Rows]:
    """Spend over time of the ten dearest names, and of the others."""

    def wanted(world: World) -> Rows:
        sums = {each: cost(rows) for each, rows in grouped(world.spend(), name).items()}
        dearest = sorted(sums, key=lambda each: (-sums[each], each.encode()))[:10]
        cells = grouped(
            world.spend(), lambda row: (world.local_bucket(at(row)), name(row) if name(row) in dearest else OTHERS)
        )
        ordered = sorted(cells.items(), key=lambda cell: (cell[0][0], cell[0][1].encode()))
        return [[when, who, cost(rows)] for (when, who), rows in ordered]

    return wanted
