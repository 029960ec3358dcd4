"""Reads an answer of Converse, whole or frame by frame, and tells it to a writer."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct, field

from proxy.wire.eventstream import BadFrame, FrameSplitter, read_frame
from proxy.wire.translate.bedrock.errors import read_exception
from proxy.wire.translate.errors import unreadable
from proxy.wire.translate.telling import Finish, Told, Writer
from proxy.wire.translate.translated import Metered

_ABSENT: Final = Raw(b"")
_FINISHES: Final[Mapping[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "filtered",
    "content_filtered": "filtered",
    "model_context_window_exceeded": "context",
}


class _ToolUse(Struct):
    toolUseId: str = ""
    name: str = ""
    input: Raw = _ABSENT


class _ReasoningText(Struct):
    text: str = ""
    signature: str = ""


class _Reasoning(Struct):
    reasoningText: _ReasoningText | None = None
    redactedContent: str | None = None
    text: str | None = None
    signature: str | None = None


class _Block(Struct):
    """A content block, or the beginning of one."""

    text: str | None = None
    toolUse: _ToolUse | None = None
    reasoningContent: _Reasoning | None = None


class _ToolPiece(Struct):
    input: str = ""


class _Delta(Struct):
    """A piece of a content block."""

    text: str | None = None
    toolUse: _ToolPiece | None = None
    reasoningContent: _Reasoning | None = None


class _Message(Struct):
    content: list[_Block] = field(default_factory=list)


class _Output(Struct):
    message: _Message = field(default_factory=_Message)


class _Tier(Struct):
    type: str | None = None


class _Answer(Struct):
    output: _Output
    stopReason: str = ""
    usage: Raw = _ABSENT
    serviceTier: _Tier | None = None


class _Event(Struct):
    contentBlockIndex: int = 0
    start: _Block | None = None
    delta: _Delta | None = None
    stopReason: str = ""
    usage: Raw = _ABSENT
    serviceTier: _Tier | None = None


class _Usage(Struct):
    inputTokens: int = 0
    outputTokens: int = 0
    cacheReadInputTokens: int | None = None
    cacheWriteInputTokens: int | None = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_EVENT: Final = msgspec.json.Decoder(_Event)
_USAGE: Final = msgspec.json.Decoder(_Usage)


def tell_answer(body: bytes, writer: Writer, answer_id: str, model: str) -> Metered:
    """Tell a whole answer, which has neither an id nor a model of its own."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        writer.fail(unreadable(body))
        return Metered()
    writer.begin(answer_id, model)
    for key, block in enumerate(answer.output.message.content):
        _tell_block(key, block, writer)
    usage = bytes(answer.usage)
    tier = None if answer.serviceTier is None else answer.serviceTier.type
    writer.finish(_FINISHES.get(answer.stopReason, "stop"), read_told(usage, tier))
    return Metered(usage or None, tier, answer.stopReason)


def _tell_block(key: int, block: _Block, writer: Writer) -> None:
    if block.text is not None:
        writer.text(block.text)
    elif block.toolUse is not None:
        writer.call(key, block.toolUse.toolUseId, block.toolUse.name)
        writer.arguments(key, bytes(block.toolUse.input).decode("utf-8", "replace") or "{}")
    elif block.reasoningContent is not None:
        thought = block.reasoningContent.reasoningText
        if thought is not None:
            if thought.text:
                writer.thought(thought.text)
            writer.thought_over(thought.signature)
        elif block.reasoningContent.redactedContent:
            writer.thought_over("", block.reasoningContent.redactedContent)


def read_told(usage: bytes, tier: str | None) -> Told:
    """What a usage object tells: its input excludes what was cached and written."""
    try:
        raw = _USAGE.decode(usage)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Told(tier=tier)
    cached, written = raw.cacheReadInputTokens, raw.cacheWriteInputTokens
    given = raw.inputTokens + (cached or 0) + (written or 0)
    return Told(given, raw.outputTokens, cached, written, tier=tier)


class ConverseEvents:
    """A stream of frames on its way to a writer. Its usage comes behind its end."""

    def __init__(self, writer: Writer, answer_id: str, model: str) -> None:
        self._writer = writer
        self._begin = (answer_id, model)
        self._splitter = FrameSplitter()
        self._usage = b""
        self._tier: str | None = None
        self._finish = ""
        self._seals: dict[int, str] = {}
        self._calls: dict[int, bool] = {}
        self._over = False

    def metered(self) -> Metered:
        """What is metered of it so far."""
        return Metered(self._usage or None, self._tier, self._finish)

    def feed(self, chunk: bytes) -> None:
        """Tell what these bytes make whole."""
        try:
            for frame in self._splitter.feed(chunk):
                self._tell(frame)
        except BadFrame as bad:
            for frame in bad.frames:
                self._tell(frame)
            self._fail(self._splitter.close())

    def close(self) -> None:
        """Tell the end, if the answer has told why."""
        self._splitter.close()
        if self._finish:
            self._end()

    def _fail(self, data: bytes) -> None:
        if not self._over:
            self._over = True
            self._writer.fail(unreadable(data))

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._writer.finish(_FINISHES.get(self._finish, "stop"), read_told(self._usage, self._tier))
            self._writer.end()

    def _tell(self, raw: bytes) -> None:
        frame = read_frame(raw)
        if self._over:
            return
        if frame is None:
            self._fail(raw)
            return
        if frame.error:
            self._over = True
            self._writer.fail(read_exception(frame.payload, frame.error))
            return
        try:
            event = _EVENT.decode(frame.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._fail(frame.payload)
            return
        self._tell_event(frame.event, event)

    def _tell_event(self, name: str, event: _Event) -> None:
        if name == "contentBlockDelta" and event.delta is not None:
            self._tell_delta(event.contentBlockIndex, event.delta)
        elif name == "messageStart":
            self._writer.begin(*self._begin)
        elif name == "contentBlockStart" and event.start is not None and event.start.toolUse is not None:
            self._calls[event.contentBlockIndex] = False
            self._writer.call(event.contentBlockIndex, event.start.toolUse.toolUseId, event.start.toolUse.name)
        elif name == "contentBlockStop":
            self._end_block(event.contentBlockIndex)
        elif name == "messageStop":
            self._finish = event.stopReason
        elif name == "metadata":
            self._usage = bytes(event.usage)
            self._tier = None if event.serviceTier is None else event.serviceTier.type
            self._end()

    def _tell_delta(self, index: int, delta: _Delta) -> None:
        if delta.text is not None:
            self._writer.text(delta.text)
        elif delta.toolUse is not None:
            if delta.toolUse.input and index in self._calls:
                self._calls[index] = True
                self._writer.arguments(index, delta.toolUse.input)
        elif delta.reasoningContent is not None:
            thought = delta.reasoningContent
            if thought.text:
                self._seals.setdefault(index, "")
                self._writer.thought(thought.text)
            if thought.signature is not None:
                self._seals[index] = self._seals.get(index, "") + thought.signature
            if thought.redactedContent:
                self._writer.thought_over("", thought.redactedContent)

    def _end_block(self, index: int) -> None:
        seal = self._seals.pop(index, None)
        if seal is not None:
            self._writer.thought_over(seal)
        if self._calls.pop(index, True) is False:
            self._writer.arguments(index, "{}")
