"""Changes one member of a request body in place: every other byte stays as the client wrote it."""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.anthropic.tool_types import name_of_tool
from proxy.wire.endpoint import Endpoint
from proxy.wire.members import begins, open_end, raw_members, walk

_ABOUT_TOOLS: Final = "tool_choice"
_raw_list = msgspec.json.Decoder(list[Raw]).decode


def retarget(path: str, body: bytes, model: str) -> tuple[str, bytes]:
    """The request for another model; it is named in the body. `body` has passed `read_request`."""
    value = msgspec.json.encode(model)
    members = raw_members(body)
    return path, body if bytes(members["model"]) == value else _changed(body, members, {"model": value})


def with_output_limit(endpoint: Endpoint, body: bytes, limit: int, *, new_name: str = "max_tokens") -> bytes:
    """The body with no output limit above this one; one that gives none gets it."""
    members = raw_members(body)
    told = members.get("max_tokens")
    value = str(limit).encode()
    if told is None:
        at = open_end(body)
        return body[:at] + b'"max_tokens":' + value + (b"," if members else b"") + body[at:]
    given = msgspec.json.decode(told)
    if isinstance(given, int | float) and 0 < given <= limit:
        return body
    return _changed(body, members, {"max_tokens": value})


def asks_for_form(body: bytes) -> bool:
    """Whether half of the answer is worth nothing: it must have a form, or so many tokens are wanted to think with."""
    members = raw_members(body)
    if "output_format" in members and bytes(members["output_format"]) != b"null":
        return True
    wanted = _inner(members, "output_config").get("format")
    if wanted is not None and bytes(wanted) != b"null":
        return True
    # `budget_tokens` must be below `max_tokens`: lowered alone, the provider would refuse the call.
    return "budget_tokens" in _inner(members, "thinking")


def without_tools(body: bytes, names: Collection[str]) -> bytes:
    """The body without the tools of these names; a list that is empty then is left out, and so is a choice of one of
    them. Tools without a name are named by their type."""
    members = raw_members(body)
    if "tools" not in members or not begins(members["tools"], b"["):
        return body
    given = _raw_list(members["tools"])
    kept = [tool for tool in given if name_of_tool(msgspec.json.decode(tool)) not in names]
    if len(kept) == len(given):
        return body
    if not kept:
        return _changed(body, members, {}, drop={"tools", _ABOUT_TOOLS})
    value = b"[%b]" % b",".join(bytes(tool) for tool in kept)
    drop = {_ABOUT_TOOLS} if _chooses(members, names) else set()
    return _changed(body, members, {"tools": value}, drop=drop)


def _chooses(members: Mapping[str, Raw], names: Collection[str]) -> bool:
    choice = _inner(members, _ABOUT_TOOLS)
    name = msgspec.json.decode(choice["name"]) if "name" in choice else None
    return isinstance(name, str) and name in names


def _inner(members: Mapping[str, Raw], name: str) -> dict[str, Raw]:
    raw = members.get(name)
    return raw_members(bytes(raw)) if raw is not None and begins(raw, b"{") else {}


def _changed(body: bytes, members: dict[str, Raw], values: Mapping[str, bytes], *, drop: Collection[str] = ()) -> bytes:
    """The body with other values, and without some members; each goes with the comma before it."""
    spans = list(walk(body, members))
    pieces = [body[: spans[0][1]]]
    end_before = spans[0][1]
    for key, key_start, start, end in spans:
        if key not in drop:
            if len(pieces) > 1:
                pieces.append(body[end_before:key_start])
            pieces += (body[key_start:start], values.get(key, body[start:end]))
        end_before = end
    return b"".join([*pieces, body[end_before:]])
