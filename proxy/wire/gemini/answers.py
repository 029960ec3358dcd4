"""What a chunk of a Gemini stream, or a whole answer, says: read leniently, only what is acted on."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from proxy.core.usage import ToolFee
from proxy.wire.facts import and_tool
from proxy.wire.gemini.request import tier_name
from proxy.wire.output_text import OutputText

ABSENT: Final = Raw(b"")
MAX_ERROR_BYTES: Final = 64 * 1024
_MOST_QUERIES: Final = 1024
_FINISHED: Final = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST",
    "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL",
)  # fmt: skip
_BLOCKED: Final = ("BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT")
"""Words by their numbers in Vertex AI's definitions."""
_BY_PROMPT: Final = ("gemini-1", "gemini-2")
"""Model generations whose search is billed once a prompt, however often it searched; newer ones by the query."""


class _Code(Struct, gc=False):
    code: str | None = None
    output: str | None = None


class _Call(Struct, gc=False):
    name: str | None = None
    args: Raw = ABSENT


class Part(Struct, gc=False):
    """A piece of content: text (or a thought), a call, code that was run, or media."""

    text: str | None = None
    functionCall: _Call | None = None
    executableCode: _Code | None = None
    codeExecutionResult: _Code | None = None
    inlineData: Raw = ABSENT


class Content(Struct, gc=False):
    """What a candidate says."""

    parts: list[Part] | None = None


class _Grounding(Struct, gc=False):
    webSearchQueries: list[str] | None = None
    groundingChunks: list[dict[str, Raw]] | None = None


class Candidate(Struct, gc=False):
    """One of the answers, or a part of it."""

    content: Content | None = None
    finishReason: str | int | None = None
    index: int | None = None
    groundingMetadata: _Grounding | None = None


class _Feedback(Struct, gc=False):
    blockReason: str | int | None = None


class _Tiers(Struct, gc=False):
    serviceTier: str | int | None = None
    trafficType: str | int | None = None


class Answer(Struct, gc=False):
    """A chunk, or a whole answer: both have one shape."""

    candidates: list[Candidate] | None = None
    promptFeedback: _Feedback | None = None
    usageMetadata: Raw = ABSENT
    modelVersion: str | None = None
    error: Raw = ABSENT

    @property
    def finish_reason(self) -> str | None:
        """How the answer ended: a candidate's reason, or the reason why the prompt was blocked."""
        if self.promptFeedback is not None and self.promptFeedback.blockReason is not None:
            return _word(self.promptFeedback.blockReason, _BLOCKED)
        for candidate in self.candidates or ():
            if candidate.finishReason is not None:
                return _word(candidate.finishReason, _FINISHED)
        return None


_decode: Final = msgspec.json.Decoder(Answer).decode
_raw_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_tiers: Final = msgspec.json.Decoder(_Tiers).decode


def _word(told: str | int, words: tuple[str, ...]) -> str:
    """A reason in words, also where numbers were asked for."""
    if isinstance(told, str):
        return told
    return words[told] if 0 <= told < len(words) else str(told)


def read_answer(data: bytes) -> Answer | None:
    """A chunk or an answer; of one with members of other types only what has no type. None for no object."""
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        members = _raw_members(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return Answer(usageMetadata=members.get("usageMetadata", ABSENT), error=members.get("error", ABSENT))


def is_object(raw: Raw) -> bool:
    """Whether a member holds an object with something in it."""
    return bytes(memoryview(raw)[:1]) == b"{" and len(raw) > len(b"{}")


def tier_of(usage: bytes) -> str | None:
    """The service tier that a usage object tells: the one that is billed; None for the standard one."""
    try:
        tiers = _decode_tiers(usage)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    told = tiers.serviceTier or tiers.trafficType
    return tier_name(told) if isinstance(told, str) else None


def merged(before: bytes | None, usage: bytes) -> bytes:
    """The usage so far: each chunk tells all of it, but for one that leaves the prompt out, which had been told."""
    if before is None or b'"promptTokenCount"' in usage or b'"promptTokenCount"' not in before:
        return usage
    try:
        return msgspec.json.encode({**_raw_members(before), **_raw_members(usage)})
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return usage


def texts_of(part: Part) -> Iterator[str]:
    """Every piece of output in a part: text, thoughts, calls, code and what it put out."""
    if part.text:
        yield part.text
    if part.functionCall is not None:
        if part.functionCall.name:
            yield part.functionCall.name
        if len(part.functionCall.args):
            yield bytes(part.functionCall.args).decode("utf-8", "replace")
    for code in (part.executableCode, part.codeExecutionResult):
        if code is not None and (text := code.code or code.output):
            yield text


class Tally:
    """What is counted over the chunks of one answer: text, calls of the model, searches that the provider bills."""

    __slots__ = ("_maps", "_queries", "calls", "has_media", "output", "tools")

    def __init__(self) -> None:
        self.output = OutputText()
        self.calls = 0
        self.tools: tuple[str, ...] = ()
        self.has_media = False
        self._queries: set[tuple[int, str]] = set()
        self._maps = False

    def add(self, candidate: Candidate) -> None:
        """Count what a candidate says."""
        if candidate.content is not None:
            for part in candidate.content.parts or ():
                self._add_part(part)
        grounding = candidate.groundingMetadata
        if grounding is None:
            return
        for query in grounding.webSearchQueries or ():
            if query and len(self._queries) < _MOST_QUERIES:
                self._queries.add((candidate.index or 0, query))
        self._maps |= any("maps" in chunk for chunk in grounding.groundingChunks or ())

    def _add_part(self, part: Part) -> None:
        if part.text and part.functionCall is None:
            self.output.add(part.text)
            return
        for text in texts_of(part):
            self.output.add(text)
        if part.functionCall is not None:
            self.calls += 1
            self.tools = and_tool(self.tools, part.functionCall.name)
        self.has_media |= len(part.inlineData) > 0

    def fees(self, model: str | None) -> Mapping[ToolFee, int]:
        """Tools that the provider bills by the call. A map is asked once a prompt."""
        found: dict[ToolFee, int] = {}
        if self._queries:
            by_prompt = model is not None and model.startswith(_BY_PROMPT)
            found[ToolFee.WEB_SEARCH] = 1 if by_prompt else len(self._queries)
        if self._maps:
            found[ToolFee.MAPS_SEARCH] = 1
        return found
