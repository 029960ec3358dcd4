"""The tools that a request offers to be run by the client."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from proxy.wire.anthropic.tool_types import is_client_run
from proxy.wire.bodies import decoded
from proxy.wire.tool_schemas import RequestTools

Json: TypeAlias = Any


def request_tools(body: bytes) -> RequestTools:
    """The tools of a body that has passed `read_request`; those that Anthropic defines have no schema in it."""
    fields: Mapping[str, Json] = decoded(body)
    return RequestTools(_offered(fields.get("tools")))


def _offered(tools: Json) -> Iterator[tuple[tuple[str, str], Json]]:
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        kind, name = tool.get("type"), tool.get("name")
        if isinstance(name, str) and (kind is None or (isinstance(kind, str) and is_client_run(kind))):
            yield ("function", name), tool.get("input_schema")
