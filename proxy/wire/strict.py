"""A strict reading of JSON that may carry tool calls: what two clients could read in two ways is refused."""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

Json: TypeAlias = Any


class Unreadable(ValueError):
    """An event that may carry a call, and that two clients could read in two ways, or none at all."""


def parsed(data: bytes) -> dict[str, Json]:
    """One JSON object in which no member stands twice.

    Raises:
        Unreadable: it is none.
    """
    try:
        value = _decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    if not isinstance(value, dict):
        raise Unreadable("not an object")
    return value


def once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """An object of JSON in which no member stands twice.

    Raises:
        Unreadable: one does; clients differ in which of the two they take.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a member stands twice")
    return found


_decode: Final = json.JSONDecoder(object_pairs_hook=once).decode
"""`json.loads` would make such a decoder anew for each event."""


def exactly(found: Mapping[str, Json], names: frozenset[str]) -> None:
    """See to it that no member is a name of ours in other letters: some clients take no notice of case.

    Raises:
        Unreadable: one is.
    """
    for name in found:
        if name not in names and name.casefold() in names:
            raise Unreadable(f"a member named {name!r}")


def text_of(value: Json) -> str:
    """A text, empty for null; an object as its JSON.

    Raises:
        Unreadable: anything else.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return json.dumps(value)
    raise Unreadable("not a text")


def objects(value: Json) -> list[dict[str, Json]]:
    """A list of objects, empty for null.

    Raises:
        Unreadable: anything else.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Unreadable("not a list of objects")
    return value


def object_or_none(value: Json) -> dict[str, Json] | None:
    """An object, or None for null.

    Raises:
        Unreadable: anything else.
    """
    if value is None or isinstance(value, dict):
        return value
    raise Unreadable("not an object")


def is_json(text: str) -> bool:
    """Whether a text is a whole JSON object."""
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False


def written(value: Mapping[str, Json]) -> bytes:
    """JSON as it is put into an event: ASCII, so that halves of a character that came in pass."""
    return json.dumps(value, separators=(",", ":")).encode()
