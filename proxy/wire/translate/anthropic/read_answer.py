"""Reads an answer of Anthropic's Messages API, whole or event by event, and tells it to a writer."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from proxy.wire.sse import EventTooLarge, SseSplitter, data_of
from proxy.wire.translate.anthropic.errors import read_error
from proxy.wire.translate.anthropic.read_usage import merged, read_told, tier_of
from proxy.wire.translate.errors import unreadable
from proxy.wire.translate.telling import Finish, Writer
from proxy.wire.translate.translated import Metered

_ABSENT: Final = Raw(b"")
_FINISHES: Final[Mapping[str, Finish]] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "paused",
    "refusal": "filtered",
    "model_context_window_exceeded": "context",
}


class _Block(Struct, gc=False):
    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: Raw = _ABSENT


class _StopDetails(Struct, gc=False):
    explanation: str | None = None


class _Message(Struct):
    id: str = ""
    model: str = ""
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: _StopDetails | None = None
    usage: Raw = _ABSENT


class _Delta(Struct, gc=False):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: _StopDetails | None = None


class _Event(Struct, gc=False):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: Raw = _ABSENT


_EVENT: Final = msgspec.json.Decoder(_Event)
_MESSAGE: Final = msgspec.json.Decoder(_Message)


def tell_message(body: bytes, writer: Writer) -> Metered:
    """Tell a whole message."""
    try:
        message = _MESSAGE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = _Message()
    if message.content is None:
        writer.fail(unreadable(body))
        return Metered()
    writer.begin(message.id, message.model)
    for key, block in enumerate(message.content):
        _tell_block(key, block, writer)
    usage = bytes(message.usage)
    _tell_end(message, usage, writer)
    return Metered(usage or None, read_told(usage).tier, message.stop_reason or "")


def _tell_block(key: int, block: _Block, writer: Writer) -> None:
    kind = block.type
    if kind == "text":
        writer.text(block.text)
    elif kind == "thinking":
        if block.thinking:
            writer.thought(block.thinking)
        writer.thought_over(block.signature)
    elif kind == "redacted_thinking":
        writer.thought_over("", block.data)
    elif kind == "tool_use":
        writer.call(key, block.id, block.name)
        writer.arguments(key, bytes(block.input).decode("utf-8", "replace") or "{}")


def _tell_end(end: _Message | _Delta, usage: bytes, writer: Writer) -> None:
    if end.stop_details is not None and end.stop_details.explanation:
        writer.refusal(end.stop_details.explanation)
    writer.finish(_FINISHES.get(end.stop_reason or "", "stop"), read_told(usage), end.stop_sequence or "")


class MessageEvents:
    """A stream of events on its way to a writer."""

    __slots__ = ("_calls", "_finish", "_over", "_seal", "_splitter", "_usage", "_writer")

    def __init__(self, writer: Writer) -> None:
        self._finish = ""
        self._writer = writer
        self._splitter = SseSplitter()
        self._usage: dict[str, Raw] = {}
        self._calls: dict[int, bool] = {}
        self._seal: dict[int, str] = {}
        self._over = False

    def metered(self) -> Metered:
        """What is metered of it so far."""
        return Metered(self._usage_object() or None, tier_of(self._usage), self._finish)

    def feed(self, chunk: bytes) -> None:
        """Tell what these bytes make whole."""
        try:
            for event in self._splitter.feed(chunk):
                self._tell(event)
        except EventTooLarge as too_large:
            for event in too_large.events:
                self._tell(event)
            self._fail(b"")

    def close(self) -> None:
        """Tell what is left at the end."""
        rest = self._splitter.close()
        if rest.strip():
            self._tell(rest)

    def _tell(self, event: bytes) -> None:
        data = data_of(event)
        if self._over or not data:
            return
        try:
            told = _EVENT.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._fail(data)
            return
        delta = told.delta
        if told.type == "content_block_delta" and delta is not None:
            self._tell_delta(told.index, delta)
        elif told.type == "error":
            self._over = True
            self._writer.fail(read_error(data))
        else:
            self._tell_step(told)

    def _fail(self, data: bytes) -> None:
        if not self._over:
            self._over = True
            self._writer.fail(unreadable(data))

    def _tell_delta(self, index: int, delta: _Delta) -> None:
        kind = delta.type
        if kind == "text_delta":
            self._writer.text(delta.text)
        elif kind == "input_json_delta":
            if delta.partial_json and index in self._calls:
                self._calls[index] = True
                self._writer.arguments(index, delta.partial_json)
        elif kind == "thinking_delta":
            if delta.thinking:
                self._writer.thought(delta.thinking)
        elif kind == "signature_delta":
            self._seal[index] = self._seal.get(index, "") + delta.signature

    def _tell_step(self, told: _Event) -> None:
        kind = told.type
        if kind == "message_start" and told.message is not None:
            self._usage = merged(self._usage, told.message.usage)
            # A placeholder of a token or a few: a stream that goes no further is not to be billed by it.
            self._usage.pop("output_tokens", None)
            self._writer.begin(told.message.id, told.message.model)
        elif kind == "content_block_start" and told.content_block is not None:
            self._begin_block(told.index, told.content_block)
        elif kind == "content_block_stop":
            self._end_block(told.index)
        elif kind == "message_delta" and told.delta is not None:
            self._usage = merged(self._usage, told.usage)
            if told.delta.stop_reason is not None and not self._finish:
                self._finish = told.delta.stop_reason
                _tell_end(told.delta, self._usage_object(), self._writer)
        elif kind == "message_stop":
            self._over = True
            self._writer.end()

    def _usage_object(self) -> bytes:
        return msgspec.json.encode(self._usage) if self._usage else b""

    def _begin_block(self, index: int, block: _Block) -> None:
        if block.type == "tool_use":
            self._calls[index] = False
            self._writer.call(index, block.id, block.name)
        elif block.type == "thinking":
            self._seal[index] = block.signature
            if block.thinking:
                self._writer.thought(block.thinking)
        elif block.type == "redacted_thinking":
            self._writer.thought_over("", block.data)
        elif block.type == "text" and block.text:
            self._writer.text(block.text)

    def _end_block(self, index: int) -> None:
        seal = self._seal.pop(index, None)
        if seal is not None:
            self._writer.thought_over(seal)
        if self._calls.pop(index, True) is False:
            self._writer.arguments(index, "{}")
