"""Reads a Gemini stream on its way through: the tap on which usage, model, outcome and output are learned.

Both forms are read: server-sent events (`alt=sse`), and one array sent element by element.
"""

from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import Cut, StreamFacts
from proxy.wire.gemini.answers import MAX_ERROR_BYTES, Answer, Tally, is_object, merged, read_answer, tier_of
from proxy.wire.gemini.cut import cut_ending
from proxy.wire.gemini.listing import ARRAY, ListSplitter
from proxy.wire.sse import EventTooLarge, SseSplitter, data_of

_AS_LIST: Final = Endpoint.GENERATE_CONTENT_LIST
_MAX_KEPT_BYTES: Final = 128 * 1024
_MAX_CANDIDATES: Final = 128


class GeminiTap:
    """One stream's tap: what is fed is forwarded byte for byte, and read. Call `close` when the stream is over."""

    __slots__ = ("_blind", "_finished", "_first", "_given", "_highest", "_is_list", "_splitter", "_tally", "facts")

    def __init__(self, endpoint: Endpoint, *, strip_usage: bool) -> None:
        """`strip_usage` changes nothing: usage is in every chunk, asked or not."""
        self.facts = StreamFacts()
        self._is_list = endpoint is _AS_LIST
        self._splitter: SseSplitter | ListSplitter = ListSplitter() if self._is_list else SseSplitter()
        self._tally = Tally()
        self.facts.delivered = self._tally.output.texts
        self._first = b""
        self._highest = 0
        self._finished: set[int] = set()
        self._blind = False
        self._given = 0

    @property
    def between_events(self) -> bool:
        """Whether what was forwarded so far ends with a whole event, so that another may be put in.

        Into an array only behind its first element.
        """
        is_whole = not self._blind and self._given == 0
        return is_whole and (not self._is_list or self.facts.events > 0)

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk; the bytes to forward now: whole events, so that whatever comes next, what the client has is
        valid. Of an event larger than 128 KB the parts are given as they come. Never raises, whatever the bytes are.
        """
        if self._blind:
            return chunk
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
        """Read what is left at the end of the stream (an event without its blank line); the bytes to forward."""
        rest = self._splitter.close()
        if rest and not self._blind and not self._is_list:
            self._read(rest)
        given, self._given = self._given, 0
        return rest[given:]

    def ending(self, cut: Cut) -> bytes:
        """The events that end a stream which we cut; to be sent only where `between_events`."""
        ended = [index for index in range(self._highest + 1) if index not in self._finished]
        chunk = cut_ending(self._first, ended, cut)
        return b",%b]" % chunk if self._is_list else b"data: %b\n\n" % chunk

    def _with_parts(self, whole: bytes) -> bytes:
        """Leave out what was given before of an event that is whole now; give parts of one that grows too large."""
        if whole:
            whole, self._given = whole[self._given :], 0
        tail = self._splitter.tail
        if len(tail) - self._given > _MAX_KEPT_BYTES:
            whole, self._given = whole + tail[self._given :], len(tail)
        return whole

    def _go_blind(self, events: list[bytes]) -> bytes:
        for event in events:
            self._read(event)
        self.facts.overflow = self._blind = True
        rest = b"".join([*events, self._splitter.close()])
        given, self._given = self._given, 0
        return rest[given:]

    def _read(self, event: bytes) -> None:
        data = ARRAY.data_of(event) if self._is_list else data_of(event)
        if not data:
            # The closing bracket: nothing may follow it.
            self.facts.terminal |= self._is_list and event.rstrip().endswith(b"]")
            return
        self.facts.events += 1
        answer = read_answer(data)
        if answer is None:
            return
        self._read_answer(answer)
        if not self._first and answer.candidates and len(data) <= _MAX_KEPT_BYTES:
            self._first = data

    def _read_answer(self, answer: Answer) -> None:
        facts, tally = self.facts, self._tally
        if answer.modelVersion:
            facts.model = answer.modelVersion
        if is_object(answer.usageMetadata):
            facts.raw_usage = merged(facts.raw_usage, bytes(answer.usageMetadata))
            facts.service_tier = tier_of(facts.raw_usage)
        for candidate in answer.candidates or ():
            tally.add(candidate)
            index = candidate.index or 0
            if 0 < index < _MAX_CANDIDATES:
                self._highest = max(self._highest, index)
            if candidate.finishReason is not None:
                self._finished.add(index)
        facts.finish_reason = answer.finish_reason or facts.finish_reason
        facts.output_chars, facts.output_fifths = tally.output.chars, tally.output.fifths
        facts.saw_output = facts.saw_output or tally.output.chars > 0 or tally.has_media
        facts.tool_call_count, facts.tools = tally.calls, tally.tools
        facts.tool_calls = tally.fees(facts.model)
        if is_object(answer.error):
            facts.error = bytes(answer.error)[:MAX_ERROR_BYTES]
            facts.terminal = True
