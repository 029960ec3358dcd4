"""Reads a stream on its way through: the tap on which usage, model, outcome and output are learned."""

from typing import Final

from msgspec import Raw

from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import Cut, StreamFacts, and_tool
from proxy.wire.openai.cut import Kept, cut_ending
from proxy.wire.openai.events import (
    Choice,
    Chunk,
    ResponseBody,
    ToolCallPart,
    is_told,
    read_chunk,
    read_event,
)
from proxy.wire.openai.fingerprint import fingerprint_in
from proxy.wire.openai.items import ItemTally, OutputItem
from proxy.wire.openai.output import is_plain, pieces_of
from proxy.wire.openai.strip import stripped
from proxy.wire.output_text import OutputText
from proxy.wire.sse import EventTooLarge, SseSplitter, data_of, name_of

_DONE: Final = b"[DONE]"
_MAX_ERROR_BYTES: Final = 64 * 1024
_MAX_CALLS: Final = 4096
_LONGEST_NOTHING: Final = len(b"null")
_MAX_KEPT_BYTES: Final = 128 * 1024
_LAST_EVENTS: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})


class StreamTap:
    """One stream's tap: what is fed is forwarded, and read.

    Whole events are given back; with `strip_usage` without what asking for usage has added, else byte for byte.
    Call `close` when the stream is over: what is left is read and given back.
    """

    __slots__ = (
        "_blind",
        "_calls",
        "_ended",
        "_endpoint",
        "_given",
        "_is_responses",
        "_items",
        "_output",
        "_splitter",
        "_strip",
        "facts",
        "kept",
    )

    def __init__(self, endpoint: Endpoint, *, strip_usage: bool) -> None:
        self.facts = StreamFacts()
        self.kept = Kept()
        self._strip = strip_usage
        self._endpoint = endpoint
        self._is_responses = endpoint is Endpoint.RESPONSES
        self._splitter = SseSplitter()
        self._output = OutputText()
        self.facts.delivered = self._output.texts
        self._items = ItemTally()
        self._calls: set[tuple[int, int, str]] = set()
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
        if (usual := self._read_usual(chunk)) is not None:
            return usual
        if self._blind or (self._ended and not self._strip):
            rest, self._given = self._splitter.close()[self._given :], 0
            return rest + chunk
        try:
            events = self._splitter.feed(chunk)
        except EventTooLarge as too_large:
            return self._go_blind(too_large.events)
        if self._strip:
            return b"".join([self._read(event) for event in events])
        for event in events:
            self._read(event)
        whole = events[0] if len(events) == 1 else b"".join(events)
        if self._given or not self._splitter.is_between_events:
            return self._with_parts(whole)
        return whole

    def close(self) -> bytes:
        """Read what is left at the end of the stream (a last event without its blank line); the bytes to forward."""
        rest = self._splitter.close()
        kept = self._read(rest)
        self.facts.fingerprint = fingerprint_in(self.kept.first)
        given, self._given = self._given, 0
        return kept if self._strip else rest[given:]

    def ending(self, cut: Cut) -> bytes:
        """The events that end a stream which we cut; to be sent only where `between_events`."""
        return cut_ending(self._endpoint, self.kept, self.facts.delivered, cut)

    def _read_usual(self, chunk: bytes) -> bytes | None:
        """Read what a stream consists of, one whole chunk of content: a third of the way round. None: not that."""
        if (
            self._ended
            or self._blind
            or chunk[:7] != b"data: {"
            or chunk.find(b"\n") != len(chunk) - 2
            or chunk[-1:] != b"\n"
            or b"\r" in chunk
            or not self._splitter.is_between_events
            or not self.kept.first
        ):
            return None
        data = chunk[6:-2]
        told = read_chunk(data)
        content = None if told is None else _usual_content(told)
        if told is None or content is None:
            return None
        facts = self.facts
        facts.events += 1
        if told.model:
            facts.model = told.model
        if told.service_tier is not None:
            facts.service_tier = told.service_tier
        self._deliver(content)
        return stripped(chunk, data, told) if self._strip else chunk

    def _with_parts(self, whole: bytes) -> bytes:
        """Leave out what was given before of an event that is whole now; give parts of one that grows too large."""
        if whole:
            whole, self._given = whole[self._given :], 0
        tail = self._splitter.tail
        if len(tail) - self._given > _MAX_KEPT_BYTES or self._ended:
            whole, self._given = whole + tail[self._given :], len(tail)
        return whole

    def _go_blind(self, events: list[bytes]) -> bytes:
        kept = b"".join([self._read(event) for event in events])
        self.facts.overflow = not self._ended
        self._blind = True
        rest = kept + self._splitter.close()
        given, self._given = self._given, 0
        return rest if self._strip else rest[given:]

    def _read(self, event: bytes) -> bytes:
        """Read one event; what of it is to be forwarded when stripping."""
        if self._ended:
            return event
        data = data_of(event)
        if not data:
            return event
        facts = self.facts
        if data.startswith(_DONE):
            facts.terminal = self._ended = True
            return event
        facts.events += 1
        if self._is_responses:
            self._read_response_event(event, data)
            return event
        chunk = read_chunk(data)
        if chunk is None:
            self._read_nameless_error(event, data)
            return event
        self._read_chunk(event, data, chunk)
        return stripped(event, data, chunk) if self._strip else event

    def _read_chunk(self, event: bytes, data: bytes, chunk: Chunk) -> None:
        facts = self.facts
        if chunk.model:
            facts.model = chunk.model
        if chunk.service_tier is not None:
            facts.service_tier = chunk.service_tier
        if not self._keep_usage(chunk.usage) and chunk.x_groq is not None:
            self._keep_usage(chunk.x_groq.usage)
        if chunk.choices is None:
            self._read_nameless_error(event, data)
        else:
            if chunk.choices and not self.kept.first:
                self.kept.begin(data)
            for choice in chunk.choices:
                self._read_choice(choice)
        if is_told(chunk.error):
            self._end_in_error(bytes(chunk.error))

    def _keep_usage(self, usage: Raw) -> bool:
        # `null` and `{}` tell nothing; anything longer that is no object is not usage either.
        if len(usage) <= 4:
            return False
        told = bytes(usage)
        if told[:1] != b"{":
            return False
        self.facts.raw_usage = told
        return True

    def _read_choice(self, choice: Choice) -> None:
        if choice.finish_reason is not None:
            self.facts.finish_reason = choice.finish_reason
            self.kept.finish(choice.index or 0)
        if choice.index:
            self.kept.see(choice.index)
        delta = choice.delta
        if delta is None:
            if choice.text:
                self._deliver(choice.text)
            return
        if type(delta.content) is str and is_plain(delta):
            # The usual delta, told apart early: it is what a stream consists of.
            if delta.content:
                self._deliver(delta.content)
            return
        for text in pieces_of(delta):
            self._deliver(text)
        for call in delta.tool_calls or ():
            self._count_call(choice.index or 0, call)

    def _count_call(self, choice: int, call: ToolCallPart) -> None:
        """A call is told in pieces, of which only the first is sure to have the name; some repeat it."""
        named = call.function or call.custom
        if named is None or not named.name or len(self._calls) >= _MAX_CALLS:
            return
        place = (choice, call.index or 0, call.id or "")
        if place not in self._calls:
            self._calls.add(place)
            self.facts.tool_call_count = len(self._calls)
            self.facts.tools = and_tool(self.facts.tools, named.name)

    def _deliver(self, text: str) -> None:
        output, facts = self._output, self.facts
        output.add(text)
        facts.output_chars, facts.output_fifths = output.chars, output.fifths
        facts.saw_output = True

    def _read_response_event(self, event: bytes, data: bytes) -> None:
        told = read_event(data)
        if told is None:
            self._read_nameless_error(event, data)
            return
        self.kept.last = data
        kind = told.type if told.type is not None else (name_of(event) or b"").decode("utf-8", "replace")
        if told.delta and kind.endswith(".delta"):
            self._read_delta(kind, told.delta)
        elif told.response is not None:
            self.kept.begin(data)
            self._read_response(kind, told.response)
        elif told.item is not None:
            self._read_item(kind, data, told.item)
        if kind == "error" or is_told(told.error):
            self._end_in_error(bytes(told.error) if is_told(told.error) else data)

    def _read_delta(self, kind: str, delta: str) -> None:
        if kind.endswith("audio.delta"):
            # Sound in base64: output, but no text.
            self.facts.saw_output = True
        else:
            self._deliver(delta)

    def _read_response(self, kind: str, response: ResponseBody) -> None:
        facts = self.facts
        if response.model:
            facts.model = response.model
        if response.service_tier is not None:
            facts.service_tier = response.service_tier
        self._keep_usage(response.usage)
        if kind not in _LAST_EVENTS:
            return
        facts.finish_reason = response.finish
        if response.output:
            # The whole list: what was counted item by item is in it.
            self._items = ItemTally(response.output)
            self._tell_items()
        if is_told(response.error):
            facts.error = bytes(response.error)[:_MAX_ERROR_BYTES]
        facts.terminal = self._ended = True

    def _read_item(self, kind: str, data: bytes, item: OutputItem) -> None:
        if kind == "response.output_item.added":
            self.kept.open(data, self._output.chars)
        elif kind == "response.output_item.done":
            self.kept.close(data)
            self._items.add(item)
            self._tell_items()

    def _tell_items(self) -> None:
        self.facts.tool_calls = self._items.fees
        self.facts.tool_call_count = self._items.calls
        self.facts.tools = self._items.tools

    def _read_nameless_error(self, event: bytes, data: bytes) -> None:
        """An event that is no chunk is an error if it is named so; else it is passed unread."""
        if name_of(event) == b"error":
            self._end_in_error(data)

    def _end_in_error(self, error: bytes) -> None:
        # Usage may still follow an error, so the tap reads on.
        self.facts.error = error[:_MAX_ERROR_BYTES]
        self.facts.terminal = True


def _usual_content(told: Chunk) -> str | None:
    """What a chunk gives to the first choice if it says nothing else; None when it does."""
    choices = told.choices
    if choices is None or len(choices) != 1 or told.x_groq is not None:
        return None
    if len(told.usage) > _LONGEST_NOTHING or len(told.error):
        return None
    choice = choices[0]
    delta = choice.delta
    if delta is None or choice.finish_reason is not None or choice.index or not is_plain(delta):
        return None
    content = delta.content
    return content if content and type(content) is str else None
