"""hold: set the worst case aside in every budget of the call, all or none."""

from typing import Final

from proxy.budget import Granted, HoldRequest, LedgerUnavailable, Reached, Short, Stopped, fitted
from proxy.core.refusal import Refusal, Refused
from proxy.journey.clamp import clamp
from proxy.journey.ladder import climb
from proxy.journey.observe import note_exceeded, refuse_unless_observed
from proxy.journey.refusals import refusal_of, stopped
from proxy.journey.rooms import Rooms
from proxy.journey.running import refuse_killed
from proxy.journey.start_record import start_record
from proxy.journey.state import Journey
from proxy.policy import Point

_ROUTE: Final = Point.ROUTE


async def hold(journey: Journey, rooms: Rooms) -> None:
    """Hold the estimate; the hold is a lease that a dead worker cannot keep.

    Where a ladder gives the call another model nothing is granted: it goes back to be resolved, once.

    Raises:
        Refused: BUDGET_EXCEEDED, RATE_LIMITED or RUN_STOPPED with the numbers of what is short, DEPENDENCY_UNAVAILABLE.
    """
    if rooms.killed:
        refuse_killed(journey, rooms)
    at_once = not journey.snapshot.policy.is_live(_ROUTE)
    while True:
        verdict = await _asked(journey, rooms, at_once)
        if isinstance(verdict, Granted):
            journey.granted = verdict
            rooms.open_holds += 1
            if rooms.standing.listens:
                rooms.standing.hear(verdict.balances, rooms.clock.now_ns())
            journey.dispatched = at_once
            note_exceeded(journey, verdict)
            return
        if isinstance(verdict, Reached):
            if await climb(journey, verdict, rooms):
                return
        elif isinstance(verdict, Stopped):
            refuse_unless_observed(journey, stopped(journey, verdict))
            journey.ticket = None
        elif not verdict.line.clamp or not await clamp(journey, rooms):
            raise refusal_of(journey, verdict, rooms.settings, rooms.clock.now_ns())


async def _asked(journey: Journey, rooms: Rooms, at_once: bool) -> Granted | Reached | Short | Stopped:
    """Where no route rule is loaded nothing is left to decide, so the hold is made as dispatched in one step."""
    made = journey.estimate
    request = HoldRequest(
        operation=journey.call.operation,
        worker=rooms.worker,
        lines=fitted(journey.lines, made.input_tokens, made.output_tokens, has_tools=journey.request.has_tools),
        amount=made.amount,
        charged_at_ns=journey.call.arrived_ns,
        lease_until_ns=rooms.clock.now_ns() + rooms.holding.lease_s * 1_000_000_000,
        start_record=start_record(journey, rooms),
        dispatched=at_once,
        run=journey.ticket,
    )
    try:
        verdict = await rooms.ledger.hold(request)
    except LedgerUnavailable as error:
        rooms.ledger_away = True
        raise ledger_refusal(error) from error
    journey.mark("hold", rooms.clock.monotonic_ns())
    return verdict


def ledger_refusal(error: LedgerUnavailable) -> Refused:
    """The answer when the ledger cannot be asked: closed, and saying so."""
    return Refused(
        Refusal.DEPENDENCY_UNAVAILABLE,
        "The budget ledger cannot be reached, so nothing may be spent; try again shortly.",
        facts={"dependency": "ledger", "detail": str(error)},
        retry_after_s=1,
    )
