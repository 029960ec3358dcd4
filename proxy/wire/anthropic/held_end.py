"""Where a stream tells how the answer ended."""

from proxy.wire.anthropic.events import read_event
from proxy.wire.endpoint import Endpoint
from proxy.wire.held_end import HeldEnd
from proxy.wire.sse import data_of


def held_end(endpoint: Endpoint) -> HeldEnd:
    """What keeps the end of one stream back."""
    return HeldEnd(is_end)


def is_end(event: bytes) -> bool:
    """Whether an event tells the reason that the answer stopped for, or that it is over."""
    if b"message_" not in event:
        return False
    data = data_of(event)
    told = None if data is None else read_event(data)
    if told is None:
        return False
    return told.type == "message_stop" or (told.delta is not None and told.delta.stop_reason is not None)
