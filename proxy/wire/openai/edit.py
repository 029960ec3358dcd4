"""Changes one member of a request body in place: every other byte stays as the client wrote it."""

from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.endpoint import Endpoint
from proxy.wire.members import begins, open_end, raw_members, walk

_FLAG: Final = b'"include_usage":true'
_OPTIONS: Final = b'"stream_options":{"include_usage":true}'
_LIMITS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_LIMITS_OF: Final = {
    Endpoint.CHAT: ("max_completion_tokens", "max_tokens"),
    Endpoint.COMPLETIONS: ("max_tokens",),
    Endpoint.RESPONSES: ("max_output_tokens",),
}
_ANSWERING_AS_TOLD: Final = (
    "guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "grammar", "json_schema",
)  # fmt: skip
"""Members by which inference servers are told the form of an answer, beside OpenAI's own (vLLM, SGLang, llama.cpp)."""


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


def with_output_limit(endpoint: Endpoint, body: bytes, limit: int, *, new_name: str) -> bytes:
    """The body with no output limit above this one; one that gives its endpoint none gets it, as `new_name`."""
    own = _LIMITS_OF.get(endpoint, ())
    members = raw_members(body)
    given = [name for name in _LIMITS if name in members and bytes(members[name]) != b"null"]
    value = str(limit).encode()
    for name in given:
        if not _is_within(members[name], limit):
            body = _with_value(body, raw_members(body), name, value)
    if any(name in given for name in own):
        return body
    members = raw_members(body)
    if new_name in members:
        return _with_value(body, members, new_name, value)
    return _with_first(body, members, b'"%b":%b' % (new_name.encode(), value))


def asks_for_form(body: bytes) -> bool:
    """Whether the answer must have a form (JSON, a schema, a grammar), so that half of it is worth nothing."""
    members = raw_members(body)
    if any(name in members and bytes(members[name]) not in (b"null", b"false") for name in _ANSWERING_AS_TOLD):
        return True
    text = members.get("text")
    forms = [members.get("response_format")]
    if text is not None and begins(text, b"{"):
        forms.append(raw_members(bytes(text)).get("format"))
    return any(form is not None and not _is_plain(form) for form in forms)


def _is_plain(form: Raw) -> bool:
    """Whether a format is none, or is text; what is no object is left to the provider to refuse."""
    if not begins(form, b"{"):
        return bytes(form) == b"null"
    return bytes(raw_members(bytes(form)).get("type", Raw(b""))) == b'"text"'


def _is_within(given: Raw, limit: int) -> bool:
    """Whether a limit that was given is one (0 and less are not), and no higher."""
    value = msgspec.json.decode(given)
    return isinstance(value, int | float) and 0 < value <= limit


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
