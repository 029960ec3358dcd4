"""Reads an answer of Ollama's chats, whole or line by line, and tells it to a writer.

Source: docs/api.md of Ollama 0.12. A call comes whole, its arguments as an object; older servers give it no id.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from proxy.wire.translate.errors import kind_of_status, original_of, unreadable
from proxy.wire.translate.ids import made_id
from proxy.wire.translate.ollama.lines import LineSplitter, LineTooLong
from proxy.wire.translate.telling import Failure, Finish, Told, Writer
from proxy.wire.translate.translated import Metered

_ABSENT: Final = Raw(b"")
_FINISHES: Final[Mapping[str, Finish]] = {"stop": "stop", "length": "length"}


class _Function(Struct, gc=False):
    name: str = ""
    arguments: Raw = _ABSENT


class _Call(Struct, gc=False):
    function: _Function
    id: str = ""


class _Message(Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Line(Struct):
    message: _Message | None = None
    model: str = ""
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: Raw = _ABSENT
    eval_count: Raw = _ABSENT
    error: str | None = None


class _Counted(Struct, gc=False):
    prompt_eval_count: int = 0
    eval_count: int = 0


class _Error(Struct):
    error: str = ""


_LINE: Final = msgspec.json.Decoder(_Line)
_COUNTED: Final = msgspec.json.Decoder(_Counted)


def read_ollama_error(body: bytes, status: int = 0) -> Failure:
    """The error that an answer is."""
    try:
        message = msgspec.json.decode(body, type=_Error).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = ""
    return Failure(kind_of_status(status), message or f"The provider answered with status {status}.", original_of(body))


def tell_ollama(body: bytes, writer: Writer, answer_id: str) -> Metered:
    """Tell a whole answer, which has no id of its own."""
    reader = ChatLines(writer, answer_id)
    reader.tell_line(body)
    reader.end_whole(body)
    return reader.metered()


class ChatLines:
    """A stream of lines on its way to a writer."""

    def __init__(self, writer: Writer, answer_id: str) -> None:
        self._writer = writer
        self._id = answer_id
        self._splitter = LineSplitter()
        self._usage = b""
        self._finish = ""
        self._began = self._over = self._thinks = False
        self._calls = 0

    def metered(self) -> Metered:
        """What is metered of it so far."""
        return Metered(self._usage or None, None, self._finish)

    def feed(self, chunk: bytes) -> None:
        """Tell what these bytes make whole."""
        try:
            lines = self._splitter.feed(chunk)
        except LineTooLong as too_long:
            for line in too_long.lines:
                self.tell_line(line)
            self._fail(b"")
            return
        for line in lines:
            self.tell_line(line)

    def close(self) -> None:
        """Tell what is left at the end."""
        rest = self._splitter.close()
        if rest.strip():
            self.tell_line(rest)

    def end_whole(self, body: bytes) -> None:
        """An answer in one piece is over; one that has not said so is none."""
        self._fail(body)

    def tell_line(self, data: bytes) -> None:
        """Tell one object: a piece of the answer, its end, or an error."""
        if self._over:
            return
        try:
            line = _LINE.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._fail(data)
            return
        if line.error is not None:
            self._over = True
            self._writer.fail(Failure("server", line.error or "The provider ended its answer.", original_of(data)))
            return
        if line.message is None and not line.done:
            self._fail(data)
            return
        if not self._began:
            self._began = True
            self._writer.begin(self._id, line.model)
        if line.message is not None:
            self._tell(line.message)
        if line.done:
            self._end(line)

    def _tell(self, message: _Message) -> None:
        if message.thinking:
            self._thinks = True
            self._writer.thought(message.thinking)
        if message.content:
            self._stop_thinking()
            self._writer.text(message.content)
        for call in message.tool_calls or ():
            self._stop_thinking()
            key = self._calls
            self._calls += 1
            self._writer.call(key, call.id or made_id(self._id, key), call.function.name)
            self._writer.arguments(key, bytes(call.function.arguments).decode("utf-8", "replace") or "{}")

    def _stop_thinking(self) -> None:
        if self._thinks:
            self._thinks = False
            self._writer.thought_over("")

    def _end(self, line: _Line) -> None:
        self._over, self._finish = True, line.done_reason or ""
        self._stop_thinking()
        counts = {"prompt_eval_count": line.prompt_eval_count, "eval_count": line.eval_count}
        told = {name: Raw(bytes(value)) for name, value in counts.items() if value}
        self._usage = msgspec.json.encode(told) if told else b""
        finish: Finish = _FINISHES.get(self._finish, "stop")
        self._writer.finish("tool_calls" if self._calls and finish == "stop" else finish, _told(self._usage))
        self._writer.end()

    def _fail(self, data: bytes) -> None:
        if not self._over:
            self._over = True
            self._writer.fail(unreadable(data))


def _told(usage: bytes) -> Told:
    try:
        counted = _COUNTED.decode(usage) if usage else _Counted()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Told()
    return Told(counted.prompt_eval_count, counted.eval_count)
