"""Which parts of a request lean on state that the provider keeps: containers, threads, files, skills.

State belongs to who made it, and what it adds to a prompt cannot be counted: such parts are named, not judged.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

_MEMBERS: Final = ("container", "thread")
_NOTHING: Final = frozenset({b"null", b"{}", b'""'})
# An escaped letter could spell any key.
_MARKS: Final = (b"file_id", b"\\u00")
_DEEPEST: Final = 64


def state_fields(body: bytes, members: Mapping[str, Raw]) -> tuple[str, ...]:
    """The names of the fields of a request that lean on provider state, e.g. `container`."""
    found = [name for name in _MEMBERS if name in members and bytes(members[name]) not in _NOTHING]
    if any(mark in body for mark in _MARKS):
        for name in ("system", "messages"):
            if name in members and _has_file(members[name]):
                found.append(f"{name}[].content[].file_id")
    return tuple(found)


def _has_file(raw: Raw) -> bool:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return any(_names_file(part) for part in _parts(value, 0))


def _parts(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Every object but those within a tool's input, which are the tool's own words."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _parts(each, depth + 1)
    elif isinstance(value, dict):
        yield value
        for name, each in value.items():
            if name != "input":
                yield from _parts(each, depth + 1)


def _names_file(part: Mapping[str, Any]) -> bool:
    return bool(part.get("file_id")) and part.get("type") in ("file", "container_upload", None)
