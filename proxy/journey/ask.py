"""Asking the policy at a point of a call's journey, and the row that says what it answered."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from proxy.core.clock import stamp
from proxy.core.ids import new_id
from proxy.journey.kept_facts import ALL, kept_facts
from proxy.journey.policy_facts import left_empty
from proxy.journey.rooms import Rooms
from proxy.journey.shadows import Shadow, differs
from proxy.journey.state import Journey
from proxy.policy import Decision, Denial, Point, PolicyEngine, PolicyUnavailable, Reads, both, obligations_of
from proxy.telemetry import DecisionRow, Table

UNAVAILABLE: Final = "policy_unavailable"
OURSELVES: Final = "flyball"
"""The engine of a no that needs no rule."""
_LONGEST: Final = 200
_encode = msgspec.json.Encoder().encode


class Asked(NamedTuple):
    """A decision, and its row, written once that is carried out. `failure`: why no rule could decide."""

    decision: Decision
    row: DecisionRow
    failure: PolicyUnavailable | None = None


async def ask(journey: Journey, rooms: Rooms, point: Point, facts: Mapping[str, Any]) -> Asked:
    """The engine's decision on these facts, a no where there is none; whoever asks writes the row, also of that."""
    engine, clock = journey.snapshot.policy, rooms.clock
    failure = None
    began_ns = clock.monotonic_ns()
    try:
        decision = await engine.decide(point, facts)
    except PolicyUnavailable as error:
        failure = error
        decision = _no_decision(engine.revision, error)
    took_ns = clock.monotonic_ns() - began_ns
    row = _row(journey, rooms, point, decision)
    row.latency_us = took_ns / 1000
    _keep(row, point, facts, engine)
    if engine.has_shadow(point):
        ask_shadow_later(journey, rooms, point, facts, Asked(decision, row))
    return Asked(decision, row, failure)


def reads_at(engine: PolicyEngine, point: Point) -> Reads:
    """What an input must hold for the rules at a point, and for those that are only tried there."""
    reads = engine.reads(point)
    return both(reads, engine.shadow_reads(point)) if engine.has_shadow(point) else reads


def ask_shadow_later(
    journey: Journey, rooms: Rooms, point: Point, facts: Mapping[str, Any], live: Asked | None = None
) -> None:
    """Let the shadow rules of a point be asked when there is time; `live` is what counted, None the plain grant."""
    engine = journey.snapshot.policy
    counted = engine.grant if live is None else live.decision
    row = _row(journey, rooms, point, engine.grant)
    row.shadow, row.live_id = True, "" if live is None else live.row.decision_id
    size = len(journey.body) + (facts["tool"]["arguments_bytes"] if point is Point.TOOL_CALL else 0)
    if not rooms.shadows.put(Shadow(engine, point, facts, counted, row, size)):
        rooms.counters.shadow("dropped")


async def ask_shadows(rooms: Rooms) -> None:
    """Ask what waits, and write down what shadow rules would have said; nothing is ever done about it."""
    clock = rooms.clock
    while (shadow := await rooms.shadows.take()) is not None:
        began_ns = clock.monotonic_ns()
        try:
            decision = await shadow.engine.shadow(shadow.point, shadow.facts)
        except PolicyUnavailable as error:
            rooms.counters.shadow("failed")
            rooms.shadows.complain(error, shadow.point, began_ns)
            continue
        row = shadow.row
        row.latency_us = (clock.monotonic_ns() - began_ns) / 1000
        _keep(row, shadow.point, shadow.facts, shadow.engine)
        tell_decision(row, decision, observes=False)
        row.revision = decision.revision
        row.differs = differs(shadow.live, decision)
        rooms.counters.shadow("differs" if row.differs else "same")
        note_decision(rooms, row)


def note_decision(rooms: Rooms, row: DecisionRow) -> None:
    """Write a decision's row; those of shadow rules are counted where they are made."""
    rooms.spool.append(Table.DECISIONS, row)
    if not row.shadow:
        rooms.counters.decision(row)


def note_own(journey: Journey, rooms: Rooms, point: Point, no: Decision, tool: str = "") -> str:
    """Write down a no that we say ourselves, without asking an engine; its id."""
    row = _row(journey, rooms, point, no)
    row.engine, row.unread = OURSELVES, [ALL]
    row.tool = tool[:_LONGEST].encode("utf-8", "replace").decode()
    note_decision(rooms, row)
    return row.decision_id


def tell_decision(row: DecisionRow, decision: Decision, *, observes: bool) -> None:
    """Make a row say this decision; `observes`: a no is only written down."""
    row.allow = decision.allow
    if not decision.allow:
        row.observed = observes
        row.code, row.message, row.internal = decision.code, decision.message, decision.denials[0].internal
        row.denials = [denial.code for denial in decision.denials]
    if decision.deny_candidates:
        row.denials = [*row.denials, *(f"{each.code}:{each.id}" for each in decision.deny_candidates)]
    if obligations := obligations_of(decision.duties):
        row.obligations = _encode(obligations).decode()


def _row(journey: Journey, rooms: Rooms, point: Point, decision: Decision) -> DecisionRow:
    principal, claims = journey.principal, journey.claims
    row = DecisionRow(
        decision_id=new_id("dec"),
        operation_id=journey.call.operation,
        decided_at=stamp(rooms.clock.now_ns()),
        org=principal.org,
        team=principal.team,
        key_id=principal.key_id,
        key_name=principal.key_name,
        end_user=claims.end_user,
        agent=claims.agent or principal.key_name,
        run=claims.run,
        point=point.value,
        revision=decision.revision,
        model=journey.model[:_LONGEST],
        worker=rooms.worker,
    )
    if journey.resolution is not None:
        row.provider = journey.resolution.candidates[0].provider
    tell_decision(row, decision, observes=journey.snapshot.budgets.observes(principal.org))
    return row


def _keep(row: DecisionRow, point: Point, facts: Mapping[str, Any], engine: PolicyEngine) -> None:
    row.engine = engine.kind
    row.input, row.unread = kept_facts(facts, left_empty(reads_at(engine, point)))
    if point is Point.TOOL_CALL:
        row.tool = facts["tool"]["name"][:_LONGEST]


def _no_decision(revision: str, error: PolicyUnavailable) -> Decision:
    no = Denial(UNAVAILABLE, "The policy could not be evaluated, so nothing may pass.", error.reason)
    return Decision(allow=False, revision=revision, denials=(no,))
