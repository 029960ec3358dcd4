"""A stream's tool calls on their way: withheld, decided one by one, and sent on or taken out."""

from typing import Final

import anyio

from proxy.journey.gate_calls import CallJudge, is_gated, is_watched, note_own_denials, tell_denied
from proxy.journey.observe import observes
from proxy.journey.park import Parking, parking_of
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.upstream import UpstreamResponse

LEAVING_S: Final = 5.0


class StreamGate:
    """The gate of one stream, with who decides behind it. `withholds`: calls that are denied stay here."""

    withholds = True

    def __init__(
        self, journey: Journey, rooms: Rooms, *, judge: CallJudge | None = None, parking: Parking | None = None
    ) -> None:
        """`parking` keeps the stream meanwhile, in case a call in it needs a person; `judge` stands in for our own."""
        self._journey = journey
        self._rooms = rooms
        self._parking = parking
        self._judge = judge or CallJudge(journey, rooms, withholds=self.withholds, parking=parking)
        self._gate = journey.call.dialect.tool_gate(journey.call.endpoint, observes=observes(journey))

    async def passed(self, chunk: bytes) -> bytes:
        """What of the stream may go on now."""
        if self._parking is not None:
            self._parking.keep(chunk)
        out = self._gate.feed(chunk, self._rooms.clock.monotonic_ns())
        return out + await self._decided() if self._gate.asks else out

    async def ended(self, rest: bytes, *, is_whole: bool) -> bytes:
        """The last of the stream, and all that was withheld and may go on; the row is told what was taken out.

        `is_whole`: nothing is missing of it, so that it may be put aside until a person has decided.
        """
        out = await self.passed(rest) if rest else b""
        out += self._gate.close()
        out += await self._decided()
        note_own_denials(self._journey, self._gate.denied, self._rooms)
        tell_denied(self._journey, self._gate.denied)
        self._gate.denied = []
        if self._parking is not None:
            await self._parking.end(is_whole=is_whole)
        return out

    async def left(self) -> None:
        """The stream is done with, perhaps without its end."""
        if self._parking is not None:
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + LEAVING_S):
                await self._parking.end(is_whole=False)

    async def _decided(self) -> bytes:
        out = b""
        while self._gate.asks:
            out += self._gate.answer(await self._judge.judge(self._gate.asks))
        return out


class WatchedStream(StreamGate):
    """A stream that goes on as it comes, while its calls are read for rules that are only tried."""

    withholds = False

    async def passed(self, chunk: bytes) -> bytes:
        """All of it."""
        await super().passed(chunk)
        return chunk

    async def ended(self, rest: bytes, *, is_whole: bool) -> bytes:
        """The last of the stream."""
        if rest:
            await super().passed(rest)
        self._gate.close()
        await self._decided()
        return rest


def stream_gate(journey: Journey, response: UpstreamResponse, rooms: Rooms) -> StreamGate | None:
    """The gate of a stream, where a rule looks at tool calls."""
    if is_gated(journey, rooms):
        return StreamGate(journey, rooms, parking=parking_of(journey, response, rooms))
    return WatchedStream(journey, rooms) if is_watched(journey) else None
