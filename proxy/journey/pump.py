"""pump: the answer on its way back, as a stream or in one piece."""

from proxy.journey.inflating import inflater_of
from proxy.journey.relay_stream import relay_stream
from proxy.journey.relay_unary import relay_unary
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.upstream import UpstreamResponse


async def pump(journey: Journey, response: UpstreamResponse, rooms: Rooms) -> None:
    """Relay the upstream's answer byte for byte, reading its usage on a tee.

    Whether it streams is told by the answer's own content type: a streamed request may be answered with JSON, and
    some servers call their streams plain text. A stream in an encoding that cannot be read is relayed unread.
    """
    try:
        if is_event_stream(journey, response):
            await relay_stream(journey, response, rooms)
        else:
            await relay_unary(journey, response, rooms)
    finally:
        response.abort()  # nothing, where the answer was read to its end


def is_event_stream(journey: Journey, response: UpstreamResponse) -> bool:
    """Whether an answer is a stream that can be read, by its content type."""
    inflater = inflater_of(response)
    if response.status != 200 or (inflater is not None and not inflater.known):
        return False
    media = b""
    for name, value in response.headers:
        if name == b"content-type":
            media = value.partition(b";")[0].strip().lower()
            break
    call = journey.call
    return call.dialect.is_stream(call.endpoint, journey.request.streamed, media)
