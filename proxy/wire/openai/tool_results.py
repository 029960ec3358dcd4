"""The results of tool calls that stand in a request's history, and which calls they say they answer."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from proxy.wire.bodies import decoded
from proxy.wire.endpoint import Endpoint
from proxy.wire.tool_results import LEGACY, ToolResult

Json: TypeAlias = Any
_RESULTS: Final = ("_output", "_approval_response")


def tool_results(endpoint: Endpoint, body: bytes) -> list[ToolResult]:
    """The results in a body that has passed `read_request`; those that name no call have an empty id."""
    fields: Mapping[str, Json] = decoded(body)
    if endpoint is Endpoint.CHAT:
        return _of_chat(list(_objects(fields.get("messages"))))
    if endpoint is Endpoint.RESPONSES:
        return _of_responses(list(_objects(fields.get("input"))))
    return []


def _of_chat(messages: list[tuple[int, Mapping[str, Json]]]) -> list[ToolResult]:
    names: dict[str, str] = {}
    found = []
    for index, message in messages:
        for _, call in _objects(message.get("tool_calls")):
            names.setdefault(_text(call.get("id")), _name_of(call))
        role = _text(message.get("role"))
        if role == "tool":
            id_ = _text(message.get("tool_call_id"))
            found.append(ToolResult(id_, _text(message.get("name")) or names.get(id_) or None, index))
        elif role == "function":
            name = _text(message.get("name"))
            found.append(ToolResult(LEGACY + name, name or None, index))
    return found


def _of_responses(items: list[tuple[int, Mapping[str, Json]]]) -> list[ToolResult]:
    names: dict[str, str] = {}
    found = []
    for index, item in items:
        kind = _text(item.get("type"))
        if kind.endswith(_RESULTS):
            members = (item.get(name) for name in ("call_id", "approval_request_id", "id"))
            id_ = next((text for each in members if (text := _text(each))), "")
            found.append(ToolResult(id_, names.get(id_) or None, index))
        elif kind.endswith(("_call", "_approval_request")):
            names.setdefault(_text(item.get("call_id")) or _text(item.get("id")), _text(item.get("name")))
    return found


def _name_of(call: Mapping[str, Json]) -> str:
    kind = _text(call.get("type")) or "function"
    named = call.get(kind)
    return _text(named.get("name")) if isinstance(named, dict) else ""


def _objects(value: Json) -> Iterator[tuple[int, Mapping[str, Json]]]:
    if isinstance(value, list):
        yield from ((index, each) for index, each in enumerate(value) if isinstance(each, dict))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
