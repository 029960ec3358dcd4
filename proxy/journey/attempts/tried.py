"""One of the requests that a call makes upstream until it is answered, and what became of it."""

import asyncio
from typing import Final

from msgspec import Struct

from proxy.core.outcome import Outcome, Purpose
from proxy.core.refusal import Refused
from proxy.journey.attempts.opening import open_answer
from proxy.journey.attempts.trouble import fault_of_failure
from proxy.journey.bill import Evidence, bill, bill_unanswered
from proxy.journey.dispatch import begin_attempt, dispatch
from proxy.journey.estimate import worst_at
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt, Estimate, Journey
from proxy.journey.watching import end_watching
from proxy.routing import FallbackSettings, Fault, Step
from proxy.upstream import UpstreamFailed, UpstreamResponse
from proxy.wire.translate import TranslatedCall

_SERVE: Final = Purpose.SERVE


class Tried(Struct):
    """A request: to whom, as what, and its end; `fault` None: it is answered, or nobody looked whether it is.

    `refused` is what its client is told where no answer came at all. `estimate` is its own worst case; the first
    one's is made when it is asked for.
    """

    step: Step
    translation: TranslatedCall | None
    estimate: Estimate | None = None
    attempt: Attempt | None = None
    response: UpstreamResponse | None = None
    evidence: Evidence | None = None
    fault: Fault | None = None
    refused: Refused | None = None
    task: asyncio.Task[None] | None = None

    @property
    def begun(self) -> Attempt:
        """Its attempt."""
        if self.attempt is None:
            raise RuntimeError("a request is asked about before it was made")
        return self.attempt


def begin(tried: Tried, journey: Journey, rooms: Rooms) -> None:
    """Make it the call's own: its target, its dialect, its estimate and its attempt, to be sent now.

    Its purpose is a mark for whoever counts: a retry or a hedge is a part of its call, and paid for with it.
    """
    journey.candidate, journey.translation = tried.step.candidate, tried.translation
    if tried.estimate is not None:
        journey.estimate = tried.estimate
    tried.attempt = attempt = begin_attempt(journey, rooms)
    if tried.step.kind is not _SERVE:
        attempt.purpose = tried.step.kind


async def carry_out(tried: Tried, journey: Journey, rooms: Rooms, settings: FallbackSettings | None) -> None:
    """Send it, and see whether it is answered; without settings whatever comes is the answer.

    Raises:
        Refused: DEPENDENCY_UNAVAILABLE.
        UpstreamFailed: the client has left.
    """
    attempt = tried.begun
    try:
        response = await dispatch(journey, rooms, attempt)
    except Refused as no:
        if not isinstance(no.__cause__, UpstreamFailed):
            raise
        tried.refused, tried.fault = no, fault_of_failure(no.__cause__)
        return
    tried.response = response
    if settings is not None:
        try:
            opened = await open_answer(journey, response, settings, rooms)
        except BaseException:
            response.abort()
            raise
        finally:
            journey.mark("upstream", rooms.clock.monotonic_ns())
        tried.response, tried.fault, tried.evidence = opened.response, opened.fault, opened.evidence
        attempt.response_bytes = opened.size


async def own_estimate(tried: Tried, journey: Journey, rooms: Rooms) -> Estimate:
    """What it could cost at most by itself."""
    if tried.estimate is None:
        tried.estimate = await worst_at(journey, tried.step.candidate, rooms)
    return tried.estimate


async def bill_left(tried: Tried, fault: Fault, journey: Journey, rooms: Rooms) -> None:
    """Book what it used and cost, as far as that is known when it is left for another: each provider is paid."""
    attempt = tried.begun
    attempt.ended_ns = attempt.ended_ns or rooms.clock.monotonic_ns()
    broke_off = tried.response is not None and attempt.status < 400 and fault.trigger in ("broken", "timeout")
    attempt.outcome = Outcome.TRUNCATED if broke_off else Outcome.UPSTREAM_ERROR
    attempt.error = fault.said
    journey.estimate = await own_estimate(tried, journey, rooms)
    if tried.evidence is None:
        await bill_unanswered(journey, attempt, rooms)
    else:
        await bill(journey, attempt, tried.evidence, rooms)


def drop(tried: Tried, rooms: Rooms) -> None:
    """Nothing more is wanted of it: its answer is given up, if there was one, and its target told how it ended."""
    end_watching(tried.begun, rooms)
    if tried.response is not None:
        tried.response.abort()


async def abandon(tried: Tried, fault: Fault, journey: Journey, rooms: Rooms) -> None:
    """Drop one that is under way, and bill it: what was asked, where its provider stops billing then; else its hold."""
    task, attempt = tried.task, tried.begun
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # whatever it met on its way out, nobody wants it any more
    if tried.response is not None:
        tried.response.abort()
    stops = attempt.provider.on_client_disconnect == "cancel"
    if tried.fault is None and not attempt.error:
        tried.evidence = Evidence(complete=stops)
        await bill_left(tried, fault, journey, rooms)
        attempt.outcome = Outcome.CANCELLED
    else:
        await bill_left(tried, tried.fault or fault, journey, rooms)
    drop(tried, rooms)
