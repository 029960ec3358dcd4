"""What a policy obliges us to, carried out on the call before its money is asked for."""

import logging
from fnmatch import fnmatchcase

from msgspec.structs import replace

from proxy.journey.approve import approve
from proxy.journey.clamp import limit_name
from proxy.journey.estimate import estimate
from proxy.journey.redact import redact
from proxy.journey.resolve import resolve
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Duties

log = logging.getLogger("flyball.policy")


async def oblige(journey: Journey, duties: Duties, rooms: Rooms) -> None:
    """Change the call as the policy says; what changes its price is resolved and estimated anew, once.

    Raises:
        Refused: what `approve`, `redact`, `resolve` and `estimate` raise.
    """
    if duties.require_approval is not None:
        await approve(journey, duties.require_approval, rooms)
    tell(journey, duties, rooms)
    redacts = bool(duties.redact) and await redact(journey, duties, rooms)
    tools_left = _strip(journey, duties)
    capped = _cap(journey, duties)
    if _substitute(journey, duties) or capped or tools_left or redacts:
        resolve(journey, rooms)
        await estimate(journey, rooms)


def tell(journey: Journey, duties: Duties, rooms: Rooms) -> None:
    """Tag the call's row and raise alerts, as the policy says at any point."""
    journey.no_cache = journey.no_cache or duties.no_cache
    for message in duties.alerts:
        operation, now_ns = journey.call.operation, rooms.clock.now_ns()
        if rooms.counters.policy_alert(journey.principal.org, message, operation, now_ns):
            log.warning("a policy raises an alert", extra={"operation": operation, "alert": message})
    if duties.tags:
        journey.claims = replace(journey.claims, tags={**journey.claims.tags, **duties.tags})


def _strip(journey: Journey, duties: Duties) -> bool:
    """Take tools out of the request; whether any was there."""
    if not duties.strip_tools or not journey.request.has_tools:
        return False
    body = journey.call.dialect.without_tools(journey.body, duties.strip_tools)
    if body == journey.body:
        return False
    journey.body = body
    journey.facts = journey.call.dialect.read_request(journey.call.endpoint, journey.call.path, body)
    journey.say(f"tools taken out by policy: {', '.join(sorted(duties.strip_tools))}")
    return True


def _cap(journey: Journey, duties: Duties) -> bool:
    """Lower the output limit; whether it was higher."""
    cap, asked = duties.cap_tokens, journey.request.max_output_tokens
    if cap is None or not journey.call.endpoint.has_output or (asked is not None and asked <= cap):
        return False
    call = journey.call
    journey.body = call.dialect.with_output_limit(call.endpoint, journey.body, cap, new_name=limit_name(journey))
    journey.facts = replace(journey.request, max_output_tokens=cap)
    journey.say(f"capped to {cap} output tokens by policy")
    return True


def _substitute(journey: Journey, duties: Duties) -> bool:
    """Give the call the model that it is to have; whether that is another one."""
    asked = journey.model
    wanted = duties.force_model
    if wanted is None:
        wanted = next((model for pattern, model in duties.downgrade if fnmatchcase(asked, pattern)), asked)
    if wanted == asked:
        return False
    journey.model = wanted
    verb = "model forced" if duties.force_model is not None else "downgraded"
    journey.say(f"{verb} from {asked[:200]} to {wanted} by policy")
    return True
