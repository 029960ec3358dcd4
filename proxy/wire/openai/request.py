"""What must be known of a request before it is let through: read once, strictly, and only these fields."""

import math
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias, Union

import msgspec
from msgspec import Raw, Struct

from proxy.wire.bodies import checked_model, kind_of, members_of, refuse, refuse_repeats
from proxy.wire.countable import Countable
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import RequestFacts
from proxy.wire.members import begins
from proxy.wire.openai.countable import read_countable
from proxy.wire.openai.stateful import is_stored, state_fields

__all__ = ["Countable", "RequestFacts", "read_countable", "read_request"]

MAX_CHOICES: Final = 1024
"""No provider takes more; a larger number is a slip, or an attack on the arithmetic of holds."""
MAX_OUTPUT_TOKENS: Final = 2**31 - 1
"""An output limit above this is taken as this: no model reaches it, and money stays within 64 bits."""

CLIENT_RUN_TOOLS: Final = frozenset(
    {"function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview"}
)
"""Tool types whose calls the client runs; every other type is run, and may be billed, by the provider."""

_OPTIONS_OF_HOSTED_SEARCH: Final = ("web_search_options", "search_parameters", "plugins")
"""Members by which a provider-run tool is asked for without `tools` (OpenAI; xAI; OpenRouter)."""


class _StreamOptions(Struct, gc=False):
    include_usage: bool | None = None


class _Tool(Struct, gc=False):
    type: str | None = None


class _Metadata(Struct, gc=False):
    session_id: Raw = Raw(b"")


class _Request(Struct, gc=False):
    model: str
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    n: int | None = None
    best_of: int | None = None
    tools: list[_Tool] | None = None
    functions: list[Raw] | None = None
    user: str | None = None
    metadata: _Metadata | None = None
    service_tier: str | None = None


_REQUEST: Final = msgspec.json.Decoder(_Request)
_Prompt: TypeAlias = Union[str, list[Union[str, int, list[int]]], None]

_WANTED: Final[Mapping[str, str]] = {
    "model": "a string",
    "stream": "true or false",
    "stream_options": "an object",
    "max_tokens": "an integer",
    "max_completion_tokens": "an integer",
    "max_output_tokens": "an integer",
    "n": "an integer",
    "best_of": "an integer",
    "tools": "an array of objects, each with a `type`",
    "functions": "an array",
    "user": "a string",
    "metadata": "an object",
    "service_tier": "a string",
}
"""The fields read, and what each must be; for all but `model`, null is as good as absent."""

_WATCHED: Final = frozenset(_WANTED) | {
    "messages",
    "input",
    "prompt",
    "previous_response_id",
    "conversation",
    "background",
    *_OPTIONS_OF_HOSTED_SEARCH,
}
"""Keys that must not be repeated: of two values one would be governed and the other one obeyed."""

_CHAT: Final = Endpoint.CHAT
_RESPONSES: Final = Endpoint.RESPONSES
_NAME_THEIR_MODEL: Final = frozenset({Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS})
_EMBEDDINGS: Final = Endpoint.EMBEDDINGS


def read_request(endpoint: Endpoint, body: bytes) -> RequestFacts:
    """The facts of a request body; fields that are not read are not looked at.

    Raises:
        Refused: INVALID_REQUEST, naming the field and what to do, for anything but a JSON object in UTF-8 with a
            model and with the right types in the fields read, none of them repeated.
    """
    members = members_of(body)
    refuse_repeats(body, members, _WATCHED)
    try:
        request = _REQUEST.decode(body)
    except (msgspec.ValidationError, UnicodeDecodeError):
        request = _read_patiently(endpoint, members)
    tools = request.tools or ()
    hosted = _hosted(tools, members)
    return RequestFacts(
        model=checked_model(request.model) if "model" in members else "",
        streamed=request.stream is True,
        asked_for_usage=request.stream_options is not None and request.stream_options.include_usage is True,
        max_output_tokens=_output_limit(request),
        choices=_choices(endpoint, request, members),
        has_tools=bool(tools or request.functions or hosted),
        hosted_tools=hosted,
        user=request.user,
        session=None if request.metadata is None else _session(request.metadata.session_id),
        stateful=state_fields(endpoint, body, members, hosted),
        in_background="background" in members and endpoint is _RESPONSES and bytes(members["background"]) == b"true",
        stores=is_stored(endpoint, members),
        service_tier=request.service_tier,
    )


def _read_patiently(endpoint: Endpoint, members: dict[str, Raw]) -> _Request:
    """Reads field by field, to name the one that is wrong; a whole number written as 100.0 is taken."""
    values: dict[str, object] = {}
    for name, wanted in _WANTED.items():
        raw = members.get(name)
        if raw is None:
            if name == "model":
                if endpoint in _NAME_THEIR_MODEL:
                    refuse("`model` is missing; name the model to call", name)
                values[name] = ""  # a prompt that the provider keeps may name it
            continue
        values[name] = _read_field(name, raw, wanted)
    try:
        return msgspec.convert(values, _Request)
    except msgspec.ValidationError as error:
        # Every field has been read as its own type just now.
        refuse(str(error))


def _read_field(name: str, raw: Raw, wanted: str) -> object:
    try:
        value: object = msgspec.json.decode(raw)
        if wanted == "an integer" and isinstance(value, float) and math.isfinite(value) and value.is_integer():
            value = int(value)
        msgspec.convert({"model": "", name: value}, _Request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if name == "stream_options" and begins(raw, b"{"):
            refuse("`stream_options.include_usage` must be true or false", "stream_options.include_usage")
        refuse(f"`{name}` must be {wanted}; got {kind_of(bytes(raw), wanted)}", name)
    return value


def _output_limit(request: _Request) -> int | None:
    # Which of two limits a provider obeys is not known: the larger one bounds the call.
    most = 0
    for limit in (request.max_completion_tokens, request.max_tokens, request.max_output_tokens):
        if limit is not None:
            if limit <= 0:
                return None
            most = max(most, limit)
    return min(most, MAX_OUTPUT_TOKENS) or None


def _choices(endpoint: Endpoint, request: _Request, members: dict[str, Raw]) -> int:
    if endpoint is _RESPONSES or endpoint is _EMBEDDINGS:
        return 1
    if endpoint is _CHAT and request.n is None and request.best_of is None:
        return 1
    most = 1
    for name, value in (("n", request.n), ("best_of", request.best_of)):
        if value is None:
            continue
        if not 1 <= value <= MAX_CHOICES:
            refuse(f"`{name}` must be between 1 and {MAX_CHOICES}; got {value}", name)
        most = max(most, value)
    return most * _prompts(members) if endpoint is Endpoint.COMPLETIONS else most


def _prompts(members: dict[str, Raw]) -> int:
    raw = members.get("prompt")
    if raw is None or not begins(raw, b"["):
        return 1
    try:
        prompts = msgspec.json.decode(raw, type=_Prompt)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        refuse("`prompt` must be a string, an array of strings, or arrays of token ids", "prompt")
    if not prompts or isinstance(prompts[0], int):
        return 1
    return len(prompts)


def _hosted(tools: Iterable[_Tool], members: dict[str, Raw]) -> tuple[str, ...]:
    found = [tool.type for tool in tools if tool.type is not None and tool.type not in CLIENT_RUN_TOOLS]
    for name in _OPTIONS_OF_HOSTED_SEARCH:
        if name in members and bytes(members[name]) not in (b"null", b"[]"):
            found.append(name)
    return tuple(found)


def _session(raw: Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # It is attribution only: a session that is no text is no session.
        return None
