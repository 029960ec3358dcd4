"""The event stream as the framing that gates and held ends cut streams by."""

import re
from base64 import b64decode
from binascii import Error
from typing import Final

from proxy.wire.eventstream import BadFrame, FrameSplitter, read_frame
from proxy.wire.framing import Framing
from proxy.wire.sse import EventTooLarge

_BYTES: Final = re.compile(rb'"bytes"\s*:\s*"([^"]*)"')


def inside_of(payload: bytes) -> bytes | None:
    """What the base64 of an invoked model's chunk holds; None where there is none."""
    found = _BYTES.search(payload)
    if found is None:
        return None
    try:
        return b64decode(found[1], validate=True)
    except (Error, ValueError):
        return None


class _Frames:
    """A splitter to whom a damaged stream is one whose next event never ends."""

    def __init__(self) -> None:
        self._splitter = FrameSplitter()

    @property
    def is_between_events(self) -> bool:
        """Whether all that has come is whole frames."""
        return self._splitter.is_between_frames

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that this chunk makes whole; raises EventTooLarge."""
        try:
            return self._splitter.feed(chunk)
        except BadFrame as bad:
            raise EventTooLarge(bad.frames) from bad

    def close(self) -> bytes:
        """A part of a frame, or nothing."""
        return self._splitter.close()


class _EventStream:
    """application/vnd.amazon.eventstream. A part of a frame has neither data nor name."""

    def splitter(self) -> _Frames:
        """What cuts one stream."""
        return _Frames()

    def data_of(self, event: bytes) -> bytes | None:
        """The payload of a frame."""
        frame = read_frame(event)
        return None if frame is None else frame.payload

    def name_of(self, event: bytes) -> bytes | None:
        """The event's name, or the exception's."""
        frame = read_frame(event)
        return None if frame is None else (frame.event or frame.error).encode()


EVENTSTREAM: Final[Framing] = _EventStream()
