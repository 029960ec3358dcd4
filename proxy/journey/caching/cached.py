"""cache: answer a call from memory, where a cache serves and has what the call may be given (DESIGN §2)."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, Final, TypeVar

from proxy.budget import Unit
from proxy.cache import CachedAnswer, Flight
from proxy.core.outcome import Outcome
from proxy.journey.account import account
from proxy.journey.answer_headers import our_headers, stream_headers
from proxy.journey.caching.alike import alike_answer, audit, note_missed
from proxy.journey.caching.look import missed
from proxy.journey.caching.looked import Looked
from proxy.journey.call import Headers
from proxy.journey.decide import decide
from proxy.journey.dispatch import mark_dispatched
from proxy.journey.hold import hold
from proxy.journey.judge_answer import judge_answer
from proxy.journey.rooms import Rooms
from proxy.journey.running import refuse_killed
from proxy.journey.state import Estimate, Journey
from proxy.journey.switched import look_again
from proxy.policy import Point
from proxy.routing import Candidate
from proxy.upstream import UpstreamFailed

T = TypeVar("T")
PIECE: Final = 65_536
TAKEN_WITHIN_S: Final = 60.0
"""How long a client may take for an answer that is there whole."""
MOST_LEADERS: Final = 3
"""After so many who failed, whoever still waits asks for itself rather than one after the other."""
_COUNTED: Final = frozenset({Unit.REQUESTS, Unit.SLOTS})
"""The answer was paid for when it was made; what is counted is that it was asked for."""


async def answered(journey: Journey, looked: Looked, rooms: Rooms) -> bool:
    """Whether the call was answered from memory. Where it was not it may lead: others wait for what it gets.

    Raises:
        Refused: CACHE_MISS where only a cached answer is wanted; what `hold` raises for limits in requests;
            POLICY_DENIED by a rule on routes or on answers; RUN_STOPPED.
        UpstreamFailed: the client left while it waited, or did not take its answer.
    """
    answer = await _found(journey, looked, rooms) if looked.key else None
    if answer is None and rooms.semantic is not None and looked.key and not looked.why:
        answer = await _alike(journey, looked, rooms)
    if answer is None:
        if looked.control.only_if_cached:
            raise missed(journey)
        return False
    await _give(journey, looked, answer, rooms)
    return True


async def _found(journey: Journey, looked: Looked, rooms: Rooms) -> CachedAnswer | None:
    """What the call may be given; None where it is to be made. The first of many alike is to lead them."""
    if await _is_asked_anew(journey, looked, rooms):
        return None
    exact = rooms.cache.exact
    for _ in range(MOST_LEADERS):
        answer = None
        if looked.control.only_if_cached or not exact.is_shared:  # of a shared store only the first of many alike asks
            answer = await _kept(journey, looked, rooms)
        if answer is None:
            if looked.control.only_if_cached:
                return None
            flight, leads = exact.flights.join(looked.key)
            answer = await (_led if leads else _followed)(journey, looked, flight, rooms)
            if answer is None and (leads or flight.is_unfit):
                return None
        if answer is not None:
            return answer if await _may_have(journey, looked, answer, rooms, looked.key) else None
    return None


async def _alike(journey: Journey, looked: Looked, rooms: Rooms) -> CachedAnswer | None:
    """What was answered to another question that asks the same, where the call may be given that."""
    answer = await alike_answer(journey, looked, rooms)
    if answer is None:
        return None
    if not _is_too_old(looked, answer, rooms) and await _may_have(journey, looked, answer, rooms, answer.key):
        return answer
    note_missed(journey, looked)
    return None


async def _led(journey: Journey, looked: Looked, flight: Flight, rooms: Rooms) -> CachedAnswer | None:
    """What a shared store has, or another worker gets, for all who wait here; None where this call is to ask."""
    looked.flight = flight
    if not rooms.cache.exact.is_shared:
        return None
    answer = await _from_elsewhere(journey, looked, rooms)
    if answer is not None:
        flight.land(answer)
    return answer


async def _followed(journey: Journey, looked: Looked, flight: Flight, rooms: Rooms) -> CachedAnswer | None:
    """What the call gets that leads; None where it fails, or gets what is nobody else's."""
    await _wait(journey, flight.wait(), rooms)
    return flight.answer


async def _is_asked_anew(journey: Journey, looked: Looked, rooms: Rooms) -> bool:
    """Whether the client wants a new answer, or its run has had the one there is."""
    run = journey.claims.run
    if looked.control.no_cache:
        looked.status, looked.why = "bypass", "no_cache"
    elif run and await rooms.cache.exact.has_had(looked.key, run, rooms.clock.now_ns()):
        looked.status, looked.why = "bypass", "repeat"
    return bool(looked.why)


async def _kept(journey: Journey, looked: Looked, rooms: Rooms) -> CachedAnswer | None:
    now_ns = rooms.clock.now_ns()
    answer = await rooms.cache.exact.find(journey.principal.org, looked.key, now_ns, rooms.snapshot().purges)
    return None if answer is None or _is_too_old(looked, answer, rooms) else answer


async def _from_elsewhere(journey: Journey, looked: Looked, rooms: Rooms) -> CachedAnswer | None:
    """What another worker or host gets that asks already; None where this call is to ask.

    Raises:
        UpstreamFailed: the client left.
    """
    exact, token = rooms.cache.exact, journey.call.operation.encode()
    for _ in range(MOST_LEADERS):
        answer = await _kept(journey, looked, rooms)
        if answer is not None:
            return answer
        if await exact.claim(looked.key, token):
            # Once more: it may have been kept, and the claim given back, between the two questions.
            return await _kept(journey, looked, rooms)
        waiting = exact.awaited(lambda: _kept(journey, looked, rooms), looked.key)
        answer = await _wait(journey, waiting, rooms)
        if answer is not None:
            return answer
    return None


def _is_too_old(looked: Looked, answer: CachedAnswer, rooms: Rooms) -> bool:
    most_s = looked.control.max_age
    return most_s is not None and answer.age_s(rooms.clock.now_ns()) > most_s


async def _may_have(journey: Journey, looked: Looked, answer: CachedAnswer, rooms: Rooms, key: bytes) -> bool:
    """Whether the rules of today let this call have it: as it was asked for, by a target that may still be asked.

    Raises:
        Refused: POLICY_DENIED, DEPENDENCY_UNAVAILABLE.
    """
    if answer.org != journey.principal.org or answer.key != key:
        return False
    await decide(journey, rooms, Point.ROUTE)
    if journey.no_cache or journey.body is not looked.body or journey.resolution is None:
        looked.status, looked.why = "bypass", "policy"
        return False
    return Candidate(answer.provider, answer.sent_model) in journey.resolution.candidates


async def _wait(journey: Journey, waiting: Coroutine[Any, Any, T], rooms: Rooms) -> T:
    """Wait for what another call gets.

    Raises:
        UpstreamFailed: the client left.
    """
    left = asyncio.Event()
    journey.exchange.watch(left.set)
    task, leaving = asyncio.ensure_future(waiting), asyncio.ensure_future(left.wait())
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not task.done():
            task.cancel()
        journey.mark("upstream", rooms.clock.monotonic_ns())
    if left.is_set() or not task.done():
        journey.outcome = Outcome.CANCELLED
        journey.error = "client_left"
        raise UpstreamFailed("aborted", "the client left while another call got its answer", sent=False)
    return task.result()


async def _give(journey: Journey, looked: Looked, answer: CachedAnswer, rooms: Rooms) -> None:
    looked.answer, looked.status, looked.why = answer, "hit", ""
    looked.age_s = answer.age_s(rooms.clock.now_ns())
    await _hold_the_call(journey, looked, rooms)
    look_again(journey, rooms)
    journey.candidate = Candidate(answer.provider, answer.sent_model)
    journey.kept_response = answer.told
    if (no := await judge_answer(journey, rooms)) is not None:
        raise no
    journey.outcome, journey.status, journey.fee = Outcome.CACHED, 200, looked.rule.fee
    if journey.claims.run:
        now_ns = rooms.clock.now_ns()
        await rooms.cache.exact.note_had(looked.key, journey.claims.run, now_ns, answer.until_ns)
        if looked.similarity:
            await rooms.cache.exact.note_had(answer.key, journey.claims.run, now_ns, answer.until_ns)
    if looked.similarity:
        audit(journey, looked, answer, rooms)
    await account(journey, rooms)
    headers: Headers = [
        (b"content-type", answer.content_type.encode("latin-1")),
        (b"x-request-id", journey.call.operation.encode()),
        (b"age", str(looked.age_s).encode()),
        *our_headers(journey, rooms),
    ]
    await _send(journey, answer, headers)


async def _hold_the_call(journey: Journey, looked: Looked, rooms: Rooms) -> None:
    """Limits count that it was asked for, and budgets what a hit costs; tokens are nobody's. Nothing counted, no step.

    Raises:
        Refused: RATE_LIMITED, BUDGET_EXCEEDED, RUN_STOPPED, DEPENDENCY_UNAVAILABLE.
    """
    fee = looked.rule.fee
    journey.estimate = Estimate(0, 0, fee)
    journey.lines = tuple(line for line in journey.lines if line.unit in _COUNTED or (fee and line.unit is Unit.USD))
    if journey.lines or journey.ticket is not None:
        await hold(journey, rooms)
        if not journey.dispatched:
            await mark_dispatched(journey, rooms)
    elif rooms.killed:
        refuse_killed(journey, rooms)


async def _send(journey: Journey, answer: CachedAnswer, headers: Headers) -> None:
    exchange, body = journey.exchange, answer.body
    try:
        async with asyncio.timeout(TAKEN_WITHIN_S):
            if not answer.streamed:
                await exchange.answer(200, [*headers, (b"content-length", b"%d" % len(body))], body)
                return
            await exchange.start(200, stream_headers(headers))
            for piece in _pieces(body):
                await exchange.send(piece)
            await exchange.finish()
    except TimeoutError:
        raise UpstreamFailed("aborted", "the client did not take its answer", sent=True) from None


def _pieces(body: bytes) -> Iterator[bytes]:
    return (body[at : at + PIECE] for at in range(0, len(body), PIECE))
