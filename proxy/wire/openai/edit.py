"""Changes one member of a request body in place: every other byte stays as the client wrote it."""

from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.openai.members import begins, open_end, raw_members, walk

_FLAG: Final = b'"include_usage":true'
_OPTIONS: Final = b'"stream_options":{"include_usage":true}'


def with_model(body: bytes, model: str) -> bytes:
    """The body with another model name. `body` has passed `read_request`."""
    value = msgspec.json.encode(model)
    members = raw_members(body)
    return body if bytes(members["model"]) == value else _with_value(body, members, "model", value)


def with_usage_flag(body: bytes) -> bytes:
    """The body with `stream_options.include_usage` true, its other stream options kept."""
    members = raw_members(body)
    options = members.get("stream_options")
    if options is None:
        return _with_first(body, members, _OPTIONS)
    if not begins(options, b"{"):
        return _with_value(body, members, "stream_options", b"{" + _FLAG + b"}")
    return _with_value(body, members, "stream_options", _with_flag(bytes(options)))


def _with_flag(options: bytes) -> bytes:
    members = raw_members(options)
    if "include_usage" in members:
        return _with_value(options, members, "include_usage", b"true", repeated=True)
    return _with_first(options, members, _FLAG)


def _with_first(body: bytes, members: dict[str, Raw], member: bytes) -> bytes:
    at = open_end(body)
    comma = b"," if members else b""
    return body[:at] + member + comma + body[at:]


def _with_value(body: bytes, members: dict[str, Raw], key: str, value: bytes, *, repeated: bool = False) -> bytes:
    """The member of that key gets the value; every one if it may be repeated, for who reads may take first or last."""
    pieces: list[bytes] = []
    at = 0
    for found, _, start, end in walk(body, members):
        if found != key:
            continue
        pieces += (body[at:start], value)
        at = end
        if not repeated:
            break
    return b"".join([*pieces, body[at:]])
