"""The tool calls of an answer in one piece: decided before any of it is sent."""

import asyncio
from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.journey.gate_calls import CallJudge, note_own_denials, tell_denied
from proxy.journey.observe import observes
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.wire.openai.gate import AnswerGate
from proxy.wire.openai.gate_parts import UNREADABLE, Denied

INLINE_BYTES: Final = 262_144


async def watched_answer(journey: Journey, body: bytes, rooms: Rooms) -> None:
    """Have rules that are only tried look at the calls of an answer, which goes on as it came."""
    gate = await _read(journey, body)
    if body and gate.is_readable:
        await CallJudge(journey, rooms, withholds=False).judge(gate.asks)


async def gated_answer(journey: Journey, body: bytes, rooms: Rooms) -> bytes | None:
    """The answer without the calls that a rule denies; None when none is, so that it goes on as it came.

    `body` is the answer inflated, empty where it could not be.

    Raises:
        Refused: POLICY_DENIED when it may hold calls and cannot be read.
    """
    gate = await _read(journey, body)
    if not (body and gate.is_readable):
        denied = [Denied("", UNREADABLE)]
        (decision,) = note_own_denials(journey, denied, rooms)
        tell_denied(journey, denied)
        if observes(journey):
            return None
        raise Refused(
            Refusal.POLICY_DENIED,
            "The answer may hold tool calls and could not be read, so it is not passed on.",
            facts={"rule": UNREADABLE, "point": "tool_call", "decision": decision},
            by=f"policy/{UNREADABLE}",
        )
    told = gate.answer(await CallJudge(journey, rooms).judge(gate.asks))
    note_own_denials(journey, gate.denied, rooms)
    tell_denied(journey, gate.denied)
    return None if not gate.denied or observes(journey) else told


async def _read(journey: Journey, body: bytes) -> AnswerGate:
    endpoint = journey.call.endpoint
    if len(body) > INLINE_BYTES:
        return await asyncio.to_thread(AnswerGate, endpoint, body)
    return AnswerGate(endpoint, body)
