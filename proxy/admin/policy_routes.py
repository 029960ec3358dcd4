"""The routes of policies, as the one table takes them."""

from typing import Final

from proxy.admin.desks.policies import list_inputs
from proxy.admin.desks.proposals import (
    discard_candidate,
    get_candidate,
    get_policies,
    promote_candidate,
    put_candidate,
    roll_back,
)
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.common import Deleted, Listing
from proxy.admin.shapes.decisions import DecisionExplained
from proxy.admin.shapes.policies import Candidate, CandidateBody, InputQuery, Policies, ProposedSet

EXAMPLE_CANDIDATE: Final = "3b1c" * 16
"""Stands in the examples for the revision of the candidate."""
_RULE: Final = """package flyball.request

deny contains {"code": "too_dear", "msg": "Not by this key."} if input.model == "gpt-5-pro"
"""

POLICY_ROUTES: Final = (
    Route(
        method="GET",
        path="/policies",
        permission=May.READ_POLICIES,
        handler=get_policies,
        answer=Policies,
        example=Example(),
    ),
    Route(
        method="PUT",
        path="/policies/candidate",
        permission=May.CHANGE_POLICIES,
        handler=put_candidate,
        body=CandidateBody,
        answer=ProposedSet,
        conditional=True,
        example=Example(body={"modules": {"rules/models.rego": _RULE}, "data": {"allowed": ["gpt-5"]}}),
    ),
    Route(
        method="GET",
        path="/policies/candidate",
        permission=May.READ_POLICIES,
        handler=get_candidate,
        answer=Candidate,
        example=Example(),
    ),
    Route(
        method="DELETE",
        path="/policies/candidate",
        permission=May.CHANGE_POLICIES,
        handler=discard_candidate,
        answer=Deleted,
        conditional=True,
        example=Example(),
    ),
    Route(
        method="POST",
        path="/policies/promote",
        permission=May.CHANGE_POLICIES,
        handler=promote_candidate,
        answer=Policies,
        conditional=True,
        repeatable=False,
        example=Example(headers={"if-match": f'"{EXAMPLE_CANDIDATE}"'}),
    ),
    Route(
        method="POST",
        path="/policies/rollback",
        permission=May.CHANGE_POLICIES,
        handler=roll_back,
        answer=Policies,
        repeatable=False,
        example=Example(),
    ),
    Route(
        method="GET",
        path="/policies/inputs",
        permission=May.READ_POLICIES,
        handler=list_inputs,
        query=InputQuery,
        answer=Listing[DecisionExplained],
        row=DecisionExplained,
        example=Example(query="org=acme&point=request&start_time=2026-11-20T00:00:00Z&limit=10"),
    ),
)
