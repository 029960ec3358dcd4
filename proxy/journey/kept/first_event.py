"""Holding a stream back until its first event is whole, so that the object it names is noted before it is told."""

from typing import Final

from proxy.wire.sse import data_of

MOST: Final = 262_144
"""An event that is larger is let go unread."""
_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")


class FirstEvent:
    """Fed with chunks; gives them back once the first event with data is there."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> tuple[bytes, bytes | None]:
        """What may be sent on now, and the data of the first event once it is whole (empty: it was too large)."""
        self._held += chunk
        at = 0
        while (end := self._end_after(at)) > 0:
            data = data_of(self._held[at:end])
            if data:
                return self.close(), bytes(data)
            at = end
        return (self.close(), b"") if len(self._held) > MOST else (b"", None)

    def close(self) -> bytes:
        """What is held back still."""
        held, self._held = self._held, b""
        return held

    def _end_after(self, at: int) -> int:
        """Where the next event ends; 0 where none does yet."""
        ends = [found + len(mark) for mark in _ENDS if (found := self._held.find(mark, at)) >= 0]
        return min(ends, default=0)
