"""The routes of approvals, as the one table takes them."""

from typing import Final

from proxy.admin.desks.approvals import approve_call, deny_call, get_approval, list_approvals
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.approvals import Approval, ApprovalExplained, ApprovalQuery, DecideBody
from proxy.admin.shapes.common import Listing

ASKED: Final = ("apr_019a9f3c8e007b4c8000000000000001", "apr_019a9f3c8e007b4c8000000000000002")
"""Stand in the examples for the ids of two approvals that wait."""
_FIRST: Final = {"approval": ASKED[0]}

APPROVAL_ROUTES: Final = (
    Route(
        method="GET",
        path="/approvals",
        permission=May.READ_APPROVALS,
        handler=list_approvals,
        query=ApprovalQuery,
        answer=Listing[Approval],
        row=Approval,
        example=Example(query="org=acme&state=pending&limit=10"),
    ),
    Route(
        method="GET",
        path="/approvals/{approval}",
        permission=May.READ_APPROVALS,
        handler=get_approval,
        answer=ApprovalExplained,
        example=Example(path=_FIRST),
    ),
    Route(
        method="POST",
        path="/approvals/{approval}/approve",
        permission=May.DECIDE_APPROVALS,
        handler=approve_call,
        body=DecideBody,
        answer=Approval,
        repeatable=False,
        example=Example(path=_FIRST, body={"note": "agreed with the on-call"}),
    ),
    Route(
        method="POST",
        path="/approvals/{approval}/deny",
        permission=May.DECIDE_APPROVALS,
        handler=deny_call,
        body=DecideBody,
        answer=Approval,
        repeatable=False,
        example=Example(path={"approval": ASKED[1]}, body={"note": "not in production"}),
    ),
)
