"""The end of a stream, kept back until somebody has decided on the whole answer."""

from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.events import read_chunk, read_event
from proxy.wire.sse import EventTooLarge, SseSplitter, data_of, name_of

MOST_BYTES: Final = 8 * 1024 * 1024
"""The last event of a response holds all of it once more."""
_DONE: Final = b"[DONE]"
_LAST: Final = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


class HeldEnd:
    """Lets a stream pass up to the event that says how the answer ended; that one, and all behind it, stays here.

    `is_too_large`: more than 8 MB were to stay, and were not kept.
    """

    def __init__(self, endpoint: Endpoint, most_bytes: int = MOST_BYTES) -> None:
        self._is_responses = endpoint is Endpoint.RESPONSES
        self._splitter = SseSplitter()
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

    def _is_end(self, event: bytes) -> bool:
        """Whether it tells how the answer, or one of its choices, ended."""
        data = data_of(event)
        if data is None:
            return False
        if data.strip() == _DONE:
            return True
        if self._is_responses:
            told = read_event(data)
            kind = (told.type if told is not None else None) or (name_of(event) or b"").decode("utf-8", "replace")
            return kind in _LAST
        chunk = read_chunk(data)
        return chunk is not None and any(choice.finish_reason for choice in chunk.choices or ())
