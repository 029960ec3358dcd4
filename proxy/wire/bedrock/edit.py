"""Changes one member of a request body in place, also a nested one: every other byte stays as the client wrote it."""

from typing import Final

import msgspec

from proxy.core.refusal import Refusal, Refused
from proxy.wire.bedrock.fields import decoded
from proxy.wire.bedrock.limits import Place, limits_in, own_limit
from proxy.wire.bedrock.paths import with_model
from proxy.wire.endpoint import Endpoint
from proxy.wire.members import open_end, raw_members, walk

_FORMS: Final = ("outputConfig", "response_format", "output_format", "output_config")


def retarget(path: str, body: bytes, model: str) -> tuple[str, bytes]:
    """The same call to another model: its name stands in the path."""
    return with_model(path, model), body


def with_usage_flag(body: bytes) -> bytes:
    """The body as it is: usage is always told."""
    return body


def with_output_limit(endpoint: Endpoint, body: bytes, limit: int, *, new_name: str = "") -> bytes:
    """The body with no output limit above this one; `new_name` is not needed, each body has names of its own.

    Raises:
        Refused: CAPABILITY_MISSING for a body of InvokeModel that gives no limit, and whose model's name for one is not
            known.
    """
    fields = decoded(body)
    given = list(limits_in(endpoint, fields))
    for place, value in given:
        if not (isinstance(value, int | float) and 0 < value <= limit):
            body = with_member(body, place, str(limit).encode())
    if given:
        return body
    own = own_limit(endpoint, fields)
    if own is None:
        raise Refused(
            Refusal.CAPABILITY_MISSING,
            "This call's output must be limited, and under which name its model takes a limit is not known: give one "
            "in the body, or use Converse.",
            param="body",
        )
    return with_member(body, own, str(limit).encode())


def asks_for_form(body: bytes) -> bool:
    """Whether the answer must have a form, so that half of it is worth nothing."""
    fields = decoded(body)
    return any(fields.get(name) for name in _FORMS)


def with_member(body: bytes, place: Place, value: bytes) -> bytes:
    """The object with that value at that place; what is missing on the way, or is null, is made."""
    name, rest = place[0], place[1:]
    members = raw_members(body)
    for key, _, start, end in walk(body, members):
        if key == name:
            before = body[start:end]
            made = value if not rest else with_member(before if before != b"null" else b"{}", rest, value)
            return body[:start] + made + body[end:]
    made = value if not rest else with_member(b"{}", rest, value)
    at = open_end(body)
    comma = b"," if members else b""
    return b"%b%b:%b%b%b" % (body[:at], msgspec.json.encode(name), made, comma, body[at:])


def without_members(body: bytes, names: frozenset[str]) -> bytes:
    """The object without these members, each with a comma that goes with it."""
    spans = list(walk(body, raw_members(body)))
    if not any(key in names for key, *_ in spans):
        return body
    kept = [body[start:end] for key, start, _, end in spans if key not in names]
    return body[: open_end(body)] + b",".join(kept) + body[spans[-1][3] :]
