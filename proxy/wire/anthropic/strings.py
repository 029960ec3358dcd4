"""Where the strings of a body stand in its bytes, and in which objects: one walk serves looking and changing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from proxy.wire.members import raw_members, walk

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|[^\s"{}\[\],:]+', re.DOTALL)
_QUOTE: Final = 0x22
_OPENS: Final = b"{["
_OBJECT: Final = 0x7B
_FREE: Final = frozenset({"input", "variables"})
"""Objects whose members are called what their author likes, so that their names are no words of the API."""


@dataclass(slots=True, eq=False)
class Place:
    """An object or an array of a body. `key` is of the member under way, `type` and `role` are what it says of itself
    once it has been read whole; `name` is the member of `above` that it stands under.
    """

    is_object: bool
    above: "Place | None" = None
    name: str = ""
    is_free: bool = False
    key: str = ""
    waits: bool = False
    type: str = ""
    role: str = ""

    def within(self) -> Iterator["Place"]:
        """Itself and what it stands in, from the inside out."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.above


@dataclass(slots=True, eq=False)
class Found:
    """A string that stands as a value: its bytes from `start` to `end`, under which `key` of which place."""

    place: Place
    key: str
    start: int
    end: int


def strings_in(body: bytes, member: str) -> Iterator[Found]:
    """The strings in one member of a body, however often it is given; what a place says of itself is known at the end.

    `body` is a JSON object.
    """
    for key, _, start, end in walk(body, raw_members(body)):
        if key == member:
            yield from _Walk(body, member).through(start, end)


def decoded(body: bytes, start: int, end: int) -> str:
    """What a string says."""
    return msgspec.json.decode(memoryview(body)[start:end], type=str)


class _Walk:
    """One walk through a value."""

    def __init__(self, body: bytes, member: str) -> None:
        self._body = body
        self._place = Place(is_object=False, name=member)

    def through(self, start: int, end: int) -> Iterator[Found]:
        body = self._body
        for token in _TOKEN.finditer(body, start, end):
            mark = body[token.start()]
            if mark == _QUOTE:
                found = self._string(token.start(), token.end())
                if found is not None:
                    yield found
            elif mark in _OPENS:
                self._open(mark == _OBJECT)
            elif mark in b"}]":
                self._place = self._place.above or self._place
                self._after_value()
            else:
                self._after_value()

    def _open(self, is_object: bool) -> None:
        above = self._place
        name = above.key if above.is_object else above.name
        is_free = above.is_free or (is_object and above.is_object and name in _FREE)
        self._place = Place(is_object, above, name, is_free, waits=is_object)

    def _string(self, start: int, end: int) -> Found | None:
        place = self._place
        if place.waits:
            place.key, place.waits = decoded(self._body, start, end), False
            return None
        if place.is_object and not place.is_free:
            if place.key == "type":
                place.type = decoded(self._body, start, end)
            elif place.key == "role":
                place.role = decoded(self._body, start, end)
        self._after_value()
        return Found(place, place.key if place.is_object else "", start, end)

    def _after_value(self) -> None:
        if self._place.is_object:
            self._place.waits = True
