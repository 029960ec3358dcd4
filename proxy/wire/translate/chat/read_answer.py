"""Reads a chat completion, whole or chunk by chunk, and tells it to a writer."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct, field

from proxy.wire.sse import EventTooLarge, SseSplitter, data_of
from proxy.wire.translate.chat.read_errors import read_chat_error
from proxy.wire.translate.chat.read_usage import read_chat_told
from proxy.wire.translate.chat.reasoning import DetailsRead, sealed
from proxy.wire.translate.errors import unreadable
from proxy.wire.translate.ids import made_id
from proxy.wire.translate.members import Json
from proxy.wire.translate.telling import Finish, Told, Writer
from proxy.wire.translate.translated import Metered

_ABSENT: Final = Raw(b"")
_DONE: Final = b"[DONE]"
_FINISHES: Final[Mapping[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "filtered",
}


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Part(Struct, gc=False):
    type: str = ""
    text: str = ""


class _Delta(Struct):
    content: str | list[_Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, object]] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct):
    index: int | None = None
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class _Groq(Struct):
    usage: Raw = _ABSENT


class _Chunk(Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] = field(default_factory=list)
    usage: Raw = _ABSENT
    x_groq: _Groq | None = None
    service_tier: str | None = None
    error: Raw = _ABSENT


_CHUNK: Final = msgspec.json.Decoder(_Chunk)


class ChatChunks:
    """A stream of chunks on its way to a writer. Of several choices the first is told; one is all that was asked for.

    An answer's end waits for the event behind it, in which OpenAI tells the usage.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._splitter = SseSplitter()
        self._usage = b""
        self._tier: str | None = None
        self._began = self._over = self._finished = False
        self._id = ""
        self._finish = ""
        self._stopped_by = ""
        self._thinks = False
        self._details = DetailsRead()
        self._calls: dict[int, str] = {}

    def metered(self) -> Metered:
        """What is metered of it so far."""
        return Metered(self._usage or None, self._tier, self._finish)

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
        """Tell what is left at the end; some servers end without a last event."""
        rest = self._splitter.close()
        if rest.strip():
            self._read(rest)
        if self._finish:
            self._end()

    def tell_whole(self, body: bytes) -> None:
        """Tell a whole answer."""
        try:
            whole = _CHUNK.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            whole = _Chunk()
        if not whole.choices:
            self._fail(body)
            return
        self._tell(whole)
        self._end()

    def _read(self, event: bytes) -> None:
        data = data_of(event)
        if self._over or not data:
            return
        if data.startswith(_DONE):
            self._end()
            return
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._fail(data)
            return
        if chunk.error and bytes(chunk.error) != b"null":
            self._over = True
            self._writer.fail(read_chat_error(data))
            return
        self._tell(chunk)

    def _fail(self, data: bytes) -> None:
        if not self._over:
            self._over = True
            self._writer.fail(unreadable(data))

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._begin("", "")
            self._tell_finish()
            self._writer.end()

    def _begin(self, answer_id: str, model: str) -> None:
        if not self._began:
            self._began, self._id = True, answer_id
            self._writer.begin(answer_id, model)

    def _tell(self, chunk: _Chunk) -> None:
        if chunk.service_tier is not None:
            self._tier = chunk.service_tier
        usage = bytes(chunk.usage) or (b"" if chunk.x_groq is None else bytes(chunk.x_groq.usage))
        if usage[:1] == b"{" and len(usage) > 2:
            self._usage = usage
        for choice in chunk.choices:
            if choice.index:
                continue
            self._begin(chunk.id or "", chunk.model or "")
            delta = choice.delta or choice.message
            if delta is not None:
                self._tell_delta(delta)
            if choice.finish_reason is not None:
                self._finish = choice.finish_reason
                if isinstance(choice.stop_reason, str):
                    # vLLM's own member: the stop sequence that was met.
                    self._stopped_by = choice.stop_reason
                return
        if self._finish and self._usage:
            self._tell_finish()

    def _tell_delta(self, delta: _Delta) -> None:
        if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
            self._think(delta)
        content = delta.content
        if content:
            self._stop_thinking()
            if isinstance(content, str):
                self._writer.text(content)
            else:
                for part in content:
                    self._writer.text(part.text)
        if delta.refusal:
            self._stop_thinking()
            self._writer.refusal(delta.refusal)
        for call in delta.tool_calls or ():
            self._tell_call(call)

    def _think(self, delta: _Delta) -> None:
        text = delta.reasoning_content or delta.reasoning
        if text:
            self._thinks = True
            self._writer.thought(text)
        for entry in delta.reasoning_details or ():
            self._details.add(_json(entry))

    def _stop_thinking(self) -> None:
        if self._thinks:
            self._thinks = False
            self._writer.thought_over(sealed(self._details.taken()))

    def _tell_call(self, call: _Call) -> None:
        """A piece of a call; where pieces have no index, each is a call of its own (Gemini's chat endpoint)."""
        self._stop_thinking()
        function = call.function or _Function()
        key = call.index
        if key is None:
            key = len(self._calls)
        if key not in self._calls:
            call_id = self._calls[key] = call.id or made_id(self._id, key)
            self._writer.call(key, call_id, function.name or "")
        if function.arguments:
            self._writer.arguments(key, function.arguments)

    def _tell_finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        self._stop_thinking()
        details = self._details.taken()
        if details:
            self._writer.thought_over("", sealed(details))
        told = read_chat_told(self._usage) if self._usage else Told()
        told.tier = self._tier
        finish: Finish = "stop_sequence" if self._stopped_by else _FINISHES.get(self._finish, "stop")
        self._writer.finish(finish, told, self._stopped_by)


def _json(entry: dict[str, object]) -> dict[str, Json]:
    return entry  # type: ignore[return-value]


def tell_chat(body: bytes, writer: Writer) -> Metered:
    """Tell a whole answer."""
    reader = ChatChunks(writer)
    reader.tell_whole(body)
    return reader.metered()
