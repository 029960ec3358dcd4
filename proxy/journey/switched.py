"""Kill switches on a call's way: new calls are refused, candidates left out, open streams ended.

A call looks at those of its snapshot when it is resolved, and at those of the moment before it is sent: it may have
waited meanwhile. Where none is set each look is one comparison.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from proxy.core.refusal import JsonValue, Refusal, Refused
from proxy.core.tenant import agent_scope, run_scope
from proxy.journey.ask import note_own
from proxy.journey.halt import Halt
from proxy.journey.observe import observes, refuse_unless_observed
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Decision, Denial, Point, Switch, Switches, SwitchKind
from proxy.routing import Candidate, Resolution

KILL_SWITCH: Final = "kill_switch"
_LONGEST_NAME: Final = 64


def refuse_switched(journey: Journey, switches: Switches, rooms: Rooms) -> None:
    """Refuse a call whose org, team, key, agent or run is turned off, or a tool that its provider would run.

    Raises:
        Refused: POLICY_DENIED, or RUN_STOPPED where it is the run.
    """
    found = switches.of_scopes(_scopes(journey))
    if found is not None:
        _refuse(journey, found, rooms)
    elif journey.request.hosted_tools and switches.gates(journey.principal.org):
        off = _of_tools(journey, switches, journey.request.hosted_tools)
        if off is not None:
            _refuse(journey, off, rooms)


def drop_switched(journey: Journey, switches: Switches, rooms: Rooms) -> None:
    """Leave out the candidates whose provider or model is turned off.

    Raises:
        Refused: POLICY_DENIED when none is left.
    """
    resolution = journey.resolution
    if resolution is None:
        return
    off = {each: found for each in resolution.candidates if (found := _off_for(journey, switches, resolution, each))}
    if not off:
        return
    if len(off) < len(resolution.candidates):
        journey.leave_out({each: f"the kill switch {found.target.text} is set" for each, found in off.items()})
        journey.say(f"left out by a kill switch: {', '.join(sorted({each.provider for each in off}))}")
        return
    _refuse(journey, next(iter(off.values())), rooms)


def drop_unwritten(journey: Journey, switches: Switches) -> None:
    """Leave out what is turned off for a call that is only asked about: nothing is written down.

    Raises:
        Refused: POLICY_DENIED or RUN_STOPPED where the call itself is, or all of its candidates are.
    """
    found = switches.of_scopes(_scopes(journey))
    candidates = journey.resolution.candidates if journey.resolution else ()
    off = {each: switch for each in candidates if (switch := _of_candidate(journey, switches, each))}
    if found is None and off and len(off) == len(candidates):
        found = next(iter(off.values()))
    if found is not None:
        raise Refused(_refusal(found), switch_denial(found, "This call").msg, facts=_facts(journey, found))
    if off:
        journey.leave_out({each: f"the kill switch {switch.target.text} is set" for each, switch in off.items()})


def look_again(journey: Journey, rooms: Rooms) -> None:
    """Look at the kill switches of the moment, shortly before the call is sent or given what was kept for it.

    Raises:
        Refused: POLICY_DENIED or RUN_STOPPED by one that was set while the call waited.
    """
    switches = rooms.snapshot().switches
    if switches:
        refuse_switched(journey, switches, rooms)
        drop_switched(journey, switches, rooms)


def halt_of(journey: Journey, rooms: Rooms, *, is_gated: bool) -> Halt | None:
    """Why an open stream must end now; None where no kill switch of the moment is of it.

    One whose tool calls nobody looks at (`is_gated` false) ends where a tool is turned off that it offers.
    """
    switches = rooms.snapshot().switches
    if not switches or observes(journey):
        return None
    found = switches.of_scopes(_scopes(journey))
    if found is None and journey.candidate is not None:
        found = _of_candidate(journey, switches, journey.candidate)
    if found is None and not is_gated and journey.request.has_tools and switches.gates(journey.principal.org):
        found = _of_tools(journey, switches, tuple(journey.call.dialect.request_tools(journey.body).names))
    return None if found is None else halt_by(journey, found)


def is_off(journey: Journey, rooms: Rooms) -> bool:
    """Whether what a call is of has been turned off since it was let through."""
    return halt_of(journey, rooms, is_gated=True) is not None


def halt_by(journey: Journey, switch: Switch) -> Halt:
    """The end that a kill switch orders."""
    return Halt(
        refusal=_refusal(switch),
        said=f"the kill switch {switch.target.text} was set ({switch.reason})",
        facts=_facts(journey, switch),
        by=f"{switch.target.text}/{KILL_SWITCH}",
    )


def tool_denial(journey: Journey, rooms: Rooms, name: str) -> Denial | None:
    """Why a call that the model emits may not reach the client; None where no kill switch of the moment is of it."""
    switches = rooms.snapshot().switches
    if not switches:
        return None
    off = _of_tools(journey, switches, (name,))
    return None if off is None else switch_denial(off, f"The tool {name[:_LONGEST_NAME]!r}")


def end_switched(rooms: Rooms) -> None:
    """Have every open stream look at the kill switches: they are others than before."""
    if rooms.snapshot().switches:
        for look in tuple(rooms.streams):
            look()


def switch_denial(switch: Switch, what: str) -> Denial:
    """A kill switch's no, as a rule's."""
    said = f"{what} is turned off by the kill switch {switch.target.text}: {switch.reason}"
    return Denial(KILL_SWITCH, said if said.endswith((".", "!", "?")) else f"{said}.", switch.id)


def _refuse(journey: Journey, switch: Switch, rooms: Rooms) -> None:
    denial = switch_denial(switch, "This call")
    journey.decision = no = Decision(allow=False, revision=journey.snapshot.policy.revision, denials=(denial,))
    facts, by = _facts(journey, switch), f"{switch.target.text}/{KILL_SWITCH}"
    facts["decision"] = note_own(journey, rooms, Point.REQUEST, no)
    if not observes(journey):
        journey.say(f"turned off by the kill switch {switch.target.text} ({switch.reason})")
    refuse_unless_observed(journey, Refused(_refusal(switch), denial.msg, facts=facts, by=by))


def _refusal(switch: Switch) -> Refusal:
    return Refusal.RUN_STOPPED if switch.target.kind is SwitchKind.RUN else Refusal.POLICY_DENIED


def _facts(journey: Journey, switch: Switch) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {"switch": switch.id, "target": switch.target.text, "reason": switch.reason}
    if switch.target.kind is SwitchKind.RUN:
        return {"scope": switch.target.text, "run": journey.claims.run, "why": "killed", **told}
    return {"rule": KILL_SWITCH, **told}


def _scopes(journey: Journey) -> Iterator[str]:
    principal, claims = journey.principal, journey.claims
    yield from principal.scopes
    yield agent_scope(principal.org, claims.agent or principal.key_name)
    if claims.run:
        yield run_scope(principal.org, claims.run)


def _of_tools(journey: Journey, switches: Switches, names: Sequence[str]) -> Switch | None:
    """What turns one of these tools off for the call."""
    org, is_read = journey.principal.org, journey.snapshot.tools.is_read
    return next((off for name in names if (off := switches.of_tool(org, name, is_read))), None)


def _off_for(journey: Journey, switches: Switches, resolution: Resolution, candidate: Candidate) -> Switch | None:
    """What turns a candidate off for new calls; one that was rolled back ends what it has begun."""
    found = _of_candidate(journey, switches, candidate)
    if found is None and resolution.plan.has_variants:
        found = switches.of_variant(resolution.route, resolution.variant_of(candidate))
    return found


def _of_candidate(journey: Journey, switches: Switches, candidate: Candidate) -> Switch | None:
    """By the name that the model is asked for, and by the one that it is sent under."""
    return switches.of_candidate(candidate.provider, (candidate.model, journey.model))
