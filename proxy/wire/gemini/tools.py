"""Tools of a Gemini request: which are offered, and taking some of them out in place."""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.gemini.names import Json, Members, decoded, fields, objects, text
from proxy.wire.members import begins

FUNCTIONS: Final = "functionDeclarations"
CLIENT_RUN: Final = frozenset({FUNCTIONS, "computerUse"})
"""Members of a tool whose calls the client runs; every other one is run, and may be billed, by the provider."""
_ABOUT_TOOLS: Final = ("tools", "toolConfig")
_raw_list = msgspec.json.Decoder(list[Raw]).decode


def offered(raw: Raw | None) -> tuple[Mapping[str, Json], ...]:
    """The tools of a body, by camelCase names; what is no object is the provider's to refuse."""
    return () if raw is None else tuple(tool for tool in objects(decoded(raw)) if tool)


def hosted_tools(tools: Collection[Mapping[str, Json]]) -> tuple[str, ...]:
    """The types of those that the provider runs."""
    return tuple(
        name for tool in tools for name, value in tool.items() if name not in CLIENT_RUN and value not in (None, False)
    )


def without_tools(body: bytes, names: Collection[str]) -> bytes:
    """The body without the tools of these names; every other byte stays as the client wrote it.

    A list that is empty then is left out, and so is what is said about tools. Tools that the provider runs are named
    by their type.
    """
    members = Members(body)
    given = members.get("tools")
    if given is None or not begins(given, b"["):
        return body
    tools = _raw_list(given)
    kept = [part for tool in tools if (part := _without(bytes(tool), names))]
    if kept == [bytes(tool) for tool in tools]:
        return body
    if not kept:
        return members.without(_ABOUT_TOOLS)
    return _with_choice(members.with_value("tools", b"[%b]" % b",".join(kept)), names)


def _without(tool: bytes, names: Collection[str]) -> bytes:
    """One tool without what is named; empty where nothing is left of it."""
    if not tool.startswith(b"{"):
        return tool
    members = Members(tool)
    gone = [name for name in members.written if name in names and name not in CLIENT_RUN]
    if "computerUse" in names:
        gone.append("computerUse")
    tool = members.without(gone)
    members = Members(tool)
    declared = members.get(FUNCTIONS)
    if declared is not None and begins(declared, b"["):
        parts = _raw_list(declared)
        kept = [part for part in parts if text(fields(decoded(part)).get("name")) not in names]
        if len(kept) < len(parts):
            value = b"[%b]" % b",".join(bytes(part) for part in kept)
            tool = members.with_value(FUNCTIONS, value) if kept else members.without([FUNCTIONS])
    return tool if Members(tool).raw else b""


def _with_choice(body: bytes, names: Collection[str]) -> bytes:
    """The body without a choice of a function that is gone: a provider refuses it."""
    members = Members(body)
    config = members.object("toolConfig")
    calling = None if config is None else config.object("functionCallingConfig")
    allowed = None if calling is None else calling.get("allowedFunctionNames")
    if config is None or calling is None or allowed is None:
        return body
    given = decoded(allowed)
    if not isinstance(given, list):
        return body
    kept = [name for name in given if not isinstance(name, str) or name not in names]
    if kept == given:
        return body
    if not kept:
        return members.without(["toolConfig"])
    inner = calling.with_value("allowedFunctionNames", msgspec.json.encode(kept))
    return members.with_value("toolConfig", config.with_value("functionCallingConfig", inner))
