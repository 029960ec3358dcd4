"""Comments into a silent stream, so that nothing on the way takes silence for death (DESIGN §4)."""

import asyncio

from proxy.journey.call import Exchange
from proxy.wire.dialect import Tap


class Pinger:
    """Sends `: ping` after so many seconds without a byte, between events only.

    One timer that looks at the time of the last chunk when it fires, so that a chunk costs no timer.
    """

    def __init__(self, exchange: Exchange, tap: Tap, after_s: float, ping: bytes) -> None:
        self._exchange = exchange
        self._tap = tap
        self._after_s = after_s
        self._what = ping
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._sending: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(after_s, self._look)

    def touched(self) -> None:
        """A chunk was sent just now."""
        self._last = self._loop.time()

    def stop(self) -> None:
        """Send no more; one on its way is called back."""
        self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()

    def _look(self) -> None:
        silent_s = self._loop.time() - self._last
        if silent_s >= self._after_s:
            self._ping()
            silent_s = 0.0
            self._last = self._loop.time()
        self._timer = self._loop.call_later(self._after_s - silent_s, self._look)

    def _ping(self) -> None:
        idle = self._sending is None or self._sending.done()
        if idle and self._what and self._tap.between_events and not self._exchange.gone():
            self._sending = self._loop.create_task(self._send())

    async def _send(self) -> None:
        # Looked at again: the relay may have begun an event in the turn between.
        if self._tap.between_events:
            await self._exchange.send(self._what)
