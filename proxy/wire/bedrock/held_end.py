"""Where an event stream tells how the answer ended."""

from typing import Final

from proxy.wire.bedrock.frames import EVENTSTREAM, inside_of
from proxy.wire.endpoint import Endpoint
from proxy.wire.eventstream import read_frame
from proxy.wire.held_end import MOST_BYTES, HeldEnd

_ENDS: Final = (b"stopReason", b"stop_reason", b"completionReason", b"finish_reason", b"messageStop")
_NOT_YET: Final = (b'":null', b'": null')


def held_end(endpoint: Endpoint, most_bytes: int = MOST_BYTES) -> HeldEnd:
    """What keeps the end of one stream back."""
    is_end = _ends_converse if endpoint is Endpoint.CONVERSE else _ends_invoked
    return HeldEnd(is_end, framing=EVENTSTREAM, most_bytes=most_bytes)


def _ends_converse(raw: bytes) -> bool:
    frame = read_frame(raw)
    return frame is not None and (frame.event == "messageStop" or bool(frame.error))


def _ends_invoked(raw: bytes) -> bool:
    """A chunk that gives a reason for its end, whichever model's it is; most tell null before."""
    frame = read_frame(raw)
    if frame is None:
        return False
    if frame.error:
        return True
    inside = inside_of(frame.payload)
    if inside is None:
        return False
    found = [at for mark in _ENDS if (at := inside.find(mark)) >= 0]
    return any(not inside.startswith(_NOT_YET, inside.find(b'"', at)) for at in found)
