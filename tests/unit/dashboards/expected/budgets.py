"""What the board "Budgets" must say."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from proxy.telemetry.rows import BudgetStateRow, OperationRow
from tests.unit.dashboards.seed import moment
from tests.unit.dashboards.world import Rows, World, at, grouped, key, ratio, shown


def _latest(world: World) -> list[BudgetStateRow]:
    groups = grouped(world.budgets(), lambda row: (row.org, row.name))
    return [max(rows, key=lambda row: row.at) for rows in groups.values()]


def _used(row: BudgetStateRow) -> float | None:
    return ratio(Decimal(row.spent) + Decimal(row.held), Decimal(row.limit_amount))


def _title(row: BudgetStateRow) -> str:
    return f"{row.org}/{row.name}"


def _by_use(world: World) -> list[BudgetStateRow]:
    # A budget of nothing has used no share of it: last.
    return sorted(
        _latest(world),
        key=lambda row: (_used(row) is None, -(_used(row) or 0.0), row.org.encode(), row.name.encode()),
    )


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _now(world: World) -> Rows:
    return [
        [
            _title(row),
            row.scope,
            row.unit,
            Decimal(row.limit_amount),
            Decimal(row.spent),
            Decimal(row.held),
            Decimal(row.remaining),
            _used(row),
            ", ".join(row.rungs),
            row.resets_at,
            _amount(row.expected),
            _amount(row.low),
            _amount(row.high),
            row.exhausted_at,
            row.exhausted_earliest_at,
            row.unforeseen,
        ]
        for row in _by_use(world)
    ]


def _course(world: World) -> list[tuple[tuple[str, str], BudgetStateRow]]:
    """The last telling in each interval, of the ten budgets that used most."""
    emptiest = {_title(row) for row in _by_use(world)[:10]}
    rows = [row for row in world.budgets() if _title(row) in emptiest]
    cells = grouped(rows, lambda row: (world.interval(moment(row.at)), _title(row)))
    ordered = sorted(cells.items(), key=lambda pair: [part.encode() for part in pair[0]])
    return [(cell, max(found, key=lambda row: row.at)) for cell, found in ordered]


def _burn_down(world: World) -> Rows:
    # A budget of nothing has no share to show: the last share that there was, or none.
    return [[*cell, ratio(Decimal(row.remaining), Decimal(row.limit_amount))] for cell, row in _course(world)]


def _spent(world: World) -> Rows:
    return [[*cell, float(row.spent)] for cell, row in _course(world) if row.unit == "usd"]


def _refused(world: World) -> list[OperationRow]:
    return [row for row in world.calls() if row.code == "budget_exceeded"]


def _refusals_over_time(world: World) -> Rows:
    cells = grouped(_refused(world), lambda row: (world.bucket(at(row)), shown(row.refused_by)))
    ordered = sorted(cells.items(), key=lambda pair: [part.encode() for part in pair[0]])
    return [[*cell, len(rows)] for cell, rows in ordered]


def _counted(rows: list[OperationRow], name: Callable[[OperationRow], tuple[str, ...]]) -> Rows:
    ordered = sorted(grouped(rows, name).items(), key=lambda pair: (-len(pair[1]), [part.encode() for part in pair[0]]))
    return [[*names, len(found)] for names, found in ordered[:50]]


def _observed(world: World) -> list[OperationRow]:
    return [row for row in world.calls() if row.would_code]


def _steps_over_time(world: World) -> Rows:
    steps = [(world.bucket(at(row)), step) for row in world.calls() for step in row.ladder]
    return [[*cell, len(found)] for cell, found in sorted(grouped(steps, lambda step: step).items())]


def _steps(world: World) -> Rows:
    steps = grouped([(row, step) for row in world.calls() for step in row.ladder], lambda pair: pair[1])
    ordered = sorted(steps.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [[step, len(found), len({key(row) for row, _ in found})] for step, found in ordered]


WANTED: Final[Mapping[int, Callable[[World], Rows]]] = {
    1: lambda world: [[len(_latest(world))]],
    2: lambda world: [[sum((_used(row) or 0) >= 0.9 for row in _latest(world))]],
    3: lambda world: [[sum(row.is_hard and not Decimal(row.remaining) for row in _latest(world))]],
    4: lambda world: [[len(_refused(world))]],
    5: lambda world: [[sum(row.would_code == "budget_exceeded" for row in world.calls())]],
    6: lambda world: [[sum(row.clamped_to > 0 for row in world.calls())]],
    7: lambda world: [[sum((Decimal(row.overrun_usd) for row in world.calls()), Decimal(0))]],
    8: _now,
    9: _burn_down,
    10: _spent,
    11: _refusals_over_time,
    12: lambda world: _counted(_refused(world), lambda row: (shown(row.refused_by), key(row))),
    13: lambda world: _counted(_observed(world), lambda row: (row.would_by, row.would_code, key(row))),
    14: _steps_over_time,
    15: _steps,
}
