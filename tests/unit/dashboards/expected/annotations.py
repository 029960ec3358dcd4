"""What annotations must say."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from proxy.telemetry.rows import AttemptRow
from tests.unit.dashboards.seed import moment
from tests.unit.dashboards.world import Rows, World, grouped, shown, text


def _of_the_trail(*actions: str) -> Callable[[World], Rows]:
    def wanted(world: World) -> Rows:
        rows = [row for row in world.changes() if row.action in actions]
        told: Rows = [[row.at, f"{row.action} {row.subject} by {row.actor}", row.action] for row in rows]
        return sorted(told, key=lambda one: str(one[0]), reverse=True)[:200]

    return wanted


def _is_broken(row: AttemptRow) -> bool:
    return row.outcome == "truncated" or (row.outcome == "upstream_error" and (row.status == 0 or row.status >= 500))


def _outages(world: World) -> Rows:
    step = 86400 if world.is_long else 600

    def begin(row: AttemptRow) -> str:
        return text(datetime.fromtimestamp(moment(row.started_at).timestamp() // step * step, UTC))

    found = []
    for (when, provider), rows in grouped(world.tries(), lambda row: (begin(row), shown(row.provider))).items():
        failed = sum(map(_is_broken, rows))
        if len(rows) >= 10 and failed * 2 > len(rows):
            said = f"{provider}: {failed} of {len(rows)} requests failed"
            found.append((when, provider, said, len(rows), failed))
    found.sort(key=lambda one: one[1].encode())
    found.sort(key=lambda one: one[0], reverse=True)
    return [[when, said, provider, total, failed] for when, provider, said, total, failed in found]


WANTED: Final[Mapping[str, Callable[[World], Rows]]] = {
    "Budget edits": _of_the_trail("budget.put", "limit.raise"),
    "Price versions": _of_the_trail("prices.take"),
    "Policy promotions": _of_the_trail("policy.promote"),
    "Key rotations": _of_the_trail("key.rotate"),
    "Provider outages": _outages,
}
