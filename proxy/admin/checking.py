"""Strict reading of bodies and query strings: every field typed, unknown ones refused, all problems said at once."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from proxy.admin.faults import Fault, Problem, Refusal

Shape = TypeVar("Shape", bound=msgspec.Struct)
MOST_PARAMETERS: Final = 100
_PLACE: Final = re.compile(r" - at (`key` in )?`\$(?P<place>[^`]*)`$")


def read_body(kind: type[Shape], body: bytes) -> Shape:
    """A JSON body as the typed object it must be.

    Raises:
        Refusal: INVALID_REQUEST with every problem and its place.
    """
    try:
        body.decode("utf-8")
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refusal(Fault.INVALID_REQUEST, f"The body must be a JSON object: {_plain(str(error))}.") from None
    except UnicodeDecodeError:
        raise Refusal(Fault.INVALID_REQUEST, "The body is not UTF-8.") from None
    return _build(kind, {name: _Json(raw) for name, raw in fields.items()}, "field")


def read_query(kind: type[Shape], raw: bytes) -> Shape:
    """A query string as the typed object it must be; `name[]` is the same as `name`, lists repeat the name.

    Raises:
        Refusal: INVALID_REQUEST with every problem and its place.
    """
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(raw),
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        rule = f"at most {MOST_PARAMETERS} parameters name=value, percent-encoded UTF-8"
        raise Refusal(Fault.INVALID_REQUEST, f"The query string is not readable: it has {rule}.") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name.removesuffix("[]"), []).append(value)
    return _build(kind, {name: _Words(values) for name, values in fields.items()}, "parameter")


class _Json:
    """A field's value as it stands in a JSON body."""

    def __init__(self, raw: msgspec.Raw) -> None:
        self._raw = raw

    def read(self, kind: Any) -> Any:
        return msgspec.json.decode(self._raw, type=kind)


class _Words:
    """A parameter's values as they stand in a query string."""

    def __init__(self, values: list[str]) -> None:
        self._values = values

    def read(self, kind: Any) -> Any:
        if _takes_many(kind):
            return msgspec.convert(self._values, kind, strict=False)
        if len(self._values) > 1:
            raise msgspec.ValidationError("stands more than once")
        return msgspec.convert(self._values[0], kind, strict=False)


def _takes_many(kind: Any) -> bool:
    found = msgspec.inspect.type_info(kind)
    while isinstance(found, msgspec.inspect.Metadata):
        found = found.type
    return isinstance(found, msgspec.inspect.VarTupleType)


def _build(kind: type[Shape], given: Mapping[str, _Json] | Mapping[str, _Words], word: str) -> Shape:
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems = [
        Problem(name, f"is not a {word} we know; known: {', '.join(known) or 'none'}")
        for name in given
        if name not in known
    ]
    values = {}
    for name, field in known.items():
        if name in given:
            try:
                values[field.name] = given[name].read(field.type)
            except (msgspec.MsgspecError, RecursionError) as error:
                problems.append(_problem(name, str(error)))
        elif field.required:
            problems.append(Problem(name, "is missing"))
    if problems:
        raise refused(problems)
    return kind(**values)


def refused(problems: list[Problem]) -> Refusal:
    """All problems of a request as one refusal."""
    text = "; ".join(_clipped(f"{each.param}: {each.message}") for each in problems)
    return Refusal(Fault.INVALID_REQUEST, f"{text}.", param=problems[0].param, problems=problems)


def _problem(name: str, text: str) -> Problem:
    match = _PLACE.search(text)
    if match is None:
        return Problem(name, _plain(text))
    return Problem(name + match["place"], _plain(text[: match.start()]))


def _plain(text: str) -> str:
    return text[:1].lower() + text[1:].replace("`", "'")


def _clipped(text: str, most: int = 300) -> str:
    return text if len(text) <= most else text[:most] + "…"
