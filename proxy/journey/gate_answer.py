"""The tool calls of an answer in one piece: decided before any of it is sent."""

import asyncio
from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.journey.gate_calls import CallJudge, note_own_denials, tell_denied
from proxy.journey.observe import observes
from proxy.journey.park import parking_of
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.upstream import UpstreamResponse
from proxy.wire.gate import AnswerGate
from proxy.wire.tool_calls import UNREADABLE, Denied

INLINE_BYTES: Final = 262_144


async def watched_answer(journey: Journey, body: bytes, rooms: Rooms) -> None:
    """Have rules that are only tried look at the calls of an answer, which goes on as it came."""
    gate = await _read(journey, body)
    if body and gate.is_readable:
        await CallJudge(journey, rooms, withholds=False).judge(gate.asks)


async def gated_answer(journey: Journey, response: UpstreamResponse, body: bytes, rooms: Rooms) -> bytes | None:
    """The answer without the calls that a rule denies; None when none is, so that it goes on as it came.

    `body` is the answer inflated, empty where it could not be. Where a call needs a person it is put aside.

    Raises:
        Refused: POLICY_DENIED when it may hold calls and cannot be read.
    """
    parking = parking_of(journey, response, rooms)
    if parking is not None:
        parking.keep(body)
    told = await _gated(journey, body, CallJudge(journey, rooms, parking=parking), rooms)
    if parking is not None:
        await parking.end(is_whole=True)
    return told


async def released_answer(journey: Journey, body: bytes, judge: CallJudge, rooms: Rooms) -> bytes:
    """An answer that was put aside, without the calls that a rule denies by now.

    Raises:
        Refused: as `gated_answer`.
    """
    told = await _gated(journey, body, judge, rooms)
    return body if told is None else told


async def _gated(journey: Journey, body: bytes, judge: CallJudge, rooms: Rooms) -> bytes | None:
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
    told = gate.answer(await judge.judge(gate.asks))
    note_own_denials(journey, gate.denied, rooms)
    tell_denied(journey, gate.denied)
    return None if not gate.denied or observes(journey) else told


async def _read(journey: Journey, body: bytes) -> AnswerGate:
    endpoint, read = journey.call.endpoint, journey.call.dialect.answer_gate
    if len(body) > INLINE_BYTES:
        return await asyncio.to_thread(read, endpoint, body)
    return read(endpoint, body)
