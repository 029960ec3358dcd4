"""What enforcement would do, before it is switched on."""

import asyncio
from datetime import timedelta
from typing import Final

from proxy.admin.binding import owner_of
from proxy.admin.call import Answer, Call
from proxy.admin.checking import refused
from proxy.admin.faults import Problem
from proxy.admin.shapes.common import to_ns
from proxy.admin.shapes.observe import ObserveQuery, ObserveReport, Observing, show_would_refuse
from proxy.budget import LineKind
from proxy.core.clock import utc
from proxy.core.money import to_usd_text
from proxy.telemetry import ObservedQuery

DAYS: Final = 7


async def report_observed(call: Call) -> Answer:
    """Who would have been refused where enforcement is `observe`, by what, and what those calls cost."""
    asked = call.query(ObserveQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    end = utc(to_ns("end_time", asked.end_time) or call.now_ns())
    start_ns = to_ns("start_time", asked.start_time)
    start = end - timedelta(days=DAYS) if start_ns is None else utc(start_ns)
    if start >= end:
        raise refused([Problem("start_time", "must lie before end_time")])
    question = ObservedQuery(org=org, team=team, start=start, end=end, limit=asked.limit + 1)
    found = await call.rooms.reader.observed(question)
    return Answer(
        ObserveReport(
            start_time=start,
            end_time=end,
            observing=await asyncio.to_thread(_observing, call, org, team),
            calls=found.calls,
            would_refuse=found.would_refuse,
            cost_usd=to_usd_text(found.cost),
            cost_nano=found.cost,
            data=tuple(show_would_refuse(each) for each in found.each[: asked.limit]),
            has_more=len(found.each) > asked.limit,
        )
    )


def _observing(call: Call, org: str | None, team: str | None) -> Observing:
    rooms = call.rooms
    observed = [
        budget
        for budget in rooms.budget_store.list(org)
        if budget.enforcement == "observe" and team in (None, owner_of(budget.scope)[1])
    ]
    return Observing(
        everyone=rooms.observes_all(),
        orgs=tuple(sorted(each for each in rooms.key_store.observing() if org in (None, each))),
        budgets=tuple(each.name for each in observed if each.kind is LineKind.BUDGET),
        limits=tuple(each.name for each in observed if each.kind is LineKind.RATE),
    )
