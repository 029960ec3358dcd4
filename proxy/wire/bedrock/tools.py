"""The tools that a request offers, and a body without some of them."""

from collections.abc import Collection
from typing import Final

import msgspec

from proxy.wire.bedrock.edit import with_member, without_members
from proxy.wire.bedrock.fields import Fields, child, decoded, objects, text, tool_specs
from proxy.wire.tool_schemas import RequestTools

_CONFIG: Final = "toolConfig"


def request_tools(body: bytes) -> RequestTools:
    """The tools of a body that has passed `read_request`."""
    return RequestTools((("function", name), schema) for name, schema in tool_specs(decoded(body)))


def without_tools(body: bytes, names: Collection[str]) -> bytes:
    """The body without the tools of these names; a list that is empty then is left out, and so is a choice of one of
    them."""
    fields = decoded(body)
    body = _without_configured(body, child(fields, _CONFIG), names)
    return _without_listed(body, fields, names)


def _without_configured(body: bytes, config: Fields, names: Collection[str]) -> bytes:
    tools = list(objects(config.get("tools")))
    kept = [tool for tool in tools if _name(tool) not in names]
    if len(kept) == len(tools):
        return body
    # A list of nothing but cache points is refused by AWS.
    if not any(_name(tool) for tool in kept):
        return without_members(body, frozenset({_CONFIG}))
    body = with_member(body, (_CONFIG, "tools"), msgspec.json.encode(kept))
    if text(child(child(config, "toolChoice"), "tool").get("name")) in names:
        body = with_member(body, (_CONFIG, "toolChoice"), b'{"auto":{}}')
    return body


def _without_listed(body: bytes, fields: Fields, names: Collection[str]) -> bytes:
    """Those of Anthropic's and OpenAI's bodies."""
    tools = list(objects(fields.get("tools")))
    kept = [tool for tool in tools if _listed(tool) not in names]
    if len(kept) == len(tools):
        return body
    if not kept:
        return without_members(body, frozenset({"tools", "tool_choice", "parallel_tool_calls"}))
    body = with_member(body, ("tools",), msgspec.json.encode(kept))
    if _listed(child(fields, "tool_choice")) in names:
        body = without_members(body, frozenset({"tool_choice"}))
    return body


def _name(tool: Fields) -> str:
    return text(child(tool, "toolSpec").get("name")) or text(child(tool, "systemTool").get("name"))


def _listed(tool: Fields) -> str:
    return text(child(tool, "function").get("name")) or text(tool.get("name")) or text(tool.get("type"))
