"""Server-sent events, bytes in and whole raw events out (WHATWG HTML §9.2): nothing here decodes, or waits."""

import re
from typing import Final

MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
"""An event longer than this is not a model's: reading on would only fill memory."""

# A line may end in CR LF, LF or CR. The groups are atomic: a lone CR LF must never be read as two ends.
_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LONGEST_SEPARATOR: Final = 4
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_CR: Final = 0x0D
_BOM: Final = b"\xef\xbb\xbf"


class EventTooLarge(Exception):
    """An event outgrew its bound. `events` are the whole ones before it; the rest is had from `close`."""

    def __init__(self, events: list[bytes]) -> None:
        super().__init__("an event is larger than its bound")
        self.events = events


class SseSplitter:
    """Cuts a stream into raw events, each with its separator; the same events however the stream is split."""

    __slots__ = ("_any_line_end", "_limit", "_scanned", "_tail")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._tail = bytearray()
        self._scanned = 0
        self._any_line_end = False

    @property
    def tail(self) -> bytes:
        """What has come of the event that is not yet whole."""
        return bytes(self._tail)

    @property
    def is_between_events(self) -> bool:
        """Whether all that has come is whole events."""
        return not self._tail

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk makes whole.

        Raises:
            EventTooLarge: the next event is longer than the bound; feed nothing more, `close` gives what is left.
        """
        if not self._tail and chunk[-2:] == b"\n\n" and b"\r" not in chunk and len(chunk) <= self._limit:
            return self._whole(chunk)
        return self._piecemeal(chunk)

    def close(self) -> bytes:
        """What is left at the end of the stream: an event without its separator, or nothing."""
        rest = bytes(self._tail)
        self._tail.clear()
        self._scanned = 0
        return rest

    def _whole(self, chunk: bytes) -> list[bytes]:
        """The usual chunk: it begins and ends with its events. Their number is told by their separators."""
        if chunk.find(b"\n\n") == len(chunk) - 2:
            return [chunk]
        parts = chunk.split(b"\n\n")
        if parts[-1]:
            # Three line ends in a row: the odd one out belongs to an event to come.
            return self._piecemeal(chunk)
        return [part + b"\n\n" for part in parts[:-1]]

    def _piecemeal(self, chunk: bytes) -> list[bytes]:
        tail = self._tail
        tail += chunk
        events: list[bytes] = []
        start = 0
        position = max(0, self._scanned - _LONGEST_SEPARATOR + 1)
        self._any_line_end = self._any_line_end or b"\r" in chunk
        while 0 < (end := self._next_end(position)) <= start + self._limit:
            events.append(bytes(tail[start:end]))
            start = position = end
        del tail[:start]
        self._scanned = len(tail)
        self._any_line_end = self._any_line_end and bool(tail)
        if self._scanned > self._limit:
            raise EventTooLarge(events)
        return events

    def _next_end(self, position: int) -> int:
        """Where the next event ends, looked for from a position; -1 when its end has not come."""
        tail = self._tail
        if not self._any_line_end:
            found = tail.find(b"\n\n", position)
            return found if found < 0 else found + 2
        blank = _BLANK_LINE.search(tail, position)
        if blank is None:
            return -1
        # A CR at the very end: its LF may be in the next chunk.
        is_half = blank.end() == len(tail) and tail[-1] == _CR
        return -1 if is_half else blank.end()


def data_of(event: bytes) -> bytes | None:
    """The event's data: its data lines joined by LF; None when it has none (a comment, a ping)."""
    line = event.rstrip(b"\r\n")
    if line.startswith(b"data:") and b"\n" not in line and b"\r" not in line:
        return line[6:] if line[5:6] == b" " else line[5:]
    return _joined(event, b"data")


def name_of(event: bytes) -> bytes | None:
    """The event's name, of its last `event:` line; None when it has none. Its lines may stand in any order."""
    lines = _values(event, b"event")
    return lines[-1] if lines else None


def _joined(event: bytes, field: bytes) -> bytes | None:
    lines = _values(event, field)
    return b"\n".join(lines) if lines else None


def _values(event: bytes, field: bytes) -> list[bytes]:
    values: list[bytes] = []
    for line in _LINE_END.split(event.removeprefix(_BOM)):
        name, _, value = line.partition(b":")
        if name == field:
            values.append(value.removeprefix(b" "))
    return values
