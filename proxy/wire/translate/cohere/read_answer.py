"""Reads an answer of Cohere's chats, whole or event by event, and tells it to a writer.

Source: Cohere's API reference of `/v2/chat` and of its stream. `tool_plan` is what the model says before it calls.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from proxy.wire.sse import EventTooLarge, SseSplitter, data_of
from proxy.wire.translate.errors import original_of, unreadable
from proxy.wire.translate.ids import made_id
from proxy.wire.translate.telling import Failure, Finish, Told, Writer
from proxy.wire.translate.translated import Metered

_ABSENT: Final = Raw(b"")
_FINISHES: Final[Mapping[str, Finish]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "filtered",
    "ERROR_LIMIT": "context",
}
_FAILED: Final = frozenset({"ERROR", "TIMEOUT"})
"""Why an answer ended that is none."""


class _Function(Struct, gc=False):
    name: str = ""
    arguments: str = ""


class _Call(Struct, gc=False):
    id: str = ""
    function: _Function | None = None


class _Piece(Struct, gc=False):
    """A block of content, or a piece of one."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None


class _Message(Struct):
    """A message, or in a stream what an event adds to it: one thing in the place of a list."""

    content: list[_Piece] | _Piece | str | None = None
    tool_plan: str | None = None
    tool_calls: list[_Call] | _Call | None = None


class _Delta(Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: Raw = _ABSENT
    error: str | None = None


class _Event(Struct):
    type: str = ""
    id: str | None = None
    index: int = 0
    delta: _Delta | None = None


class _Answer(Struct):
    message: _Message
    id: str = ""
    finish_reason: str | None = None
    usage: Raw = _ABSENT


class _Counted(Struct, gc=False):
    input_tokens: float | None = None
    output_tokens: float | None = None


class _Usage(Struct, gc=False):
    billed_units: _Counted | None = None
    tokens: _Counted | None = None
    cached_tokens: float | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_USAGE: Final = msgspec.json.Decoder(_Usage)


def read_cohere_told(usage: bytes) -> Told:
    """What a usage object tells: what is billed, else what was counted."""
    try:
        raw = _USAGE.decode(usage) if usage else _Usage()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Told()
    told = raw.billed_units or raw.tokens or _Counted()
    cached = None if raw.cached_tokens is None else int(raw.cached_tokens)
    return Told(int(told.input_tokens or 0), int(told.output_tokens or 0), cached)


def tell_cohere(body: bytes, writer: Writer, model: str) -> Metered:
    """Tell a whole answer, which names no model."""
    reader = ChatEvents(writer, model)
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        writer.fail(unreadable(body))
        return Metered()
    reader.tell_whole(answer, body)
    return reader.metered()


class ChatEvents:
    """A stream of events on its way to a writer."""

    def __init__(self, writer: Writer, model: str) -> None:
        self._writer = writer
        self._model = model
        self._splitter = SseSplitter()
        self._usage = b""
        self._finish = self._id = ""
        self._began = self._over = self._thinks = False
        self._calls = 0
        self._open: dict[int, int] = {}

    def metered(self) -> Metered:
        """What is metered of it so far."""
        return Metered(self._usage or None, None, self._finish)

    def feed(self, chunk: bytes) -> None:
        """Tell what these bytes make whole."""
        try:
            for event in self._splitter.feed(chunk):
                self._read(event)
        except EventTooLarge as too_large:
            for event in too_large.events:
                self._read(event)
            self._fail(b"")

    def close(self) -> None:
        """Tell what is left at the end."""
        rest = self._splitter.close()
        if rest.strip():
            self._read(rest)

    def tell_whole(self, answer: _Answer, body: bytes) -> None:
        """Tell an answer in one piece."""
        self._begin(answer.id)
        message = answer.message
        if message.tool_plan:
            self._writer.text(message.tool_plan)
        for piece in _several(message.content):
            self._tell_piece(piece)
        calls = message.tool_calls
        for key, call in enumerate(calls if isinstance(calls, list) else [calls] if calls is not None else []):
            self._call(key, call)
        self._end(answer.finish_reason or "", bytes(answer.usage), body)

    def _read(self, event: bytes) -> None:
        data = data_of(event)
        if self._over or not data:
            return
        try:
            told = _EVENT.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._fail(data)
            return
        delta = told.delta or _Delta()
        if told.type == "message-end":
            self._end(delta.finish_reason or "", bytes(delta.usage), data)
        elif told.type == "message-start":
            self._begin(told.id or "")
        elif delta.message is not None:
            self._tell(told.type, told.index, delta.message)

    def _tell(self, kind: str, index: int, message: _Message) -> None:
        self._begin("")
        if message.tool_plan:
            self._writer.text(message.tool_plan)
        for piece in _several(message.content):
            self._tell_piece(piece)
        call = message.tool_calls
        if isinstance(call, _Call):
            if kind == "tool-call-start" or index not in self._open:
                self._call(index, call)
            elif call.function is not None and call.function.arguments:
                self._writer.arguments(self._open[index], call.function.arguments)

    def _tell_piece(self, piece: _Piece) -> None:
        if piece.thinking:
            self._thinks = True
            self._writer.thought(piece.thinking)
        if piece.text:
            self._stop_thinking()
            self._writer.text(piece.text)

    def _call(self, index: int, call: _Call) -> None:
        """A call begins; its key is its number in the answer, for an index of Cohere's may come twice."""
        self._stop_thinking()
        key = self._open[index] = self._calls
        self._calls += 1
        function = call.function or _Function()
        self._writer.call(key, call.id or made_id(self._id, key), function.name)
        if function.arguments:
            self._writer.arguments(key, function.arguments)

    def _begin(self, answer_id: str) -> None:
        if not self._began:
            self._began, self._id = True, answer_id
            self._writer.begin(answer_id, self._model)

    def _stop_thinking(self) -> None:
        if self._thinks:
            self._thinks = False
            self._writer.thought_over("")

    def _end(self, finish: str, usage: bytes, said: bytes) -> None:
        self._begin("")
        self._over, self._finish = True, finish
        self._usage = usage if usage[:1] == b"{" else b""
        self._stop_thinking()
        if finish in _FAILED:
            failure = f"The provider ended its answer with {finish}."
            self._writer.fail(Failure("timeout" if finish == "TIMEOUT" else "server", failure, original_of(said)))
            return
        self._writer.finish(_FINISHES.get(finish, "stop"), read_cohere_told(self._usage))
        self._writer.end()

    def _fail(self, data: bytes) -> None:
        if not self._over:
            self._over = True
            self._writer.fail(unreadable(data))


def _several(content: list[_Piece] | _Piece | str | None) -> list[_Piece]:
    if isinstance(content, list):
        return content
    if isinstance(content, str):
        return [_Piece(text=content)]
    return [] if content is None else [content]
