"""Policies: what they were asked with."""

from proxy.admin.call import Answer, Call
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.common import to_ns
from proxy.admin.shapes.decisions import explain
from proxy.admin.shapes.policies import InputQuery
from proxy.core.clock import utc
from proxy.telemetry import DecisionsQuery, decision_cursor


async def list_inputs(call: Call) -> Answer:
    """Decisions that counted, each with the facts it was made by, without anybody's words: what a draft of policies is
    tried on."""
    asked = call.query(InputQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    named = {"point": asked.point, "operation": asked.operation, "team": team}
    start_ns, end_ns = to_ns("start_time", asked.start_time), to_ns("end_time", asked.end_time)
    (before,) = place_of(asked.page, 1)
    question = DecisionsQuery(
        org=org,
        filters={name: (value,) for name, value in named.items() if value is not None},
        flags={"shadow": False},
        start=None if start_ns is None else utc(start_ns),
        end=None if end_ns is None else utc(end_ns),
        limit=asked.limit + 1,
        before=before or None,
        whole=True,
    )
    found = await call.rooms.reader.decisions(question)
    return Answer(listing(found, asked.limit, explain, lambda row: (decision_cursor(row),)))
