"""reach: an answer from one of the route's targets, by as many requests as that may take (docs/routing-faults.md)."""

import asyncio
from collections.abc import Awaitable

from proxy.journey.attempts.further import Further
from proxy.journey.attempts.left_alone import pass_by_those_left_alone
from proxy.journey.attempts.race import is_timed, raced
from proxy.journey.attempts.tried import Tried, bill_left, carry_out, drop
from proxy.journey.attempts.trouble import NOT_SENT
from proxy.journey.dispatch import dispatch, mark_dispatched
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.routing import Fault, Step
from proxy.upstream import UpstreamResponse


def reach(journey: Journey, rooms: Rooms) -> Awaitable[UpstreamResponse]:
    """The answer that the client gets, its status and headers in; where there is one target it is asked, once.

    Raises:
        Refused: UPSTREAM_TIMEOUT, UPSTREAM_REFUSED or UPSTREAM_ERROR when no answer came of the last target;
            UPSTREAM_OVERLOADED where all targets are left alone for now; POLICY_DENIED or RUN_STOPPED by what was said
            no to meanwhile; DEPENDENCY_UNAVAILABLE.
    """
    resolution = journey.resolution
    if journey.ranking is None and (resolution is None or not resolution.plan.attempts.retry.times):
        return dispatch(journey, rooms)
    return _reach(journey, rooms)


async def _reach(journey: Journey, rooms: Rooms) -> UpstreamResponse:
    if journey.ranking is not None:
        await pass_by_those_left_alone(journey, journey.ranking, rooms)
    further = Further(journey, rooms)
    if not journey.dispatched:
        await mark_dispatched(journey, rooms)
    tried = further.first
    while True:
        further.begin(tried)
        if further.course.is_last:
            await carry_out(tried, journey, rooms, None)
        elif is_timed(journey, further.settings):
            tried = await raced(tried, journey, rooms, further)
        else:
            await carry_out(tried, journey, rooms, further.settings.fallback)
        following = None if tried.fault is None else await _following(tried, tried.fault, journey, rooms, further)
        if following is None:
            return _last(tried, journey, further)
        tried = following


async def _following(tried: Tried, fault: Fault, journey: Journey, rooms: Rooms, further: Further) -> Tried | None:
    """The request in the place of one that failed; None where there is none, and that one's end is the call's."""
    if fault.trigger is None:
        return None
    await bill_left(tried, fault, journey, rooms)
    try:
        following = await further.after(tried, fault)
        if following is None or not await _waited(following.step, journey, rooms, further):
            return None
    except BaseException:
        drop(tried, rooms)
        raise
    drop(tried, rooms)
    failed, step, why = tried.step.candidate, following.step, fault.said.removesuffix(NOT_SENT)
    if step.is_retry:
        journey.say(f"asked {failed.provider} again ({why})")
    else:
        journey.say(f"fell back from {failed.provider} ({why}) to {step.candidate.provider}")
    return following


async def _waited(step: Step, journey: Journey, rooms: Rooms, further: Further) -> bool:
    """Wait as long as the step says; false where nobody waits for the answer any more."""
    if not step.wait_s:
        return True
    await asyncio.sleep(step.wait_s)
    journey.mark("upstream", rooms.clock.monotonic_ns())
    if journey.exchange.gone():
        return False
    await further.look()
    return True


def _last(tried: Tried, journey: Journey, further: Further) -> UpstreamResponse:
    """What came of this one is the answer, good or bad."""
    attempt = tried.begun
    journey.candidate, journey.translation = tried.step.candidate, tried.translation
    journey.attempts[:] = [each for each in journey.attempts if each is not attempt] + [attempt]
    if tried.estimate is not None:
        journey.estimate = tried.estimate
    if tried.fault is not None:
        stopped = further.course.stopped
        why = [*further.not_asked, *([f"no more after {stopped}"] if stopped else [])]
        if why:
            journey.say(f"not asked: {', '.join(why)}")
    if tried.refused is not None:
        raise tried.refused
    if tried.response is None:
        raise RuntimeError("an attempt ended in nothing")
    return tried.response
