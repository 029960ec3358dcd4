"""The other form of a Gemini stream: one JSON array, its elements sent as they are made (no `alt=sse`)."""

import re
from typing import Final

from proxy.wire.sse import MAX_EVENT_BYTES, EventTooLarge

_MARK: Final = re.compile(rb'["{}\[\]]')
_IN_STRING: Final = re.compile(rb'["\\]')
_BETWEEN: Final = b" \t\r\n,"
_BEFORE: Final = b" \t\r\n,["


class ListSplitter:
    """Cuts an array into its elements as they become whole; the same elements however the array is split.

    An element comes with what stands before it (the opening bracket, a comma, white space); the closing bracket, with
    all that may follow, comes by itself. Joined they are the array, byte for byte.
    """

    __slots__ = ("_depth", "_escaped", "_in_string", "_limit", "_over", "_scanned", "_tail")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._tail = bytearray()
        self._scanned = self._depth = 0
        self._in_string = self._escaped = self._over = False

    @property
    def tail(self) -> bytes:
        """What has come of the element that is not yet whole."""
        return bytes(self._tail)

    @property
    def is_between_events(self) -> bool:
        """Whether all that has come is whole elements, and perhaps a comma."""
        return not self._tail or not self._tail.strip(_BETWEEN)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The elements that this chunk makes whole.

        Raises:
            EventTooLarge: the next element is longer than the bound; feed nothing more, `close` gives what is left.
        """
        self._tail += chunk
        events: list[bytes] = []
        while (end := self._next_end()) is not None and end <= self._limit:
            events.append(bytes(self._tail[:end]))
            del self._tail[:end]
            self._scanned = 0
        if len(self._tail) > self._limit:
            raise EventTooLarge(events)
        return events

    def close(self) -> bytes:
        """What is left at the end of the stream: an element that is not whole, or nothing."""
        rest = bytes(self._tail)
        self._tail.clear()
        self._scanned = 0
        return rest

    def _next_end(self) -> int | None:
        """Where the next element ends, looked for from where the last look ended; None when its end has not come."""
        if self._over:
            return len(self._tail) or None
        while (mark := self._next_mark()) is not None:
            if mark in b"{[":
                self._depth += 1
            elif mark in b"}]":
                self._depth -= 1
                self._over = self._depth <= 0
                if self._depth <= 1:
                    return self._scanned
        return None

    def _next_mark(self) -> int | None:
        """The next bracket that stands in no text, and the place behind it; None when none has come."""
        tail = self._tail
        while self._scanned < len(tail):
            if self._escaped:
                self._escaped = False
                self._scanned += 1
                continue
            found = (_IN_STRING if self._in_string else _MARK).search(tail, self._scanned)
            if found is None:
                self._scanned = len(tail)
                break
            self._scanned = found.end()
            mark = tail[found.start()]
            if mark == 0x22:
                self._in_string = not self._in_string
            elif self._in_string:
                self._escaped = True
            else:
                return mark
        return None


class _Array:
    """A stream of elements of one array, as events."""

    def splitter(self) -> ListSplitter:
        return ListSplitter()

    def data_of(self, event: bytes) -> bytes | None:
        data = event.lstrip(_BEFORE)
        return data if data[:1] == b"{" else None

    def name_of(self, event: bytes) -> bytes | None:
        return None


ARRAY: Final = _Array()
