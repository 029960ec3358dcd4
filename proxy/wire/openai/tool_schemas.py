"""The tools that a request offers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from proxy.wire.bodies import decoded
from proxy.wire.tool_schemas import RequestTools

Json: TypeAlias = Any
_CLIENT_RUN: Final = {
    "computer_use_preview": "computer",
    "computer": "computer",
    "local_shell": "local_shell",
    "shell": "shell",
    "apply_patch": "apply_patch",
    "tool_search": "tool_search",
}
"""Types of tools without a name that the client runs, and the kind of the calls to them."""


def request_tools(body: bytes) -> RequestTools:
    """The tools of a body that has passed `read_request`."""
    fields: Mapping[str, Json] = decoded(body)
    return RequestTools(_offered(fields))


def _offered(fields: Mapping[str, Json]) -> Iterator[tuple[tuple[str, str], Json]]:
    for function in _objects(fields.get("functions")):
        yield ("function", _text(function.get("name"))), function.get("parameters")
    for tool in _objects(fields.get("tools")):
        kind = _text(tool.get("type")) or "function"
        if kind in ("function", "custom"):
            nested = tool.get(kind)
            named = nested if isinstance(nested, dict) else tool
            yield (kind, _text(named.get("name"))), named.get("parameters")
        elif kind == "mcp":
            yield ("mcp_approval_request", _text(tool.get("server_label"))), None
        elif kind in _CLIENT_RUN:
            called = _CLIENT_RUN[kind]
            yield (called, called), None


def _objects(value: Json) -> Iterator[Mapping[str, Json]]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
