"""Decisions of policy: the recent ones, and one of them explained."""

from typing import Final

from proxy.admin.call import Answer, Call
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.common import to_ns
from proxy.admin.shapes.decisions import Decision, DecisionQuery, explain, show_decision
from proxy.core.clock import utc
from proxy.telemetry import DecisionRow, DecisionsQuery, decision_cursor

MOST_OF_AN_OPERATION: Final = 200
_FILTERS: Final = ("key", "agent", "run", "end_user", "point", "code", "tool", "operation", "revision")
_FLAGS: Final = ("allow", "shadow", "differs")


async def list_decisions(call: Call) -> Answer:
    """The newest decisions of policy on calls that the token reaches, without their inputs."""
    asked = call.query(DecisionQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    filters = {name: (value,) for name in _FILTERS if (value := getattr(asked, name)) is not None}
    if team is not None:
        filters["team"] = (team,)
    start_ns, end_ns = to_ns("start_time", asked.start_time), to_ns("end_time", asked.end_time)
    (before,) = place_of(asked.page, 1)
    question = DecisionsQuery(
        org=org,
        filters=filters,
        flags={name: value for name in _FLAGS if (value := getattr(asked, name)) is not None},
        start=None if start_ns is None else utc(start_ns),
        end=None if end_ns is None else utc(end_ns),
        limit=asked.limit + 1,
        before=before or None,
    )
    found = await call.rooms.reader.decisions(question)
    return Answer(listing(found, asked.limit, show_decision, lambda row: (decision_cursor(row),)))


async def explain_decision(call: Call) -> Answer:
    """One decision, and the facts it was made by, without anybody's words."""
    decision_id = call.path["decision"]
    question = DecisionsQuery(org=call.binding.org, filters={"decision": (decision_id,)}, limit=1, whole=True)
    for row in await call.rooms.reader.decisions(question):
        if call.binding.sees(row.org, row.team):
            return Answer(explain(row))
    raise Refusal(Fault.NOT_FOUND, f"There is no decision {decision_id}.")


async def decisions_of(call: Call, operation_id: str, org: str) -> tuple[Decision, ...]:
    """What was decided on one operation, in that order."""
    question = DecisionsQuery(org=org, filters={"operation": (operation_id,)}, limit=MOST_OF_AN_OPERATION)
    found = await call.rooms.reader.decisions(question)
    return tuple(show_decision(row) for row in sorted(found, key=_when))


def _when(row: DecisionRow) -> tuple[str, str]:
    return row.decided_at, row.decision_id
