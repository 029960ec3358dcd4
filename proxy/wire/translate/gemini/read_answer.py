"""Reads an answer of Google's generateContent, whole or chunk by chunk, and tells it to a writer."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct, field

from proxy.wire.sse import EventTooLarge, SseSplitter, data_of
from proxy.wire.translate.errors import unreadable
from proxy.wire.translate.gemini.errors import read_content_error
from proxy.wire.translate.gemini.read_usage import read_content_told
from proxy.wire.translate.ids import made_id
from proxy.wire.translate.telling import Finish, Writer
from proxy.wire.translate.translated import Metered

_ABSENT: Final = Raw(b"")
_FINISHES: Final[Mapping[str, Finish]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "filtered",
    "RECITATION": "filtered",
    "LANGUAGE": "filtered",
    "BLOCKLIST": "filtered",
    "PROHIBITED_CONTENT": "filtered",
    "SPII": "filtered",
    "IMAGE_SAFETY": "filtered",
}
"""Others (`OTHER`, `MALFORMED_FUNCTION_CALL`, …) end an answer too, for reasons that no chat has a word for."""


class _Call(Struct):
    name: str = ""
    id: str | None = None
    args: Raw = _ABSENT


class _Part(Struct):
    text: str | None = None
    thought: bool = False
    functionCall: _Call | None = None
    thoughtSignature: str | None = None


class _Content(Struct):
    parts: list[_Part] = field(default_factory=list)


class _Candidate(Struct):
    content: _Content | None = None
    finishReason: str | None = None
    finishMessage: str | None = None
    index: int | None = None


class _Feedback(Struct):
    blockReason: str | None = None
    blockReasonMessage: str | None = None


class _Chunk(Struct):
    candidates: list[_Candidate] | None = None
    promptFeedback: _Feedback | None = None
    usageMetadata: Raw = _ABSENT
    modelVersion: str | None = None
    responseId: str | None = None
    error: Raw = _ABSENT


_CHUNK: Final = msgspec.json.Decoder(_Chunk)


class ContentChunks:
    """A stream of chunks on its way to a writer. It has no last event of its own: its end is that of its bytes."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._splitter = SseSplitter()
        self._usage = b""
        self._began = self._over = False
        self._id = ""
        self._finish = ""
        self._calls = 0

    def metered(self) -> Metered:
        """What is metered of it so far."""
        tier = read_content_told(self._usage).tier if self._usage else None
        return Metered(self._usage or None, tier, self._finish)

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
        """Tell what is left at the end, and the end itself if the answer has told why."""
        rest = self._splitter.close()
        if rest.strip():
            self._read(rest)
        if self._finish and not self._over:
            self._over = True
            self._tell_finish()
            self._writer.end()

    def tell_whole(self, body: bytes) -> None:
        """Tell a whole answer."""
        if not self._tell(body) or not self._began:
            self._fail(body)
            return
        self._tell_finish()

    def _read(self, event: bytes) -> None:
        data = data_of(event)
        if data and not self._over and not self._tell(data):
            self._fail(data)

    def _fail(self, data: bytes) -> None:
        if not self._over:
            self._over = True
            self._writer.fail(unreadable(data))

    def _tell(self, data: bytes) -> bool:
        """Tell one chunk; whether it could be read."""
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        if chunk.error:
            self._over = True
            self._writer.fail(read_content_error(data))
            return True
        if chunk.candidates is None and chunk.promptFeedback is None and not chunk.usageMetadata:
            return False
        if chunk.usageMetadata:
            self._usage = bytes(chunk.usageMetadata)
        if not self._began:
            self._began, self._id = True, chunk.responseId or ""
            self._writer.begin(self._id, chunk.modelVersion or "")
        if chunk.promptFeedback is not None and chunk.promptFeedback.blockReason:
            self._block(chunk.promptFeedback)
        for candidate in chunk.candidates or ():
            if not candidate.index:
                self._tell_candidate(candidate)
        return True

    def _block(self, feedback: _Feedback) -> None:
        """The prompt was not answered at all."""
        self._finish = feedback.blockReason or ""
        self._writer.refusal(feedback.blockReasonMessage or f"The prompt was blocked ({self._finish}).")

    def _tell_candidate(self, candidate: _Candidate) -> None:
        for part in candidate.content.parts if candidate.content is not None else ():
            self._tell_part(part)
        if candidate.finishReason is not None:
            self._finish = candidate.finishReason
            if self._finish not in ("STOP", "MAX_TOKENS") and candidate.finishMessage:
                self._writer.refusal(candidate.finishMessage)

    def _tell_part(self, part: _Part) -> None:
        call, seal = part.functionCall, part.thoughtSignature or ""
        if call is not None:
            key = self._calls
            self._calls += 1
            self._writer.call(key, call.id or made_id(self._id, key), call.name, seal)
            held = bytes(call.args)
            given = msgspec.json.format(held, indent=-1) if held[:1] == b"{" else b"{}"
            self._writer.arguments(key, given.decode("utf-8", "replace"))
            return
        if part.text:
            if part.thought:
                self._writer.thought(part.text)
            else:
                self._writer.text(part.text)
        if seal:
            self._writer.thought_over("", seal)

    def _tell_finish(self) -> None:
        finish: Finish = _FINISHES.get(self._finish, "filtered")
        if finish == "stop" and self._calls:
            finish = "tool_calls"
        self._writer.finish(finish, read_content_told(self._usage))


def tell_content(body: bytes, writer: Writer) -> Metered:
    """Tell a whole answer."""
    reader = ContentChunks(writer)
    reader.tell_whole(body)
    return reader.metered()
