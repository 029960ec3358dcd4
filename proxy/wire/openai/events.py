"""What is read of a stream's events: chat and completion chunks, and the responses endpoint's events.

Only fields that decide usage, price or an outcome are declared; all else is skipped unread. Sources: OpenAI's API
reference and recorded streams of the providers in `proxy.wire.profile`.
"""

import json
from types import UnionType
from typing import Final, TypeVar, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from proxy.wire.openai.items import ContentPart, OutputItem

ABSENT: Final = Raw(b"")


class FunctionPart(Struct, gc=False):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | None = None


class CustomPart(Struct, gc=False):
    """A piece of a call of a custom (free text) tool."""

    name: str | None = None
    input: str | None = None


class ToolCallPart(Struct, gc=False):
    """A piece of a tool call; Gemini's compatibility layer sends no index and no id."""

    index: int | None = None
    id: str | None = None
    function: FunctionPart | None = None
    custom: CustomPart | None = None


class AudioPart(Struct, gc=False):
    """Spoken output: its words are read, its sound is not."""

    transcript: str | None = None


class Delta(Struct, gc=False):
    """What one chunk (or one whole message) adds; reasoning has two names among providers."""

    content: str | list[ContentPart] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallPart] | None = None
    function_call: FunctionPart | None = None
    audio: AudioPart | None = None


class Choice(Struct, gc=False):
    """One choice of a chunk or of a whole answer."""

    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class GroqPart(Struct, gc=False):
    """Groq's own member: usage of a stream stands here."""

    usage: Raw = ABSENT


class Chunk(Struct, gc=False):
    """A chunk of chat/completions or completions, or a whole answer of either or of embeddings."""

    model: str | None = None
    choices: list[Choice] | None = None
    usage: Raw = ABSENT
    service_tier: str | None = None
    x_groq: GroqPart | None = None
    error: Raw = ABSENT


class IncompleteDetails(Struct, gc=False):
    """Why a response was cut short."""

    reason: str | None = None


class ResponseBody(Struct, gc=False):
    """A response object, whole or in progress."""

    model: str | None = None
    status: str | None = None
    usage: Raw = ABSENT
    service_tier: str | None = None
    output: list[OutputItem] | None = None
    incomplete_details: IncompleteDetails | None = None
    error: Raw = ABSENT

    @property
    def finish(self) -> str | None:
        """Why a response ended: the reason it is incomplete, else its status."""
        if self.incomplete_details is not None and self.incomplete_details.reason is not None:
            return self.incomplete_details.reason
        return self.status


class ResponseEvent(Struct, gc=False):
    """One event of the responses endpoint."""

    type: str | None = None
    delta: str | None = None
    response: ResponseBody | None = None
    item: OutputItem | None = None
    error: Raw = ABSENT


Shape = TypeVar("Shape", bound=Struct)

_CHUNK: Final = msgspec.json.Decoder(Chunk)
_EVENT: Final = msgspec.json.Decoder(ResponseEvent)
_RESPONSE: Final = msgspec.json.Decoder(ResponseBody)
_NOTHING: Final = frozenset({b"null", b"{}", b'""', b"[]", b"false", b"0"})


def read_chunk(data: bytes) -> Chunk | None:
    """A chunk, or what of it has the right type; None when it is no JSON object."""
    try:
        return _CHUNK.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return salvaged(data, Chunk)


def read_event(data: bytes) -> ResponseEvent | None:
    """An event of the responses endpoint, or what of it has the right type; None when it is no JSON object."""
    try:
        return _EVENT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return salvaged(data, ResponseEvent)


def read_response_body(data: bytes) -> ResponseBody | None:
    """A whole response object, or what of it has the right type; None when it is no JSON object."""
    try:
        return _RESPONSE.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return salvaged(data, ResponseBody)


def salvaged(data: bytes, shape: type[Shape]) -> Shape | None:
    """The members that can be read of an object that is not as declared; None when it is no JSON object.

    Usage must not be lost for a provider's oddity elsewhere: half of a surrogate pair, a number for a text.
    """
    try:
        loose = json.loads(data.decode("utf-8", "replace"))
        return _built(loose, shape) if isinstance(loose, dict) else None
    except (ValueError, RecursionError):
        return None


def is_told(raw: Raw) -> bool:
    """Whether a member is there and says something: neither missing nor null nor empty."""
    return len(raw) > 0 and bytes(raw) not in _NOTHING


def _built(loose: dict[str, object], shape: type[Shape]) -> Shape:
    found = shape()
    for field in msgspec.structs.fields(shape):
        if field.name in loose:
            fitted = _fitted(loose[field.name], field.type)
            if fitted is not None:
                setattr(found, field.name, fitted)
    return found


def _fitted(value: object, kind: object) -> object:
    """The value as its declared type, its misfits left out; None when nothing of it fits."""
    if kind is Raw:
        return Raw(json.dumps(value).encode())
    for member in get_args(kind) if isinstance(kind, UnionType) else (kind,):
        if isinstance(member, type) and issubclass(member, Struct):
            if isinstance(value, dict):
                return _built(value, member)
        elif get_origin(member) is list:
            if isinstance(value, list):
                parts = (_fitted(part, get_args(member)[0]) for part in value)
                return [part for part in parts if part is not None]
        elif isinstance(member, type) and type(value) is member:
            return value
    return None
