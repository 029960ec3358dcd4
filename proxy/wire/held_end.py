"""The end of a stream, kept back until somebody has decided on the whole answer."""

from collections.abc import Callable
from typing import Final

from proxy.wire.framing import SSE, Framing
from proxy.wire.sse import EventTooLarge

MOST_BYTES: Final = 8 * 1024 * 1024
"""The last event of a response holds all of it once more."""


class HeldEnd:
    """Lets a stream pass up to the event that says how the answer ended; that one, and all behind it, stays here.

    `is_too_large`: more than 8 MB were to stay, and were not kept.
    """

    def __init__(
        self, is_end: Callable[[bytes], bool], *, framing: Framing = SSE, most_bytes: int = MOST_BYTES
    ) -> None:
        """`is_end`: whether a raw event tells how the answer, or one of its choices, ended."""
        self._is_end = is_end
        self._splitter = framing.splitter()
        self._most_bytes = most_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.is_holding = False
        self.is_too_large = False

    def feed(self, chunk: bytes) -> bytes:
        """What may go on now: whole events."""
        if self.is_holding:
            self._keep(chunk)
            return b""
        try:
            events = self._splitter.feed(chunk)
        except EventTooLarge as too_large:
            return self._up_to_the_end([*too_large.events, self._splitter.close()], is_blind=True)
        return self._up_to_the_end(events)

    def instead(self, event: bytes) -> bytes:
        """An event of ours as it stands in the place of what is kept here."""
        return event

    def close(self) -> bytes:
        """The stream is over: all that is here, byte for byte."""
        rest = self._splitter.close()
        held, self._held, self._held_bytes = self._held, [], 0
        self.is_holding = False
        return b"".join(held) + rest

    def _up_to_the_end(self, events: list[bytes], *, is_blind: bool = False) -> bytes:
        """The events before the last one; where the stream can be read no further, what comes is taken for its end."""
        for number, event in enumerate(events):
            if self._is_end(event) or (is_blind and number == len(events) - 1):
                self.is_holding = True
                for each in (*events[number:], self._splitter.close()):
                    self._keep(each)
                return b"".join(events[:number])
        return b"".join(events)

    def _keep(self, chunk: bytes) -> None:
        self._held_bytes += len(chunk)
        if self._held_bytes > self._most_bytes:
            self.is_too_large = True
            self._held.clear()
        else:
            self._held.append(chunk)
