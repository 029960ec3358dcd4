"""What a policy may ask about a request's body: messages, tools and parameters, read in one pass."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from proxy.wire.bodies import decoded
from proxy.wire.endpoint import Endpoint
from proxy.wire.policy_view import Message, PolicyView, view_of

Json: TypeAlias = Any
_NO_PARAMS: Final = frozenset({"messages", "input", "prompt", "instructions", "tools", "functions"})
_FUNCTIONS: Final = frozenset({"function", "custom", ""})


def read_view(endpoint: Endpoint, body: bytes) -> PolicyView:
    """The view of a body that was found to be a JSON object; off the loop where it is large."""
    fields: dict[str, Json] = decoded(body)
    tools, provider_tools = _tools(fields)
    return view_of(
        _messages(endpoint, fields),
        tools=tools,
        provider_tools=provider_tools,
        params={name: value for name, value in fields.items() if name not in _NO_PARAMS},
    )


def _messages(endpoint: Endpoint, fields: Mapping[str, Json]) -> Iterator[Message]:
    if endpoint is Endpoint.CHAT:
        for message in _objects(fields.get("messages")):
            yield Message(_text_of(message.get("role")), _texts(message))
    elif endpoint is Endpoint.RESPONSES:
        if fields.get("instructions"):
            yield Message("system", _texts(fields["instructions"]))
        given = fields.get("input")
        if isinstance(given, str):
            yield Message("user", given)
        for item in _objects(given):
            yield Message(_role_of(item), _texts(item))
    elif not endpoint.is_carried:
        prompts = fields.get("prompt" if endpoint is Endpoint.COMPLETIONS or "prompt" in fields else "input")
        for prompt in prompts if isinstance(prompts, list) else [prompts]:
            if isinstance(prompt, str):
                yield Message("user", prompt)


def _role_of(item: Mapping[str, Json]) -> str:
    """The role of a responses item; what a tool has returned is a tool's, whatever it says of itself."""
    kind = _text_of(item.get("type"))
    if kind.endswith("_output"):
        return "tool"
    if kind.endswith("_call") or kind == "reasoning":
        return "assistant"
    return _text_of(item.get("role"))


def _texts(value: Json, depth: int = 0) -> str:
    """All text in a message but its structure's own words, joined by line ends."""
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return "\n".join(text for each in value if (text := _texts(each, depth + 1)))
    if isinstance(value, dict):
        parts = (_texts(each, depth + 1) for name, each in value.items() if name not in _STRUCTURE)
        return "\n".join(part for part in parts if part)
    return ""


_DEEPEST: Final = 16
_STRUCTURE: Final = frozenset(
    {"role", "type", "id", "call_id", "tool_call_id", "status", "detail", "image_url", "data"}
)
"""Members of a message that hold no text of anybody's."""


def _tools(fields: Mapping[str, Json]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    own: list[tuple[str, str]] = []
    provider: list[str] = []
    for tool in _objects(fields.get("tools")):
        kind = _text_of(tool.get("type"))
        if kind in _FUNCTIONS:
            nested = tool.get(kind) if kind else None
            named = nested if isinstance(nested, dict) else tool
            own.append((_text_of(named.get("name")), kind or "function"))
        else:
            provider.append(kind)
    own += [(_text_of(function.get("name")), "function") for function in _objects(fields.get("functions"))]
    return tuple(own), tuple(provider)


def _objects(value: Json) -> Iterator[Mapping[str, Json]]:
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                yield each


def _text_of(value: Json) -> str:
    return value if isinstance(value, str) else ""
