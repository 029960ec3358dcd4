"""policy: may the call go on, and under which obligations?"""

from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.journey.ask import Asked, ask, ask_shadow_later, note_decision, note_own, reads_at, tell_decision
from proxy.journey.oblige import oblige
from proxy.journey.observe import refuse_unless_observed
from proxy.journey.policy_facts import candidate_id, policy_facts
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Decision, Denial, Point, PolicyUnavailable

PROVIDER_TOOL: Final = "provider_tool"
_REQUEST: Final = Point.REQUEST
_ROUTE: Final = Point.ROUTE
_TOOL_CALL: Final = Point.TOOL_CALL


async def decide(journey: Journey, rooms: Rooms, point: Point) -> None:
    """Ask the policy at one point of the journey, and carry out what it obliges to.

    Where no rule beyond the grant is loaded the engine is not entered: every known principal is granted.

    Raises:
        Refused: POLICY_DENIED, naming the rule; DEPENDENCY_UNAVAILABLE where there is no decision;
            APPROVAL_REQUIRED; what resolving and estimating the obliged call anew refuses.
    """
    engine = journey.snapshot.policy
    if not engine.is_live(point):
        if point is _REQUEST:
            journey.decision = engine.grant
        if engine.has_shadow(point):
            ask_shadow_later(journey, rooms, point, await policy_facts(journey, rooms, point, reads_at(engine, point)))
        if point is _REQUEST and journey.request.hosted_tools and engine.is_live(_TOOL_CALL):
            _refuse_hosted(journey, rooms)
        return
    facts = await policy_facts(journey, rooms, point, reads_at(engine, point))
    asked = await ask(journey, rooms, point, facts)
    journey.asked = asked.row
    try:
        await _carry_out(journey, asked, rooms, point)
    finally:
        note_decision(rooms, asked.row)


async def _carry_out(journey: Journey, asked: Asked, rooms: Rooms, point: Point) -> None:
    decision, row, failure = asked
    if failure is not None:
        raise unavailable(failure) from failure
    journey.decision = decision
    journey.mark("policy", rooms.clock.monotonic_ns())
    if not decision.allow:
        refuse_unless_observed(journey, denied(decision, point, row.decision_id))
        return
    if point is _ROUTE:
        _drop_candidates(journey, asked)
    if decision.duties is not journey.snapshot.policy.grant.duties:
        await oblige(journey, decision.duties, rooms)
        if point is _ROUTE:  # where the call was resolved anew they are all there again
            _drop_candidates(journey, asked)


def _refuse_hosted(journey: Journey, rooms: Rooms) -> None:
    """Where rules look at tool calls, tools that the provider runs would pass them by: a rule must list them.

    Raises:
        Refused: POLICY_DENIED.
    """
    kinds = ", ".join(sorted(set(journey.request.hosted_tools)))
    said = f"Tools that the provider runs must be listed by a rule: {kinds}."
    no = Decision(allow=False, revision=journey.snapshot.policy.revision, denials=(Denial(PROVIDER_TOOL, said),))
    journey.decision = no
    refuse_unless_observed(journey, denied(no, _REQUEST, note_own(journey, rooms, _REQUEST, no)))


def denied(decision: Decision, point: Point, decision_id: str) -> Refused:
    """The answer to a rule's no: its message, its code, and by which rules it was decided."""
    return Refused(
        Refusal.POLICY_DENIED,
        decision.message or f"The policy {decision.code!r} does not allow this.",
        facts={
            "rule": decision.code,
            "point": point.value,
            "decision": decision_id,
            "revision": decision.revision,
        },
        by=f"policy/{decision.code}",
    )


def unavailable(error: PolicyUnavailable) -> Refused:
    """The answer when there is no decision: nothing passes, and the log says why."""
    return Refused(
        Refusal.DEPENDENCY_UNAVAILABLE,
        "The policy could not be evaluated, so nothing may pass; try again shortly.",
        facts={"dependency": "policy", "detail": error.reason},
        retry_after_s=1,
    )


def _drop_candidates(journey: Journey, asked: Asked) -> None:
    """Leave out the targets that a rule says no to.

    Raises:
        Refused: POLICY_DENIED when none is left.
    """
    decision, row, _ = asked
    resolution = journey.resolution
    if resolution is None or not decision.deny_candidates:
        return
    refused = {denial.id: denial for denial in decision.deny_candidates}
    named = {each: refused.get(candidate_id(each.provider, each.model)) for each in resolution.candidates}
    out = {each: f"a rule says no: {denial.code}" for each, denial in named.items() if denial is not None}
    if len(out) < len(named):
        journey.leave_out(out)
        return
    first = decision.deny_candidates[0]
    journey.decision = no = Decision(
        allow=False,
        revision=decision.revision,
        denials=(first.as_denial(),),
        deny_candidates=decision.deny_candidates,
    )
    tell_decision(row, no, observes=journey.snapshot.budgets.observes(journey.principal.org))
    refuse_unless_observed(journey, denied(no, _ROUTE, row.decision_id))
