"""The results of tool calls that stand in a request's history, and which calls they say they answer."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from proxy.wire.bodies import decoded
from proxy.wire.endpoint import Endpoint
from proxy.wire.tool_results import ToolResult

Json: TypeAlias = Any


def tool_results(endpoint: Endpoint, body: bytes) -> list[ToolResult]:
    """The results in a body that has passed `read_request`; those that name no call have an empty id.

    What a provider-run tool returned is none of them: its call was decided with the request.
    """
    fields: Mapping[str, Json] = decoded(body)
    names: dict[str, str] = {}
    found = []
    for index, message in _objects(fields.get("messages")):
        for _, block in _objects(message.get("content")):
            if block.get("type") == "tool_use":
                names.setdefault(_text(block.get("id")), _text(block.get("name")))
            elif block.get("type") == "tool_result":
                id_ = _text(block.get("tool_use_id"))
                found.append(ToolResult(id_, names.get(id_) or None, index))
    return found


def _objects(value: Json) -> Iterator[tuple[int, Mapping[str, Json]]]:
    if isinstance(value, list):
        yield from ((index, each) for index, each in enumerate(value) if isinstance(each, dict))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
