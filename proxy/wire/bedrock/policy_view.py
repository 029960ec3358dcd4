"""What a policy may ask about a request's body: messages, tools and parameters, read in one pass."""

from collections.abc import Iterator
from typing import Final

from proxy.wire.bedrock.fields import Fields, Json, decoded, hosted_tools, objects, text, tool_specs
from proxy.wire.endpoint import Endpoint
from proxy.wire.policy_view import Message, PolicyView, view_of

_NO_PARAMS: Final = frozenset({"messages", "system", "toolConfig", "tools", "prompt", "inputText"})
_PROMPTS: Final = ("prompt", "inputText")
_DEEPEST: Final = 16
_NAMED_BY_ANYONE: Final = frozenset({"json", "input"})
_STRUCTURE: Final = frozenset(
    {"role", "type", "id", "format", "status", "toolUseId", "tool_use_id", "media_type", "signature", "bytes", "data"}
    | {"redactedContent", "bucketOwner", "uri", "url"}
)


def read_view(endpoint: Endpoint, body: bytes) -> PolicyView:
    """The view of a body that has passed `read_request`; off the loop where it is large."""
    fields = decoded(body)
    return view_of(
        _messages(fields),
        tools=tuple((name, "function") for name, _ in tool_specs(fields)),
        provider_tools=tuple(hosted_tools(fields)),
        params={name: value for name, value in fields.items() if name not in _NO_PARAMS},
    )


def _messages(fields: Fields) -> Iterator[Message]:
    if fields.get("system"):
        yield Message("system", _texts(fields["system"]))
    for message in objects(fields.get("messages")):
        yield from _of_message(message)
    for name in _PROMPTS:
        if isinstance(fields.get(name), str):
            yield Message("user", fields[name])


def _of_message(message: Fields) -> Iterator[Message]:
    """A message's own words, and what tools returned, which is a tool's whoever sends it."""
    content = message.get("content")
    blocks = list(objects(content))
    results = [block for block in blocks if "toolResult" in block or block.get("type") == "tool_result"]
    if not results:
        yield Message(text(message.get("role")), _texts(content))
        return
    if own := [block for block in blocks if block not in results]:
        yield Message(text(message.get("role")), _texts(own))
    yield Message("tool", _texts(results))


def _texts(value: Json, depth: int = 0, *, is_free: bool = False) -> str:
    """All text but the structure's own words, joined by line ends; in objects of somebody's own making all of it."""
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return "\n".join(said for each in value if (said := _texts(each, depth + 1, is_free=is_free)))
    if isinstance(value, dict):
        parts = (
            _texts(each, depth + 1, is_free=is_free or name in _NAMED_BY_ANYONE)
            for name, each in value.items()
            if is_free or name not in _STRUCTURE
        )
        return "\n".join(part for part in parts if part)
    return ""
