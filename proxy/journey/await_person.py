"""Holding a call open until a person has decided, for a bounded time and a bounded number of calls."""

import asyncio
from typing import Final

from proxy.core.outcome import Outcome
from proxy.core.refusal import Refusal, Refused
from proxy.journey.rooms import Rooms
from proxy.journey.running import is_killed
from proxy.journey.state import Journey
from proxy.journey.switched import is_off
from proxy.policy import Approval
from proxy.upstream import UpstreamFailed

LOOK_EVERY_S: Final = 0.25


def patience_s(wait_s: int, rooms: Rooms) -> int:
    """How long a call may wait that a rule lets wait so long; 0 where as many wait as may."""
    settings = rooms.approvals.settings
    if rooms.awaiting >= settings.max_waiting or rooms.stopping:
        return 0
    return min(wait_s, settings.max_wait_s)


async def await_person(journey: Journey, approval: Approval, seconds: float, rooms: Rooms) -> Approval:
    """The approval once it is decided, or as it stands when the time is over, the worker ends, or people have turned
    off what the call is of.

    Raises:
        ApprovalsUnavailable: it cannot be looked at.
    """
    loop = asyncio.get_running_loop()
    until, found = loop.time() + seconds, approval
    rooms.awaiting += 1
    try:
        while found.standing(rooms.clock.now_ns()) == "pending" and loop.time() < until and not rooms.stopping:
            if journey.exchange.gone() or is_killed(journey, rooms) or is_off(journey, rooms):
                break
            await asyncio.sleep(min(LOOK_EVERY_S, max(0.0, until - loop.time())))
            seen = await asyncio.to_thread(rooms.approvals.find, approval.id)
            found = found if seen is None else seen
    finally:
        rooms.awaiting -= 1
        journey.mark("approval", rooms.clock.monotonic_ns())
    return found


def refuse_gone(journey: Journey, rooms: Rooms) -> None:
    """End a call that waited for nothing: its client has left, or its worker ends.

    Raises:
        UpstreamFailed: the client left while its call waited.
        Refused: SHUTTING_DOWN; sent again, the call waits on at another worker.
    """
    if journey.exchange.gone():
        journey.outcome = Outcome.CANCELLED
        journey.error = "client_left"
        raise UpstreamFailed("aborted", "the client left while its call waited for a person", sent=False)
    if rooms.stopping:
        raise Refused(
            Refusal.SHUTTING_DOWN, "Flyball was stopped while this call waited for a person.", retry_after_s=1
        )
