"""The results of tool calls that stand in a request's history, and which calls they say they answer."""

from collections.abc import Iterator

from proxy.wire.bedrock.fields import Fields, child, decoded, objects, text
from proxy.wire.endpoint import Endpoint
from proxy.wire.tool_results import ToolResult


def tool_results(endpoint: Endpoint, body: bytes) -> list[ToolResult]:
    """The results in a body that has passed `read_request`; those that name no call have an empty id."""
    names: dict[str, str] = {}
    found: list[ToolResult] = []
    messages = decoded(body).get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        for id_, name in _calls(message):
            names.setdefault(id_, name)
        found += [ToolResult(id_, names.get(id_) or None, index) for id_ in _answered(message)]
    return found


def _calls(message: Fields) -> Iterator[tuple[str, str]]:
    for block in objects(message.get("content")):
        if isinstance(use := block.get("toolUse"), dict):
            yield text(use.get("toolUseId")), text(use.get("name"))
        elif block.get("type") == "tool_use":
            yield text(block.get("id")), text(block.get("name"))
    for call in objects(message.get("tool_calls")):
        yield text(call.get("id")), text(child(call, "function").get("name"))


def _answered(message: Fields) -> Iterator[str]:
    for block in objects(message.get("content")):
        if isinstance(result := block.get("toolResult"), dict):
            yield text(result.get("toolUseId"))
        elif block.get("type") == "tool_result":
            yield text(block.get("tool_use_id"))
    if message.get("role") == "tool":
        yield text(message.get("tool_call_id"))
