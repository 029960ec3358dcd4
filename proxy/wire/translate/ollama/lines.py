"""Cuts a stream of JSON lines (NDJSON) however it is split; nothing here waits."""

from typing import Final

MOST_BYTES: Final = 4 * 1024 * 1024
"""A longer line is no model's."""


class LineTooLong(Exception):
    """A line outgrew its bound. `lines` are the whole ones before it."""

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__(f"a line has more than {MOST_BYTES} bytes")
        self.lines = lines


class LineSplitter:
    """Feed it a stream; it gives the lines that are whole."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk makes whole, without their ends, none of them empty.

        Raises:
            LineTooLong: what is kept would have no bound.
        """
        *lines, self._tail = (self._tail + chunk).split(b"\n")
        lines = [line for line in lines if line.strip()]
        if len(self._tail) > MOST_BYTES:
            self._tail = b""
            raise LineTooLong(lines)
        return lines

    def close(self) -> bytes:
        """A line without its end, or nothing."""
        rest, self._tail = self._tail, b""
        return rest
