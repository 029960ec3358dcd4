"""recall: an answer that was put aside until a person approved its tool calls is given instead of a second one."""

import asyncio
from collections.abc import Iterator
from typing import Final

from proxy.budget import Unit
from proxy.core.outcome import Outcome
from proxy.core.refusal import Refusal, Refused
from proxy.journey.account import account
from proxy.journey.answer_headers import our_headers, stream_headers
from proxy.journey.approve import digest_of, facts_of, refusal_of, unavailable
from proxy.journey.ask import note_own
from proxy.journey.call import Headers
from proxy.journey.dispatch import mark_dispatched
from proxy.journey.gate_answer import released_answer
from proxy.journey.gate_calls import APPROVAL, CallJudge
from proxy.journey.gate_stream import StreamGate
from proxy.journey.judge_answer import judge_answer
from proxy.journey.observe import observes
from proxy.journey.rooms import Rooms
from proxy.journey.state import NO_ESTIMATE, Journey
from proxy.journey.switched import look_again
from proxy.policy import (
    Approval,
    ApprovalsUnavailable,
    AskedCall,
    CannotOpen,
    Decision,
    Denial,
    ParkedAnswer,
    Point,
)
from proxy.upstream import UpstreamFailed

PIECE: Final = 65_536
TAKEN_WITHIN_S: Final = 60.0
"""How long a client may take for an answer that is there whole."""
_STILL_COUNTED: Final = frozenset({Unit.REQUESTS, Unit.SLOTS})
"""The answer was paid for when it was made; what is counted is that it was asked for again."""


async def recall(journey: Journey, rooms: Rooms) -> None:
    """Look whether an answer to this request waits for a person, where rules look at tool calls.

    Raises:
        Refused: APPROVAL_REQUIRED while nobody has decided, POLICY_DENIED after a no, DEPENDENCY_UNAVAILABLE.
    """
    call = journey.call
    if (
        call.endpoint not in call.dialect.gated
        or not journey.snapshot.policy.is_live(Point.TOOL_CALL)
        or observes(journey)
    ):
        return
    if journey.recalled is None:
        try:
            found = await _found(journey, rooms)
        except ApprovalsUnavailable as error:
            raise unavailable(error) from error
        if found is None:
            return
        journey.approval = found.id
        if found.state != "approved":
            raise refusal_of(found, _note(journey, found, rooms))
        journey.recalled = found
    journey.lines = tuple(line for line in journey.lines if line.unit in _STILL_COUNTED)
    journey.estimate = NO_ESTIMATE


async def replay(journey: Journey, approval: Approval, rooms: Rooms) -> None:
    """Give the answer that was approved, once; its calls pass the rules of today, but for the person's yes.

    Raises:
        Refused: POLICY_DENIED by a rule on finished answers, or when another call has had it, or it cannot be read
            any more; POLICY_DENIED or RUN_STOPPED by a kill switch that was set a moment ago; DEPENDENCY_UNAVAILABLE.
        UpstreamFailed: the client did not take it.
    """
    look_again(journey, rooms)
    if not journey.dispatched:
        await mark_dispatched(journey, rooms)
    answer, calls = await _taken(journey, approval, rooms)
    journey.kept_response = answer.told
    body = await _released(journey, answer, calls, rooms)
    if (no := await judge_answer(journey, rooms)) is not None:
        raise no
    journey.outcome, journey.status = Outcome.CACHED, answer.status
    journey.say(f"answer of {approval.operation}, approved by {approval.decided_by} ({approval.id})")
    await account(journey, rooms)
    headers: Headers = [
        (b"content-type", answer.content_type.encode("latin-1")),
        (b"x-request-id", journey.call.operation.encode()),
        *our_headers(journey, rooms),
    ]
    try:
        async with asyncio.timeout(TAKEN_WITHIN_S):
            await _send(journey, answer, headers, body)
    except TimeoutError:
        raise UpstreamFailed("aborted", "the client did not take its answer", sent=True) from None


async def _found(journey: Journey, rooms: Rooms) -> Approval | None:
    now_ns, book = rooms.clock.now_ns(), rooms.approvals
    if not book.may_have_open(journey.principal.key_id, now_ns):
        return None
    return await asyncio.to_thread(lambda: book.of_call(digest_of(journey, rooms), now_ns))


def _note(journey: Journey, found: Approval, rooms: Rooms) -> str:
    """Write our no down as a decision; its id."""
    code = APPROVAL if found.state == "pending" else "approval_denied"
    no = Decision(allow=False, revision=journey.snapshot.policy.revision, denials=(Denial(code),))
    journey.decision = no
    return note_own(journey, rooms, Point.TOOL_CALL, no, ", ".join(found.tools))


async def _taken(journey: Journey, approval: Approval, rooms: Rooms) -> tuple[ParkedAnswer, tuple[AskedCall, ...]]:
    why = "was given to another call a moment ago; send the request again to have one made anew"
    try:
        now_ns = rooms.clock.now_ns()
        taken = await asyncio.to_thread(rooms.approvals.take, approval.id, journey.call.operation, now_ns)
        if taken is not None:
            return taken
    except ApprovalsUnavailable as error:
        raise unavailable(error) from error
    except CannotOpen:
        why = "was encrypted under another body-key and is lost; send the request again to have one made anew"
    raise Refused(
        Refusal.POLICY_DENIED,
        f"The answer that was approved {why}.",
        facts={"rule": "approval_used", "point": approval.point, **facts_of(approval, "")},
        by="policy/approval_used",
    )


async def _released(journey: Journey, answer: ParkedAnswer, calls: tuple[AskedCall, ...], rooms: Rooms) -> bytes:
    """The answer without what a rule denies by now; the same bytes where none does."""
    judge = CallJudge(journey, rooms, approved=frozenset(calls))
    if not answer.streamed:
        return await released_answer(journey, answer.body, judge, rooms)
    gate, out = StreamGate(journey, rooms, judge=judge), []
    for piece in _pieces(answer.body):
        out.append(await gate.passed(piece))
        await asyncio.sleep(0)  # others' streams go on meanwhile
    out.append(await gate.ended(b"", is_whole=True))
    return b"".join(out)


async def _send(journey: Journey, answer: ParkedAnswer, headers: Headers, body: bytes) -> None:
    exchange = journey.exchange
    if not answer.streamed:
        await exchange.answer(answer.status, [*headers, (b"content-length", str(len(body)).encode())], body)
        return
    await exchange.start(answer.status, stream_headers(headers))
    for piece in _pieces(body):
        await exchange.send(piece)
    await exchange.finish()


def _pieces(body: bytes) -> Iterator[bytes]:
    return (body[at : at + PIECE] for at in range(0, len(body), PIECE))
