"""Where the members of a JSON object stand in its bytes, so that one of them can be changed and the rest left alone."""

import re
from collections.abc import Collection, Iterator
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw

_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])
_OPEN: Final = re.compile(rb"[ \t\n\r]*\{")
_HEAD: Final = re.compile(rb'[ \t\n\r]*,?[ \t\n\r]*("[^"\\]*(?:\\.[^"\\]*)*")[ \t\n\r]*:[ \t\n\r]*', re.DOTALL)
"""What stands before a value: the comma after the last one, the key, the colon."""
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^ \t\n\r,\]}]+")
_STRUCTURE: Final = re.compile(rb'["{}\[\]]')
_OPENING: Final = frozenset(b"{[")
_CLOSING: Final = frozenset(b"}]")
_QUOTE: Final = 0x22
_AFTER_A_VALUE: Final = frozenset({b",", b"}", b" ", b"\n", b"\r", b"\t"})

Member: TypeAlias = tuple[str, int, int, int]
"""One member: its decoded key, where the key starts, where the value starts, where the value ends."""


class NotWellFormed(ValueError):
    """The bytes are no JSON object; whoever asks has decoded them before, so this is a slip of ours."""


def raw_members(body: bytes) -> dict[str, Raw]:
    """The members by key, values undecoded; the last of a repeated key wins.

    Raises:
        msgspec.DecodeError, RecursionError: not a JSON object.
    """
    return _RAW_MEMBERS.decode(body)


def begins(raw: Raw, mark: bytes) -> bool:
    """Whether a value starts with this byte: `{`, `[` and `"` tell its kind."""
    return bytes(memoryview(raw)[:1]) == mark


def is_plain_layout(body: bytes, members: dict[str, Raw]) -> bool:
    """Whether the body is just its distinct members in one of the two usual layouts: then no key is repeated.

    Compact: as long as the members without a space, which a repeated key, a space or an escape would only lengthen.
    Spaced as Python's `json` does it: the same bytes as the members written so.
    """
    count = len(members)
    # Each key has two quotes and a colon, all but one member a comma, the object two braces.
    compact = sum(map(len, members)) + sum(map(len, members.values())) + 4 * count + (1 if count else 2)
    if len(body) == compact:
        return True
    return len(body) == compact + 2 * count - 1 and body == _spaced(members)


def _spaced(members: dict[str, Raw]) -> bytes:
    return b"{%b}" % b", ".join([b'"%b": %b' % (key.encode(), raw) for key, raw in members.items()])


def walk(body: bytes, members: dict[str, Raw]) -> Iterator[Member]:
    """Every member of the object in `body` in its order, repeated keys each time; `members` are its `raw_members`.

    A value's end is known from its decoded length, so that nothing nested is looked at. Only where a key is
    repeated with another value is it scanned.
    """
    at = open_end(body)
    while (head := _HEAD.match(body, at)) is not None:
        key = _key(head[1])
        start = head.end()
        at = _value_end(body, start, members[key])
        yield key, head.start(1), start, at


def rewritten(body: bytes, members: dict[str, Raw], values: dict[str, bytes], drop: Collection[str]) -> bytes:
    """The body with other values, and without some members, each time they stand in it.

    `members` are its `raw_members`. A member goes with the comma before it; every other byte stays.
    """
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


def open_end(body: bytes) -> int:
    """The place right after the object's opening brace."""
    return _match(_OPEN, body, 0)


def _key(quoted: bytes) -> str:
    if b"\\" in quoted:
        return msgspec.json.decode(quoted, type=str)
    return quoted[1:-1].decode()


def _value_end(body: bytes, start: int, last: Raw) -> int:
    end = start + len(last)
    # A number can be the beginning of another one (1 and 12): what follows must end a value too.
    if body.startswith(memoryview(last), start) and body[end : end + 1] in _AFTER_A_VALUE:
        return end
    return _scanned_end(body, start)


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
