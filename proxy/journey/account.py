"""record and settle: whatever happened, one row is in the spool before the hold is settled, once."""

import asyncio
import logging
from types import TracebackType

import anyio

from proxy.budget import LedgerUnavailable
from proxy.core.money import ZERO, Nano
from proxy.core.outcome import Outcome
from proxy.core.refusal import Refusal, Refused
from proxy.journey.bill import bill_unanswered
from proxy.journey.caching.keeping import leave_flight
from proxy.journey.caching.look import note_shadow
from proxy.journey.caching.watch import watch
from proxy.journey.rank import note_served
from proxy.journey.record import write_rows
from proxy.journey.rooms import Due, Rooms
from proxy.journey.state import Attempt, Journey
from proxy.journey.used import used
from proxy.journey.watching import end_watching
from proxy.metering import estimated

SETTLE_DEADLINE_S = 5.0
log = logging.getLogger("flyball.journey")


class accounted:
    """Account for the journey on the way out, also out of a refusal, a fault or a cancellation.

    Raises:
        Refused: SHUTTING_DOWN in place of a cancellation, since only a worker that ends cancels calls.
    """

    __slots__ = ("_journey", "_rooms")

    def __init__(self, journey: Journey, rooms: Rooms) -> None:
        self._journey = journey
        self._rooms = rooms

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        journey = self._journey
        cancelled = isinstance(fault, asyncio.CancelledError)
        if cancelled:
            fault = Refused(Refusal.SHUTTING_DOWN, "Flyball was stopped before this call was done.", retry_after_s=1)
            if journey.attempts and journey.outcome is Outcome.LOST:
                journey.outcome = Outcome.TRUNCATED
        if isinstance(fault, Refused):
            _note_refusal(journey, fault)
        elif fault is not None:
            _note_fault(journey, fault)
        if not journey.accounted:
            await _account_shielded(journey, self._rooms)
        if journey.looked is not None and journey.looked.flight is not None:
            await leave_flight(journey, journey.looked, self._rooms)
        if cancelled and fault is not None:
            raise fault


async def _account_shielded(journey: Journey, rooms: Rooms) -> None:
    """Account to the end even if we are being cancelled, within a deadline; past it, for what is held."""
    with anyio.CancelScope(shield=True, deadline=anyio.current_time() + SETTLE_DEADLINE_S):
        await account(journey, rooms)
    if not journey.accounted:
        _account_at_the_hold(journey, rooms)


async def account(journey: Journey, rooms: Rooms) -> None:
    """Write the rows, then settle what was dispatched or release what was only held. Does nothing the second time.

    While the ledger cannot be reached the cost waits in `rooms.unsettled`, and the row's segment stays open.
    """
    if journey.accounted:
        return
    if journey.is_deferred:
        journey.accounted = True
        rooms.open_holds -= 1
        _tell_targets(journey, rooms)
        return
    for attempt in journey.attempts:
        if not attempt.ended_ns:
            _end_with(journey, attempt, rooms)
        if attempt.is_unbilled:
            await bill_unanswered(journey, attempt, rooms)
    try:
        if journey.sought is not None:
            await watch(journey, journey.sought, rooms)
        _record(journey, rooms)
    finally:
        await _settle(journey, rooms)


def _account_at_the_hold(journey: Journey, rooms: Rooms) -> None:
    """Counting what an unfinished attempt used took too long: it is booked at its hold, and settled a moment later."""
    for attempt in journey.attempts:
        if not attempt.ended_ns:
            _end_with(journey, attempt, rooms)
        if attempt.is_unbilled and journey.granted is not None:
            attempt.usage = estimated(journey.estimate.input_tokens, journey.estimate.output_tokens)
            others = sum(each.cost or ZERO for each in journey.attempts)
            attempt.cost = attempt.list_cost = Nano(max(ZERO, journey.granted.amount - others))
    _settle_later(journey, rooms)
    _record(journey, rooms)


def _end_with(journey: Journey, attempt: Attempt, rooms: Rooms) -> None:
    attempt.ended_ns = rooms.clock.monotonic_ns()
    attempt.outcome = journey.outcome


def _tell_targets(journey: Journey, rooms: Rooms) -> None:
    for attempt in journey.attempts:
        end_watching(attempt, rooms)


def _record(journey: Journey, rooms: Rooms) -> None:
    journey.accounted = True
    _tell_targets(journey, rooms)
    journey.mark("relay", rooms.clock.monotonic_ns())
    cost = journey.cost
    if journey.granted is not None and cost is not None and cost > journey.granted.amount:
        journey.overrun = Nano(cost - journey.granted.amount)
    if journey.looked is not None:
        note_shadow(journey, journey.looked, rooms)
    if journey.conversation:
        note_served(journey, rooms)
    rooms.counters.finished(*write_rows(journey, rooms), cost)
    if journey.measures is not None and journey.measures.refused_by:
        rooms.counters.refused(journey.measures.refused_by, rooms.clock.now_ns())


async def _settle(journey: Journey, rooms: Rooms) -> None:
    operation = journey.call.operation
    try:
        if journey.dispatched:
            cost, now_ns = journey.cost or ZERO, rooms.clock.now_ns()
            settled = await rooms.ledger.settle(operation, cost, now_ns, used=used(journey))
            if settled.by:  # another host took this worker for dead, and has the call's row
                rooms.spool.withdraw(operation)
        elif journey.granted is not None:
            await rooms.ledger.release(operation)
    except LedgerUnavailable as error:
        log.error("hold not settled yet", extra={"operation": operation, "error": str(error)})
        _settle_later(journey, rooms)
        rooms.ledger_away = True
        return
    except asyncio.CancelledError:
        # The ledger may still do it; settling twice counts once.
        _settle_later(journey, rooms)
        raise
    rooms.open_holds -= journey.granted is not None
    rooms.spool.settled(operation)
    journey.mark("settle", rooms.clock.monotonic_ns())


def _settle_later(journey: Journey, rooms: Rooms) -> None:
    rooms.unsettled[journey.call.operation] = Due(journey.cost or ZERO, used(journey))


def _note_refusal(journey: Journey, refused: Refused) -> None:
    journey.code = refused.why.code
    journey.status = refused.status
    if refused.by:
        journey.measured.refused_by = refused.by
    journey.error = journey.error or ("" if refused.why.callers_fault else refused.why.code)
    if journey.outcome is Outcome.LOST:
        dispatched_and_failed = bool(journey.attempts)
        journey.outcome = Outcome.UPSTREAM_ERROR if dispatched_and_failed else Outcome.REFUSED


def _note_fault(journey: Journey, fault: BaseException) -> None:
    journey.error = journey.error or type(fault).__name__
    if journey.outcome is Outcome.LOST:
        journey.outcome = Outcome.TRUNCATED if journey.attempts else Outcome.REFUSED
        journey.code = "internal_error"
        journey.status = 500
