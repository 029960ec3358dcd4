"""Texts of a request's body by their bytes, so that they can be read and changed in place."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

_ESCAPE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]+", re.DOTALL
)
"""A character that is written as an escape, or a row of others."""


class Text(NamedTuple):
    """A text of message `number`: its bytes from `start` to `end` are a JSON string."""

    role: str
    number: int
    start: int
    end: int


class Texts(NamedTuple):
    """All texts of a body in their order; `unread` counts the parts that are none: images, files, token ids."""

    parts: tuple[Text, ...]
    unread: int


def said(body: bytes, text: Text) -> str:
    """What a text says."""
    return msgspec.json.decode(memoryview(body)[text.start : text.end], type=str)


def with_texts(body: bytes, changes: Iterable[tuple[Text, Sequence[tuple[int, int, str]]]]) -> bytes:
    """The body with other words in place of parts of its texts, told by their characters; every other byte stays.

    The words must need no escape in JSON.
    """
    pieces: list[bytes] = []
    at = 0
    for text, edits in sorted(changes, key=lambda change: change[0].start):
        first = text.start + 1
        wanted = [place for start, end, _ in edits for place in (start, end)]
        places = _bytes_of(body[first : text.end - 1], wanted)
        for (_, _, words), start, end in zip(edits, places[::2], places[1::2], strict=True):
            pieces += (body[at : first + start], words.encode())
            at = first + end
    return b"".join([*pieces, body[at:]])


def _bytes_of(raw: bytes, wanted: Sequence[int]) -> list[int]:
    """Where so many characters of a JSON string end in its bytes; `wanted` is in order."""
    if raw.isascii() and b"\\" not in raw:
        return list(wanted)
    places: list[int] = []
    chars = 0
    for found in _ESCAPE.finditer(raw):
        piece = found[0]
        text = "\\" if piece[:1] == b"\\" else piece.decode()
        while len(places) < len(wanted) and wanted[len(places)] < chars + len(text):
            places.append(found.start() + len(text[: wanted[len(places)] - chars].encode()))
        chars += len(text)
    return places + [len(raw)] * (len(wanted) - len(places))
