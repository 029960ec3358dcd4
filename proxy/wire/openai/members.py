"""Where the members of a JSON object stand in its bytes, so that one of them can be changed and the rest left alone."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SPACE: Final = re.compile(rb"[ \t\n\r]*")
_COLON: Final = re.compile(rb"[ \t\n\r]*:[ \t\n\r]*")
_COMMA: Final = re.compile(rb"[ \t\n\r]*,[ \t\n\r]*")
_SCALAR: Final = re.compile(rb"[^ \t\n\r,\]}]+")
_STRUCTURE: Final = re.compile(rb'["{}\[\]]')
_OPENING: Final = frozenset(b"{[")
_CLOSING: Final = frozenset(b"}]")
_QUOTE: Final = 0x22


class Member(NamedTuple):
    """One member: its key, decoded, and the spans of its key and value."""

    key: str
    start: int
    value_start: int
    value_end: int


class NotWellFormed(ValueError):
    """The bytes are no JSON object; whoever asks has decoded them before, so this is a slip of ours."""


def raw_members(body: bytes) -> dict[str, Raw]:
    """The members by key, values undecoded; the last of a repeated key wins.

    Raises:
        msgspec.DecodeError, RecursionError: not a JSON object.
    """
    return _RAW_MEMBERS.decode(body)


def has_no_room_for_repeats(body: bytes, members: dict[str, Raw]) -> bool:
    """Whether the body is just as long as its distinct members written without a space: then no key is repeated.

    Cheap and never wrong when it says yes: a repeated key, a space or an escape in a key only makes the body longer.
    """
    count = len(members)
    # Each key has two quotes and a colon, all but one member a comma, the object two braces.
    return len(body) == sum(map(len, members)) + sum(map(len, members.values())) + 4 * count + (1 if count else 2)


def walk(body: bytes, members: dict[str, Raw]) -> Iterator[Member]:
    """Every member of the object in `body` in its order, repeated keys each time; `members` are its `raw_members`.

    A value's end is known from its decoded length, so that nothing nested is looked at. Only where a key is
    repeated with another value is it scanned.
    """
    at = _after_open(body)
    while body[at : at + 1] == b'"':
        start = at
        end = _match(_STRING, body, at)
        key = _key(body[start:end])
        value_start = _match(_COLON, body, end)
        value_end = _value_end(body, value_start, members[key])
        yield Member(key, start, value_start, value_end)
        comma = _COMMA.match(body, value_end)
        if comma is None:
            return
        at = comma.end()


def open_end(body: bytes) -> int:
    """The place right after the object's opening brace."""
    space = _match(_SPACE, body, 0)
    if body[space : space + 1] != b"{":
        raise NotWellFormed("the body is not a JSON object")
    return space + 1


def _after_open(body: bytes) -> int:
    return _match(_SPACE, body, open_end(body))


def _key(quoted: bytes) -> str:
    if b"\\" in quoted:
        return msgspec.json.decode(quoted, type=str)
    return quoted[1:-1].decode()


def _value_end(body: bytes, start: int, last: Raw) -> int:
    value = bytes(last)
    end = start + len(value)
    # A number can be the beginning of another one (1 and 12): what follows must end a value too.
    if body.startswith(value, start) and body[end : end + 1] in _AFTER_A_VALUE:
        return end
    return _scanned_end(body, start)


_AFTER_A_VALUE: Final = frozenset({b",", b"}", b" ", b"\n", b"\r", b"\t"})


def _scanned_end(body: bytes, start: int) -> int:
    if body[start] == _QUOTE:
        return _match(_STRING, body, start)
    if body[start] not in _OPENING:
        return _match(_SCALAR, body, start)
    depth = 0
    at = start
    while (found := _STRUCTURE.search(body, at)) is not None:
        at = found.end()
        mark = body[at - 1]
        if mark == _QUOTE:
            at = _match(_STRING, body, at - 1)
        elif mark in _CLOSING:
            depth -= 1
            if depth == 0:
                return at
        else:
            depth += 1
    raise NotWellFormed("a value does not end")


def _match(pattern: re.Pattern[bytes], body: bytes, at: int) -> int:
    found = pattern.match(body, at)
    if found is None:
        raise NotWellFormed("the body is not a JSON object")
    return found.end()
