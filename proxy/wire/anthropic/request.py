"""What must be known of a request before it is let through: read once, strictly, and only these fields."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from proxy.core.refusal import Refusal, Refused
from proxy.wire.anthropic.stateful import state_fields
from proxy.wire.anthropic.tool_types import is_client_run
from proxy.wire.bodies import checked_model, members_of, read_patiently, refuse, refuse_repeats
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import RequestFacts

MAX_OUTPUT_TOKENS: Final = 2**31 - 1
"""An output limit above this is taken as this: no model reaches it, and money stays within 64 bits."""
FAST: Final = "fast"
_NOTHING: Final = frozenset({b"null", b"[]", b"{}", b'""'})
_ADVISOR: Final = "advisor_"


class _Tool(Struct, gc=False):
    type: str | None = None


class _Metadata(Struct, gc=False):
    user_id: str | None = None


class _Request(Struct, gc=False):
    model: str
    max_tokens: int | None = None
    stream: bool | None = None
    tools: list[_Tool] | None = None
    metadata: _Metadata | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None


_REQUEST: Final = msgspec.json.Decoder(_Request)
_WANTED: Final[Mapping[str, str]] = {
    "model": "a string",
    "max_tokens": "an integer",
    "stream": "true or false",
    "tools": "an array of objects, each with a `type` or a `name`",
    "metadata": "an object whose `user_id` is a string",
    "service_tier": "a string",
    "speed": "a string",
    "inference_geo": "a string",
}
_WATCHED: Final = frozenset(_WANTED) | {
    "messages",
    "system",
    "container",
    "thread",
    "fallbacks",
    "mcp_servers",
    "compaction",
    "context_management",
    "thinking",
}


def read_request(endpoint: Endpoint, path: str, body: bytes) -> RequestFacts:
    """The facts of a request body; fields that are not read are not looked at.

    Raises:
        Refused: INVALID_REQUEST, naming the field and what to do; CAPABILITY_MISSING for fields by which another model
            than the one that is decided on could answer.
    """
    members = members_of(body)
    refuse_repeats(body, members, _WATCHED)
    try:
        request = _REQUEST.decode(body)
    except (msgspec.ValidationError, UnicodeDecodeError):
        request = read_patiently(members, _WANTED, _Request)
    counts_only = endpoint is Endpoint.COUNT_TOKENS
    tools = request.tools or ()
    _refuse_other_models(members, tools)
    hosted = () if counts_only else _hosted(tools, members)
    return RequestFacts(
        model=checked_model(request.model),
        streamed=request.stream is True and not counts_only,
        asked_for_usage=True,
        max_output_tokens=None if counts_only else _output_limit(request.max_tokens),
        has_tools=bool(tools or hosted),
        hosted_tools=hosted,
        user=None if request.metadata is None else request.metadata.user_id,
        stateful=state_fields(body, members),
        service_tier=FAST if request.speed == FAST else request.service_tier,
    )


def _output_limit(told: int | None) -> int:
    if told is None:
        refuse("`max_tokens` is missing; say how many tokens may be generated at most", "max_tokens")
    if told < 1:
        refuse(f"`max_tokens` must be at least 1; got {told}", "max_tokens")
    return min(told, MAX_OUTPUT_TOKENS)


def _refuse_other_models(members: Mapping[str, Raw], tools: Iterable[_Tool]) -> None:
    """A model that the provider turns to by itself was not decided on, nor is its price known beforehand."""
    if bytes(members.get("fallbacks", Raw(b"null"))) not in _NOTHING:
        _refuse_capability("`fallbacks` lets other models answer than the one that is decided on", "fallbacks")
    if any((tool.type or "").startswith(_ADVISOR) for tool in tools):
        _refuse_capability("an advisor is another model than the one that is decided on", "tools")


def _refuse_capability(why: str, param: str) -> None:
    message = f"{why}; leave it out, and have a route of flyball.yaml name what may stand in for a model."
    raise Refused(Refusal.CAPABILITY_MISSING, message, param=param)


def _hosted(tools: Iterable[_Tool], members: Mapping[str, Raw]) -> tuple[str, ...]:
    """What the provider runs beside the answer, and bills beyond `max_tokens`."""
    found = [tool.type for tool in tools if tool.type is not None and not is_client_run(tool.type)]
    if bytes(members.get("mcp_servers", Raw(b"null"))) not in _NOTHING:
        found.append("mcp_servers")
    if _compacts(members):
        found.append("compaction")
    return tuple(found)


def _compacts(members: Mapping[str, Raw]) -> bool:
    """Whether the provider may sum the conversation up: by calls of its own, whose tokens stand beside the answer's."""
    if bytes(members.get("compaction", Raw(b"null"))) not in _NOTHING:
        return True
    return b"compact_" in bytes(members.get("context_management", Raw(b"")))
