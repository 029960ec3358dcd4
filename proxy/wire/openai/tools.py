"""Takes tools out of a request body in place: every other byte stays as the client wrote it."""

from collections.abc import Collection
from typing import Any, Final

import msgspec
from msgspec import Raw

from proxy.wire.members import raw_members, rewritten

_LISTS: Final = ("tools", "functions")
_ABOUT_TOOLS: Final = {"tools": ("tool_choice", "parallel_tool_calls"), "functions": ("function_call",)}
"""Members that mean nothing without their list, and are refused by providers beside none."""
_raw_list = msgspec.json.Decoder(list[Raw]).decode


def without_tools(body: bytes, names: Collection[str]) -> bytes:
    """The body without the tools of these names; a list that is empty then is left out, and so is a choice of one of
    them. Tools that a provider runs are named by their type."""
    for member in _LISTS:
        members = raw_members(body)
        if member in members:
            body = _without(body, members, member, names)
    return body


def _without(body: bytes, members: dict[str, Raw], member: str, names: Collection[str]) -> bytes:
    given = _raw_list(members[member]) if bytes(members[member]) != b"null" else []
    kept = [tool for tool in given if name_of_tool(msgspec.json.decode(tool)) not in names]
    if len(kept) == len(given):
        return body
    drop: set[str] = set()
    if not kept:
        drop = {member, *_ABOUT_TOOLS[member]}
    else:
        drop = {each for each in _ABOUT_TOOLS[member] if each in members and _chooses(members[each], names)}
    value = b"[%b]" % b",".join(bytes(tool) for tool in kept)
    return rewritten(body, members, {member: value}, drop)


def name_of_tool(tool: Any) -> str:
    """A tool's name in either dialect of OpenAI's; the type of one that the provider runs."""
    if not isinstance(tool, dict):
        return ""
    kind = tool.get("type")
    nested = tool.get(kind) if isinstance(kind, str) else None
    named = nested if isinstance(nested, dict) else tool
    name = named.get("name")
    return name if isinstance(name, str) else kind if isinstance(kind, str) else ""


def _chooses(choice: Raw, names: Collection[str]) -> bool:
    return name_of_tool(msgspec.json.decode(choice)) in names
