"""Reads a stream on its way through: the tap on which usage, model, outcome and output are learned."""

from typing import Final

from proxy.wire.anthropic.cut import Kept, cut_ending
from proxy.wire.anthropic.events import Block, Delta, Event, Message, merged_usage, pieces_of, read_event
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import Cut, StreamFacts, and_tool
from proxy.wire.output_text import OutputText
from proxy.wire.sse import EventTooLarge, SseSplitter, data_of, name_of

_MAX_ERROR_BYTES: Final = 64 * 1024
_MAX_KEPT_BYTES: Final = 128 * 1024


class StreamTap:
    """One stream's tap: what is fed is forwarded byte for byte, in whole events, and read.

    Usage is told unasked, so that there is nothing to take out: `strip_usage` is of no account. Call `close` when the
    stream is over: what is left is read and given back.
    """

    __slots__ = ("_blind", "_ended", "_given", "_kept", "_output", "_splitter", "facts")

    def __init__(self, endpoint: Endpoint, *, strip_usage: bool = False) -> None:
        self.facts = StreamFacts()
        self._kept = Kept()
        self._splitter = SseSplitter()
        self._output = OutputText()
        self.facts.delivered = self._output.texts
        self._ended = False
        self._blind = False
        self._given = 0

    @property
    def between_events(self) -> bool:
        """Whether what was forwarded so far ends with a whole event, so that another may be put in."""
        return not self._blind and self._given == 0

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk; the bytes to forward now: whole events, so that whatever comes next, what the client has is
        valid. Of an event larger than 128 KB the parts are given as they come. Never raises, whatever the bytes are.
        """
        if self._blind or self._ended:
            rest, self._given = self._splitter.close()[self._given :], 0
            return rest + chunk
        try:
            events = self._splitter.feed(chunk)
        except EventTooLarge as too_large:
            return self._go_blind(too_large.events)
        for event in events:
            self._read(event)
        whole = events[0] if len(events) == 1 else b"".join(events)
        if self._given or not self._splitter.is_between_events:
            return self._with_parts(whole)
        return whole

    def close(self) -> bytes:
        """Read what is left at the end of the stream (a last event without its blank line); the bytes to forward."""
        rest = self._splitter.close()
        self._read(rest)
        given, self._given = self._given, 0
        return rest[given:]

    def ending(self, cut: Cut) -> bytes:
        """The events that end a stream which we cut; to be sent only where `between_events`."""
        return cut_ending(self._kept, cut)

    def _with_parts(self, whole: bytes) -> bytes:
        """Leave out what was given before of an event that is whole now; give parts of one that grows too large."""
        if whole:
            whole, self._given = whole[self._given :], 0
        tail = self._splitter.tail
        if len(tail) - self._given > _MAX_KEPT_BYTES or self._ended:
            whole, self._given = whole + tail[self._given :], len(tail)
        return whole

    def _go_blind(self, events: list[bytes]) -> bytes:
        for event in events:
            self._read(event)
        self.facts.overflow = not self._ended
        self._blind = True
        rest = b"".join(events) + self._splitter.close()
        given, self._given = self._given, 0
        return rest[given:]

    def _read(self, event: bytes) -> None:
        if self._ended:
            return
        data = data_of(event)
        if not data:
            return
        self.facts.events += 1
        told = read_event(data)
        if told is None:
            if name_of(event) == b"error":
                self._end_in_error(data)
            return
        kind = told.type if told.type is not None else (name_of(event) or b"").decode("utf-8", "replace")
        if kind == "content_block_delta":
            self._read_delta(told.delta)
        else:
            self._read_frame(kind, told, data)

    def _read_delta(self, delta: Delta | None) -> None:
        if delta is None:
            return
        text = delta.text or delta.partial_json or delta.thinking
        if text:
            self._deliver(text)

    def _read_frame(self, kind: str, told: Event, data: bytes) -> None:
        """An event that is about a message or a block as a whole."""
        if kind == "message_start":
            self._kept.has_begun = True
            if told.message is not None:
                self._read_message(told.message)
        elif kind == "content_block_start":
            self._kept.open(told.index)
            if told.content_block is not None:
                self._read_block(told.content_block)
        elif kind == "content_block_stop":
            self._kept.close(told.index)
        elif kind == "message_delta":
            self._read_end(told)
        elif kind == "message_stop":
            self.facts.terminal = self._ended = True
        elif kind == "error":
            self._end_in_error(bytes(told.error) or data)

    def _read_message(self, message: Message) -> None:
        facts = self.facts
        if message.model:
            facts.model = message.model
        facts.raw_usage = merged_usage(facts.raw_usage, message.usage, is_begun=True)

    def _read_block(self, block: Block) -> None:
        if block.type == "tool_use":
            self.facts.tool_call_count += 1
            self.facts.tools = and_tool(self.facts.tools, block.name)
        for text in pieces_of(block):
            self._deliver(text)

    def _read_end(self, told: Event) -> None:
        facts = self.facts
        facts.raw_usage = merged_usage(facts.raw_usage, told.usage, is_begun=False)
        if told.delta is not None and told.delta.stop_reason is not None:
            facts.finish_reason = told.delta.stop_reason

    def _deliver(self, text: str) -> None:
        output, facts = self._output, self.facts
        output.add(text)
        facts.output_chars, facts.output_fifths = output.chars, output.fifths
        facts.saw_output = True

    def _end_in_error(self, error: bytes) -> None:
        self.facts.error = error[:_MAX_ERROR_BYTES]
        self.facts.terminal = True
