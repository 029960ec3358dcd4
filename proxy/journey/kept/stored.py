"""stored: an answer that its provider keeps is its caller's, to be asked for by the id it tells."""

import logging
from typing import Final

from proxy.core.refusal import Refused
from proxy.journey.inflating import inflated
from proxy.journey.kept.due import defer
from proxy.journey.kept.first_event import FirstEvent
from proxy.journey.kept.note import remember
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.upstream import UpstreamResponse
from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.yielded import named_in
from proxy.wire.place import Yield

UNARY: Final = {
    Endpoint.RESPONSES: (Yield("id", "response"), Yield("conversation.id", "conversation")),
    Endpoint.CHAT: (Yield("id", "chat_completion"),),
}
STREAMED: Final = {
    Endpoint.RESPONSES: (Yield("response.id", "response"), Yield("response.conversation.id", "conversation")),
    Endpoint.CHAT: (Yield("id", "chat_completion"),),
}
log = logging.getLogger("flyball.journey")


async def note_stored(journey: Journey, whole: bytes, response: UpstreamResponse, rooms: Rooms) -> None:
    """Remember whose a whole answer is, before anybody is told its id."""
    await _note(journey, inflated(response, whole), UNARY[journey.call.endpoint], rooms)


async def defer_stored(journey: Journey, whole: bytes, response: UpstreamResponse, rooms: Rooms) -> bool:
    """Leave an answer that is made in the background to be billed when it is done; whether it is left."""
    if journey.translation is not None:
        return False
    named = named_in(inflated(response, whole), UNARY[journey.call.endpoint])
    return await defer(journey, journey.attempts[-1], named, rooms)


class StoredStream:
    """Holds a stream back until its first event has told the id; `waits` until then."""

    def __init__(self, journey: Journey, rooms: Rooms) -> None:
        self.waits = True
        self._journey = journey
        self._rooms = rooms
        self._first = FirstEvent()

    async def noted(self, out: bytes) -> bytes:
        """What may be sent on now."""
        out, data = self._first.feed(out)
        if data is not None:
            self.waits = False
            await _note(self._journey, data, STREAMED[self._journey.call.endpoint], self._rooms)
        return out

    def close(self) -> bytes:
        """What is held back still of a stream whose first event was never whole."""
        self.waits = False
        return self._first.close()


async def _note(journey: Journey, told: bytes, yields: tuple[Yield, ...], rooms: Rooms) -> None:
    provider = journey.attempts[-1].provider
    if provider.shares_state or journey.translation is not None:  # an id of ours would be nobody's there
        return
    try:
        await remember(journey, provider.name, named_in(told, yields), rooms)
    except Refused as refused:
        # The answer is there and paid for; it only cannot be asked for again.
        log.warning("a stored answer has no owner", extra={"operation": journey.call.operation, "why": refused.message})
