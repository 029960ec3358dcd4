"""What a policy may ask about a request's body: messages, tools and parameters, read in one pass."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from proxy.wire.anthropic.tool_types import is_client_run, name_of_tool
from proxy.wire.bodies import decoded
from proxy.wire.endpoint import Endpoint
from proxy.wire.policy_view import Message, PolicyView, view_of

Json: TypeAlias = Any
_DEEPEST: Final = 16
_NO_PARAMS: Final = frozenset({"messages", "system", "tools"})
_STRUCTURE: Final = frozenset(
    {"role", "type", "id", "tool_use_id", "media_type", "file_id", "signature", "encrypted_content", "cache_control"}
    | {"data", "url"}
)
"""Members of a message that hold no text of anybody's."""


def read_view(endpoint: Endpoint, body: bytes) -> PolicyView:
    """The view of a body that was found to be a JSON object; off the loop where it is large.

    A tool's result is a message of its own, of role `tool`, though it stands in a user's.
    """
    fields: dict[str, Json] = decoded(body)
    tools, provider_tools = _tools(fields)
    return view_of(
        _messages(fields),
        tools=tools,
        provider_tools=provider_tools,
        params={name: value for name, value in fields.items() if name not in _NO_PARAMS},
    )


def _messages(fields: Mapping[str, Json]) -> Iterator[Message]:
    if fields.get("system"):
        yield Message("system", _texts(fields["system"]))
    for message in _objects(fields.get("messages")):
        role, content = _text_of(message.get("role")), message.get("content")
        rest = []
        for block in content if isinstance(content, list) else [content]:
            if isinstance(block, Mapping) and block.get("type") == "tool_result":
                yield Message("tool", _texts(block))
            else:
                rest.append(block)
        if rest or not isinstance(content, list):
            yield Message(role, _texts(rest))


def _texts(value: Json, depth: int = 0) -> str:
    """All text in a message but its structure's own words, joined by line ends."""
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return "\n".join(text for each in value if (text := _texts(each, depth + 1)))
    if isinstance(value, dict):
        is_text = value.get("type") == "text"
        parts = (
            _texts(each, depth + 1)
            for name, each in value.items()
            if name not in _STRUCTURE or (name == "data" and is_text)
        )
        return "\n".join(part for part in parts if part)
    return ""


def _tools(fields: Mapping[str, Json]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    own: list[tuple[str, str]] = []
    provider: list[str] = []
    for tool in _objects(fields.get("tools")):
        kind = _text_of(tool.get("type"))
        if is_client_run(kind):
            own.append((name_of_tool(tool), "function"))
        else:
            provider.append(kind)
    provider += ["mcp_servers" for _ in _objects(fields.get("mcp_servers"))]
    return tuple(own), tuple(provider)


def _objects(value: Json) -> Iterator[Mapping[str, Json]]:
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                yield each


def _text_of(value: Json) -> str:
    return value if isinstance(value, str) else ""
