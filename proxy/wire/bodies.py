"""A request's body read strictly: a JSON object in UTF-8, with the right types in the few fields that are acted on."""

import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from msgspec import Raw, Struct

from proxy.core.refusal import Refusal, Refused
from proxy.wire.members import is_plain_layout, raw_members, walk

MAX_MODEL_CHARS: Final = 512
_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
_KINDS: Final = {b'"': "a string", b"{": "an object", b"[": "an array", b"t": "true", b"f": "false", b"n": "null"}

Shape = TypeVar("Shape", bound=Struct)


def members_of(body: bytes) -> dict[str, Raw]:
    """The members of a body, values undecoded.

    Raises:
        Refused: INVALID_REQUEST for anything but a JSON object in UTF-8.
    """
    if not body.isascii():
        _check_utf8(body)
    try:
        return raw_members(body)
    except RecursionError:
        refuse("the body is nested too deeply")
    except msgspec.ValidationError:
        refuse(f"the body must be a JSON object; got {kind_of(body.lstrip()[:1])}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        refuse(_why_malformed(body, str(error)))


def decoded(body: bytes) -> Any:
    """The value of a body whose members were read before; numbers that no float holds are infinite.

    What nobody read may hold such a number, and is the provider's to judge.
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.ValidationError:
        return json.loads(body)


def refuse_repeats(body: bytes, members: dict[str, Raw], watched: Collection[str]) -> None:
    """See to it that no watched member stands twice: of two values one would be governed and the other one obeyed.

    Raises:
        Refused: INVALID_REQUEST, naming the member.
    """
    if is_plain_layout(body, members):
        return
    seen: set[str] = set()
    for key, _, _, _ in walk(body, members):
        if key in seen and key in watched:
            refuse(f"`{key}` is given twice; give it once", key)
        seen.add(key)


def read_patiently(members: Mapping[str, Raw], wanted: Mapping[str, str], shape: type[Shape]) -> Shape:
    """Read field by field, to name the one that is wrong; a whole number written as 100.0 is taken.

    `wanted` says what each field must be, in words. Fields without a default in `shape` must be there.

    Raises:
        Refused: INVALID_REQUEST, naming the field.
    """
    values: dict[str, object] = {}
    for told in msgspec.structs.fields(shape):
        raw = members.get(told.name)
        if raw is not None:
            values[told.name] = _read_field(told.name, raw, wanted[told.name], told.type)
        elif told.required:
            refuse(f"`{told.name}` is missing; it must be {wanted[told.name]}", told.name)
    try:
        return msgspec.convert(values, shape)
    except msgspec.ValidationError as error:
        # Every field has been read as its own type just now.
        refuse(str(error))


def checked_model(model: str) -> str:
    """A model's name that can stand in rows and be looked up.

    Raises:
        Refused: INVALID_REQUEST.
    """
    if not model or model.isspace():
        refuse("`model` is empty; name the model to call", "model")
    if len(model) > MAX_MODEL_CHARS or not model.isprintable():
        refuse(f"`model` must be at most {MAX_MODEL_CHARS} printable characters", "model")
    return model


def refuse(message: str, param: str | None = None) -> NoReturn:
    """Refuse a request for what its body says."""
    raise Refused(Refusal.INVALID_REQUEST, message, param=param)


def _check_utf8(body: bytes) -> None:
    if body.startswith(b"\xef\xbb\xbf"):
        refuse("the body starts with a byte order mark; send JSON in UTF-8 without one")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        refuse(f"the body is not valid UTF-8 (byte {error.start}); send JSON in UTF-8")


def _why_malformed(body: bytes, error: str) -> str:
    if not body.strip():
        return "the body is empty; send a JSON object"
    if "truncated" in error:
        if _LONE_SURROGATE.search(body) is not None:
            return "the body holds half of a surrogate pair (\\ud800 to \\udfff), which is no character"
        return "the body is not valid JSON: it ends too early"
    return f"the body is not valid JSON: {error.removeprefix('JSON is malformed: ')}"


def _read_field(name: str, raw: Raw, wanted: str, kind: object) -> object:
    try:
        value: object = msgspec.json.decode(raw)
        if wanted == "an integer" and isinstance(value, float) and math.isfinite(value) and value.is_integer():
            value = int(value)
        msgspec.convert(value, kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        refuse(f"`{name}` must be {wanted}; got {kind_of(bytes(raw), wanted)}", name)
    return value


def kind_of(value: bytes, wanted: str = "") -> str:
    """What a JSON value is, by its first byte."""
    kind = _KINDS.get(value[:1], "a number")
    if kind in ("an array", "an object") and wanted.startswith(kind):
        return f"{kind} with something else in it"
    if kind == "a number" and wanted == "an integer":
        return "a fraction or a number out of range"
    return kind
