"""Not waiting for an answer that nobody waits for any more, nor for a client that does not take it."""

import asyncio

from proxy.core.outcome import Outcome
from proxy.journey.bill import Evidence, bill
from proxy.journey.caching.keeping import is_awaited
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt, Journey
from proxy.upstream import UpstreamFailed, UpstreamRequest, UpstreamResponse

WATCH_AFTER_S = 0.25
"""How long an answer may take to begin before we look whether the client is still there: a watch costs a task."""

UNREAD_AFTER_S = 1.0
"""How long after an attempt's total time its client may still be taking the answer."""


class _Patience:
    """Ends a wait of this task when the client hangs up."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._exchange = journey.exchange
        self._waits = True
        self._task = asyncio.current_task()
        self.client_left = False
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._watch)

    def stop(self) -> None:
        """The wait is over."""
        self._waits = False
        self._timer.cancel()

    def _watch(self) -> None:
        self._exchange.watch(self._leave)

    def _leave(self) -> None:
        if self._waits and self._task is not None and not is_awaited(self._journey):
            self.client_left = True
            self._task.cancel()


class Unread:
    """Cancels this task when the client has not taken its whole answer soon after the provider must have given it.

    Until then it may be as slow as it likes; longer it would keep its money held and a connection open for nothing.
    """

    def __init__(self, attempt: Attempt) -> None:
        self.passed = False
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(attempt.provider.total_s + UNREAD_AFTER_S, self._pass)

    def stop(self) -> None:
        """It was taken."""
        self._timer.cancel()

    def _pass(self) -> None:
        self.passed = True
        if self._task is not None:
            self._task.cancel()


async def send_while_wanted(
    journey: Journey, attempt: Attempt, request: UpstreamRequest, rooms: Rooms
) -> UpstreamResponse:
    """Send the request; given up when the client leaves a stream at a provider that stops billing then.

    An answer in one piece is waited for in any case: it is billed in full whether or not anybody takes it, and only
    the answer tells how much that is.

    Raises:
        UpstreamFailed: as the transport does; `aborted` when it was given up, which is billed already.
    """
    if not request.streamed or attempt.provider.on_client_disconnect != "cancel":
        return await rooms.transport.send(request)
    patience = _Patience(journey)
    try:
        return await rooms.transport.send(request)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not patience.client_left or task is None or task.uncancel() > 0:
            raise
    finally:
        patience.stop()
    attempt.ended_ns = rooms.clock.monotonic_ns()
    journey.outcome = attempt.outcome = Outcome.CANCELLED
    attempt.error = journey.error = "aborted"
    await bill(journey, attempt, Evidence(), rooms)
    raise UpstreamFailed("aborted", "the client left before the answer began", sent=True)
