"""request: a person says yes to this very call; their yes lets it pass once, and is used up by it."""

import asyncio
from typing import Final

from proxy.core.clock import utc
from proxy.core.refusal import JsonValue, Refusal, Refused
from proxy.journey.await_person import await_person, patience_s, refuse_gone
from proxy.journey.observe import note, observes
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Approval, ApprovalRequest, ApprovalsUnavailable, Point, RequireApproval, TooMany

DENIED: Final = "approval_denied"
BY: Final = "policy/require_approval"
PATH: Final = "/v1/flyball/approvals/"
NS: Final = 1_000_000_000


async def approve(journey: Journey, needed: RequireApproval, rooms: Rooms) -> None:
    """Let the call pass if a person has approved it, else ask for it: the same approval however often it is repeated.

    Raises:
        Refused: APPROVAL_REQUIRED with the approval to wait for; POLICY_DENIED where it was denied, or as many wait as
            may; DEPENDENCY_UNAVAILABLE; SHUTTING_DOWN.
        UpstreamFailed: the client left while its call was held open.
    """
    if journey.approval:
        return  # once more on its way, with another model
    if observes(journey):
        note(journey, Refusal.APPROVAL_REQUIRED, BY)
        return
    try:
        found = await asyncio.to_thread(_asked_for, journey, needed, rooms)
        if found.state == "pending" and (seconds := patience_s(needed.wait_s, rooms)):
            found = await _waited(journey, found, needed, seconds, rooms)
    except ApprovalsUnavailable as error:
        raise unavailable(error) from error
    except TooMany as error:
        raise too_many(error, Point.REQUEST) from error
    journey.approval = found.id
    decision = ""
    if journey.asked is not None:
        journey.asked.approval_id, decision = found.id, journey.asked.decision_id
    if found.state != "used":
        raise refusal_of(found, decision)
    journey.say(f"approved by {found.decided_by} ({found.id})")


async def _waited(journey: Journey, found: Approval, needed: RequireApproval, seconds: int, rooms: Rooms) -> Approval:
    """The approval after a wait; nothing is held and no answer has begun meanwhile."""
    decided = await await_person(journey, found, seconds, rooms)
    if decided.state == "approved":
        return await asyncio.to_thread(_asked_for, journey, needed, rooms)
    if decided.state == "pending":
        refuse_gone(journey, rooms)
    return decided


def _asked_for(journey: Journey, needed: RequireApproval, rooms: Rooms) -> Approval:
    return rooms.approvals.pass_once(request_of(journey, Point.REQUEST, needed, rooms))


def request_of(journey: Journey, point: Point, needed: RequireApproval, rooms: Rooms) -> ApprovalRequest:
    """What an approver is asked about a call. Blocks for as long as a large body takes."""
    principal, claims, now_ns = journey.principal, journey.claims, rooms.clock.now_ns()
    return ApprovalRequest(
        digest=digest_of(journey, rooms),
        point=point,
        org=principal.org,
        team=principal.team,
        key_id=principal.key_id,
        key_name=principal.key_name,
        owner=principal.owner,
        run=claims.run,
        agent=claims.agent or principal.key_name,
        end_user=claims.end_user,
        endpoint=journey.call.endpoint.value,
        model=journey.request.model[:200],
        operation=journey.call.operation,
        revision=journey.snapshot.policy.revision,
        reason=needed.reason,
        estimate=journey.estimate.amount,
        made_ns=now_ns,
        expires_ns=now_ns + needed.expires_s * NS,
    )


def digest_of(journey: Journey, rooms: Rooms) -> bytes:
    """What the call is known by when it comes again: key, run, endpoint, path and body, but for ids of tool calls."""
    call, body = journey.call, journey.call.dialect.without_call_ids(journey.call.endpoint, journey.original)
    # The model may stand in the path.
    path = call.path.encode("latin-1")
    key, run = journey.principal.key_id.encode(), journey.claims.run.encode("utf-8", "surrogatepass")
    return rooms.approvals.digest(key, run, call.endpoint.value.encode(), path, call.query, body)


def refusal_of(found: Approval, decision: str) -> Refused:
    """The answer to a call whose approval is not there: still waited for, or denied. `decision`: its row's id."""
    facts = facts_of(found, decision)
    if found.state == "denied":
        return Refused(
            Refusal.POLICY_DENIED,
            f"A person has denied this{f': {found.note}' if found.note else '.'}",
            facts={"rule": DENIED, "point": found.point, "revision": found.revision, **facts},
            by=f"policy/{DENIED}",
        )
    what = "this call" if found.point == Point.REQUEST.value else "the tool calls in the answer"
    return Refused(
        Refusal.APPROVAL_REQUIRED,
        f"A person must approve {what} first{f': {found.reason}' if found.reason else ''}. Ask {PATH}{found.id} how it "
        "stands, and send the same request again once it is approved.",
        facts={"reason": found.reason, "point": found.point, **facts},
        headers=((b"location", f"{PATH}{found.id}".encode()),),
        by=BY,
    )


def facts_of(found: Approval, decision: str) -> dict[str, JsonValue]:
    """The approval as refusals tell it."""
    expires_at = utc(found.expires_ns).isoformat(timespec="seconds")
    return {"approval": found.id, "expires_at": expires_at, "decision": decision}


def too_many(error: TooMany, point: Point) -> Refused:
    """The answer where no further approval is made."""
    facts: dict[str, JsonValue] = {"rule": error.code, "point": point.value}
    return Refused(Refusal.POLICY_DENIED, error.message, facts=facts, by=f"policy/{error.code}")


def unavailable(error: Exception) -> Refused:
    """The answer when nobody can say whether the call was approved: nothing passes."""
    return Refused(
        Refusal.DEPENDENCY_UNAVAILABLE,
        "Approvals cannot be asked for now, so nothing that needs one may pass; try again shortly.",
        facts={"dependency": "approvals", "detail": type(error).__name__},
        retry_after_s=1,
    )
