"""The routes of policy's decisions, as the one table takes them."""

from typing import Final

from proxy.admin.desks.decisions import explain_decision, list_decisions
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.common import Listing
from proxy.admin.shapes.decisions import Decision, DecisionExplained, DecisionQuery

EXAMPLE_DECISION: Final = "dec_019a9f3c8e007b4c8000000000000007"

DECISION_ROUTES: Final = (
    Route(
        method="GET",
        path="/decisions",
        permission=May.READ_OPERATIONS,
        handler=list_decisions,
        query=DecisionQuery,
        answer=Listing[Decision],
        row=Decision,
        example=Example(query="org=acme&point=request&allow=false&start_time=2026-11-20T00:00:00Z&limit=10"),
    ),
    Route(
        method="GET",
        path="/decisions/{decision}",
        permission=May.READ_OPERATIONS,
        handler=explain_decision,
        answer=DecisionExplained,
        example=Example(path={"decision": EXAMPLE_DECISION}),
    ),
)
