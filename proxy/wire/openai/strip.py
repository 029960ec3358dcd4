"""Takes out of a stream what asking for usage has put in: the usage-only chunk, and `"usage":null` elsewhere."""

import re
from typing import Final

import msgspec

from proxy.wire.members import NotWellFormed, raw_members, walk
from proxy.wire.openai.events import Chunk

_NULL: Final = msgspec.Raw(b"null")
_USUAL: Final = b',"usage":null'
_KEY: Final = b'"usage"'
_ESCAPED_LETTER: Final = b"\\u00"
_COMMA: Final = re.compile(rb"[ \t\n\r]*,[ \t\n\r]*")


def stripped(event: bytes, data: bytes, chunk: Chunk) -> bytes:
    """The event without what was added to it: empty for the usage-only chunk, else all other bytes as they were."""
    if len(chunk.usage) > len(_NULL):
        return b"" if chunk.choices == [] else event
    if chunk.usage == _NULL:
        return _without_null(event, data)
    return event


def _without_null(event: bytes, data: bytes) -> bytes:
    at = event.find(_USUAL)
    # The key is written once and no other key can be an escaped spelling of it: then this is the member, unless it
    # is nested and the outer one spelled otherwise, which the first two conditions rule out together.
    if at >= 0 and event.count(_KEY) == 1 and _ESCAPED_LETTER not in event:
        return event[:at] + event[at + len(_USUAL) :]
    return _scanned(event, data)


def _scanned(event: bytes, data: bytes) -> bytes:
    offset = event.find(data)
    if offset < 0:
        # Its data is spread over several lines: no provider that is asked for usage does this.
        return event
    try:
        span = _span_of_nulls(data)
    except (msgspec.MsgspecError, RecursionError, NotWellFormed, UnicodeDecodeError):
        return event
    if span is None:
        return event
    start, end = span
    return event[: offset + start] + event[offset + end :]


def _span_of_nulls(data: bytes) -> tuple[int, int] | None:
    """The span of the top-level null usage with the comma that goes with it; None when it is not told just once."""
    span: tuple[int, int] | None = None
    end_before = 0
    for key, key_start, _, end in walk(data, raw_members(data)):
        if key == "usage":
            if span is not None:
                return None
            if end_before:
                # The comma before it, and the space around that comma.
                span = end_before, end
            else:
                comma = _COMMA.match(data, end)
                span = key_start, end if comma is None else comma.end()
        end_before = end
    return span
