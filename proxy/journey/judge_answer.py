"""response: may the finished answer reach the client? It has been paid for, whatever is decided."""

from typing import Final

from proxy.core.outcome import Outcome
from proxy.core.refusal import Refused
from proxy.journey.ask import Asked, ask, ask_shadow_later, note_decision, note_own, reads_at
from proxy.journey.decide import denied, unavailable
from proxy.journey.oblige import tell
from proxy.journey.observe import note, observes
from proxy.journey.park import unpark
from proxy.journey.policy_facts import policy_facts
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Decision, Denial, Point

TOO_LARGE: Final = "answer_too_large"
_RESPONSE: Final = Point.RESPONSE


def is_judged(journey: Journey) -> bool:
    """Whether a rule decides on the finished answer, which therefore waits for it."""
    return journey.snapshot.policy.is_live(_RESPONSE)


async def judge_answer(journey: Journey, rooms: Rooms) -> Refused | None:
    """What the client gets in the place of the answer, once that was billed; None where it may have it."""
    engine = journey.snapshot.policy
    is_live = engine.is_live(_RESPONSE)
    if not is_live and not engine.has_shadow(_RESPONSE):
        return None
    facts = await policy_facts(journey, rooms, _RESPONSE, reads_at(engine, _RESPONSE))
    if not is_live:
        ask_shadow_later(journey, rooms, _RESPONSE, facts)
        return None
    asked = await ask(journey, rooms, _RESPONSE, facts)
    journey.asked = asked.row
    try:
        no = _carried_out(journey, asked, rooms)
    finally:
        note_decision(rooms, asked.row)
    if no is not None:
        await unpark(journey, rooms)
    return no


class StreamEnd:
    """The end of one stream, which waits for the decision; where it is only observed, or tried, nothing waits."""

    def __init__(self, journey: Journey, rooms: Rooms) -> None:
        self._journey = journey
        self._rooms = rooms
        waits = is_judged(journey) and not observes(journey)
        self._held = journey.call.dialect.held_end(journey.call.endpoint) if waits else None

    def passed(self, chunk: bytes) -> bytes:
        """What of the stream may go on now."""
        return chunk if self._held is None else self._held.feed(chunk)

    async def ended(self, last: bytes) -> bytes:
        """The last of the stream: what waited, or an error in its place that names the rule."""
        held = self._held
        if held is None:
            await judge_answer(self._journey, self._rooms)
            return last
        out = held.feed(last) if last else b""
        if not held.is_holding and self._journey.outcome is not Outcome.OK:
            # It broke off: there is no finished answer to decide on. One may be whole whose last event is not.
            return out + held.close()
        no = await self._too_large() if held.is_too_large else await judge_answer(self._journey, self._rooms)
        if no is None:
            return out + held.close()
        self._journey.code = no.why.code
        self._journey.measured.refused_by = no.by
        call = self._journey.call
        return out + held.instead(call.dialect.refused_event(call.endpoint, call.operation, no))

    async def _too_large(self) -> Refused:
        journey = self._journey
        await unpark(journey, self._rooms)
        said = "The end of the answer is too large to be kept back until it is decided on."
        no = Decision(allow=False, revision=journey.snapshot.policy.revision, denials=(Denial(TOO_LARGE, said),))
        journey.decision = no
        return denied(no, _RESPONSE, note_own(journey, self._rooms, _RESPONSE, no))


def stream_end(journey: Journey, rooms: Rooms) -> StreamEnd | None:
    """The end of a stream, where rules look at finished answers."""
    policy = journey.snapshot.policy
    if policy.is_live(_RESPONSE) or policy.has_shadow(_RESPONSE):
        return StreamEnd(journey, rooms)
    return None


def _carried_out(journey: Journey, asked: Asked, rooms: Rooms) -> Refused | None:
    decision, row, failure = asked
    if failure is not None:
        return unavailable(failure)
    if decision.allow:
        tell(journey, decision.duties, rooms)
        return None
    journey.decision = decision
    no = denied(decision, _RESPONSE, row.decision_id)
    if observes(journey):
        note(journey, no.why, no.by)
        return None
    return no
