"""What the board "Reliability" must say."""

from collections.abc import Callable, Mapping
from typing import Final

from proxy.telemetry.rows import AttemptRow, OperationRow
from tests.unit.dashboards.seed import moment
from tests.unit.dashboards.world import Rows, World, at, cost, grouped, key, quantile, ratio, shown

RULED: Final = {"budget_exceeded", "rate_limited", "policy_denied"}


def _is_well(row: OperationRow) -> bool:
    return row.outcome in {"ok", "cached"}


def _fault(row: OperationRow) -> str:
    if row.outcome in {"upstream_error", "truncated", "lost"}:
        return "provider"
    if row.code in RULED:
        return "a rule"
    return "Flyball" if row.code == "dependency_unavailable" else "client"


def _is_due(row: OperationRow) -> bool:
    return _is_well(row) or _fault(row) not in {"client", "a rule"}


def _answered(world: World) -> Rows:
    due = [row for row in world.calls() if _is_due(row)]
    return [[ratio(sum(map(_is_well, due)), len(due))]]


def _ended(outcome: str) -> Callable[[World], Rows]:
    return lambda world: [[sum(row.outcome == outcome for row in world.calls())]]


def _failed_with(*statuses: int) -> Callable[[World], Rows]:
    return lambda world: [[sum(row.status in statuses for row in world.tries())]]


def _again(world: World) -> list[OperationRow]:
    return [row for row in world.calls() if row.attempts > 1]


def _faults(world: World) -> Rows:
    bad = [row for row in world.calls() if not _is_well(row)]
    cells = grouped(bad, lambda row: (world.bucket(at(row)), _fault(row)))
    return [[*cell, len(rows)] for cell, rows in sorted(cells.items())]


def _broken(world: World) -> list[AttemptRow]:
    return [row for row in world.tries() if row.outcome == "upstream_error"]


def _statuses(world: World) -> Rows:
    def name(row: AttemptRow) -> str:
        return f"{shown(row.provider)} {row.status or 'no answer'}"

    cells = grouped(_broken(world), lambda row: (world.bucket(moment(row.started_at)), name(row)))
    return [[*cell, len(rows)] for cell, rows in sorted(cells.items())]


def _providers(world: World) -> Rows:
    groups = grouped(world.tries(), lambda row: shown(row.provider))
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [
        [
            name,
            len(rows),
            ratio(sum(row.outcome == "ok" for row in rows), len(rows)),
            sum(row.status == 429 for row in rows),
            sum(row.status in {503, 529} for row in rows),
            sum(row.status >= 500 and row.status not in {503, 529} for row in rows),
            sum(row.status == 0 and row.outcome == "upstream_error" for row in rows),
            sum(row.outcome == "truncated" for row in rows),
            sum(row.retry_after_s is not None for row in rows),
            quantile([row.duration_ms for row in rows], 0.95),
        ]
        for name, rows in ordered
    ]


def _errors(world: World) -> Rows:
    groups = grouped(_broken(world), lambda row: (shown(row.provider), shown(row.model), row.status, row.error))
    ordered = sorted(
        groups.items(),
        key=lambda pair: (-len(pair[1]), pair[0][0].encode(), pair[0][1].encode(), pair[0][2], pair[0][3].encode()),
    )
    return [[*names, len(rows)] for names, rows in ordered[:50]]


def _latest(world: World) -> Rows:
    failed = [row for row in world.calls() if _is_due(row) and not _is_well(row)]
    failed.sort(key=lambda row: row.operation_id)
    failed.sort(key=at, reverse=True)
    return [
        [
            row.charged_at,
            row.operation_id,
            key(row),
            shown(row.model),
            shown(row.provider),
            row.outcome,
            row.code,
            row.error,
        ]
        for row in failed[:20]
    ]


WANTED: Final[Mapping[int, Callable[[World], Rows]]] = {
    1: _answered,
    2: _ended("truncated"),
    3: _ended("lost"),
    4: _failed_with(429),
    5: _failed_with(503, 529),
    6: lambda world: [[len(_again(world))]],
    7: lambda world: [[sum(map(_is_well, _again(world)))]],
    8: lambda world: [[cost(row for row in world.tries() if row.outcome != "ok")]],
    9: _faults,
    10: _statuses,
    11: _providers,
    12: _errors,
    13: _latest,
}
