"""A stream's tool calls on their way: withheld, decided one by one, and sent on or taken out."""

from proxy.journey.gate_calls import CallJudge, is_gated, is_watched, note_own_denials, tell_denied
from proxy.journey.observe import observes
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.wire.openai.gate import ToolGate


class StreamGate:
    """The gate of one stream, with who decides behind it. `withholds`: calls that are denied stay here."""

    withholds = True

    def __init__(self, journey: Journey, rooms: Rooms) -> None:
        self._journey = journey
        self._rooms = rooms
        self._judge = CallJudge(journey, rooms, withholds=self.withholds)
        self._gate = ToolGate(journey.call.endpoint, observes=observes(journey))

    async def passed(self, chunk: bytes) -> bytes:
        """What of the stream may go on now."""
        out = self._gate.feed(chunk, self._rooms.clock.monotonic_ns())
        return out + await self._decided() if self._gate.asks else out

    async def ended(self, rest: bytes) -> bytes:
        """The last of the stream, and all that was withheld and may go on; the row is told what was taken out."""
        out = await self.passed(rest) if rest else b""
        out += self._gate.close()
        out += await self._decided()
        note_own_denials(self._journey, self._gate.denied, self._rooms)
        tell_denied(self._journey, self._gate.denied)
        self._gate.denied = []
        return out

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

    async def ended(self, rest: bytes) -> bytes:
        """The last of the stream."""
        if rest:
            await super().passed(rest)
        self._gate.close()
        await self._decided()
        return rest


def stream_gate(journey: Journey, rooms: Rooms) -> StreamGate | None:
    """The gate of a stream, where a rule looks at tool calls."""
    if is_gated(journey, rooms):
        return StreamGate(journey, rooms)
    return WatchedStream(journey, rooms) if is_watched(journey) else None
