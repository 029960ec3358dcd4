"""Members of Google's JSON: each may be written in camelCase or in the snake_case of its definition.

A member written in both ways could be governed by one and obeyed by the other, so that is refused.
Source: protobuf's JSON mapping, which takes both names of a field.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NoReturn, TypeAlias

import msgspec
from msgspec import Raw

from proxy.core.refusal import Refusal, Refused
from proxy.wire.members import begins, is_plain_layout, raw_members, walk

Json: TypeAlias = Any
_NULL: Final = b"null"


def camel(name: str) -> str:
    """A member's name in camelCase."""
    if "_" not in name:
        return name
    head, *rest = name.split("_")
    return head + "".join([part[:1].upper() + part[1:] for part in rest])


class Members:
    """The members of one JSON object by their camelCase names, their values undecoded; null is as good as absent."""

    __slots__ = ("body", "raw", "written")

    def __init__(self, body: bytes) -> None:
        """
        Raises:
            msgspec.DecodeError, RecursionError: not a JSON object.
        """
        self.body = body
        self.raw = raw_members(body)
        self.written: dict[str, str] = {camel(name): name for name in self.raw}

    def refuse_repeats(self, inside: str = "") -> None:
        """
        Raises:
            Refused: INVALID_REQUEST, where a member stands twice, in one way of writing or in two.
        """
        if len(self.written) == len(self.raw) and is_plain_layout(self.body, self.raw):
            return
        seen: set[str] = set()
        for key, _, _, _ in walk(self.body, self.raw):
            name = camel(key)
            if name in seen:
                invalid(f"`{inside}{name}` is given twice; give it once", inside + name)
            seen.add(name)

    def get(self, name: str) -> Raw | None:
        """A member's value by its camelCase name; None where it is absent or null."""
        written = self.written.get(name)
        if written is None:
            return None
        value = self.raw[written]
        return None if bytes(value) == _NULL else value

    def object(self, name: str) -> "Members | None":
        """A member that is an object; None for anything else."""
        value = self.get(name)
        return Members(bytes(value)) if value is not None and begins(value, b"{") else None

    def with_value(self, name: str, value: bytes) -> bytes:
        """The object's bytes with another value of one member; a new member is put first."""
        written = self.written.get(name)
        if written is None:
            at = self.body.index(b"{") + 1
            comma = b"," if self.raw else b""
            return b'%b"%b":%b%b%b' % (self.body[:at], name.encode(), value, comma, self.body[at:])
        for key, _, start, end in walk(self.body, self.raw):
            if key == written:
                return self.body[:start] + value + self.body[end:]
        raise RuntimeError("a member is lost between two looks at it")

    def without(self, names: Iterable[str]) -> bytes:
        """The object's bytes without some members; each goes with the comma before it."""
        dropped = {self.written[name] for name in names if name in self.written}
        spans = list(walk(self.body, self.raw))
        if not dropped or not spans:
            return self.body
        pieces, last = [self.body[: spans[0][1]]], spans[0][1]
        for key, key_start, _, end in spans:
            if key not in dropped:
                if len(pieces) > 1:
                    pieces.append(self.body[last:key_start])
                pieces.append(self.body[key_start:end])
            last = end
        return b"".join([*pieces, self.body[last:]])


def fields(value: Json) -> Mapping[str, Json]:
    """A decoded object by its camelCase names; empty for anything else."""
    return {camel(name): each for name, each in value.items()} if isinstance(value, dict) else {}


def objects(value: Json) -> Iterator[Mapping[str, Json]]:
    """The objects of a decoded list, or the one object that stands in its place, by their camelCase names."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            yield fields(each)


def text(value: Json) -> str:
    """A decoded text; empty for anything else."""
    return value if isinstance(value, str) else ""


def decoded(raw: Raw) -> Json:
    """A value decoded; None where it cannot be."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def invalid(message: str, param: str | None = None) -> NoReturn:
    """
    Raises:
        Refused: INVALID_REQUEST.
    """
    raise Refused(Refusal.INVALID_REQUEST, message, param=param)
