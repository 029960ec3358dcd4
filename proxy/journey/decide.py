"""policy: may the call go on?"""

from proxy.core.refusal import Refusal, Refused
from proxy.journey.observe import refuse_unless_observed
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Point


def decide(journey: Journey, rooms: Rooms, point: Point) -> None:
    """Ask the policy engine at one point of the journey; the grant given at `request` holds where no route rule is.

    Raises:
        Refused: POLICY_DENIED, naming the rule.
    """
    if point == "route" and not rooms.policy.decides(point):
        return
    decision = rooms.policy.decide(point, journey.principal, journey.model)
    journey.decision = decision
    journey.mark("policy", rooms.clock.monotonic_ns())
    if not decision.allow:
        refused = Refused(
            Refusal.POLICY_DENIED,
            decision.message,
            facts={"rule": decision.code, "point": point, "revision": decision.revision},
            by=f"policy/{decision.code}",
        )
        refuse_unless_observed(journey, refused)
