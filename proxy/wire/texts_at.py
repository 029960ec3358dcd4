"""Texts of a JSON body by where they stand: under which members, at any place of a list."""

import json
import re
from collections.abc import Iterator, Set
from typing import Final, NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | None, ...]
"""Members from the body's own on; None is any place in a list."""
_TOKEN: Final = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|([{}\[\]:,])|[^ \t\n\r{}\[\]:,"]+', re.DOTALL)


class PlacedText(NamedTuple):
    """A text that stands as a value: under which path, and where in the bytes; `item` counts openings of `counted`."""

    path: Path
    start: int
    end: int
    item: int


def texts_at(body: bytes, paths: Set[Path], counted: Path = ()) -> Iterator[PlacedText]:
    """The texts that stand as values at one of these paths. `body` is a JSON object."""
    path: list[str | None] = []
    in_list: list[bool] = []
    key, awaits_value, item = "", False, 0
    for match in _TOKEN.finditer(body):
        quoted, mark = match[1], match[2]
        if mark is not None:
            if mark in (b"{", b"["):
                if in_list:
                    path.append(None if in_list[-1] else key)
                    item += tuple(path) == counted
                in_list.append(mark == b"[")
                awaits_value = in_list[-1]
            elif mark in (b"}", b"]"):
                in_list.pop()
                if in_list:
                    path.pop()
            else:
                awaits_value = mark == b":" or in_list[-1]
        elif quoted is not None and not awaits_value:
            key = said_by(quoted)
        elif quoted is not None:
            here = (*path, None if in_list[-1] else key)
            if here in paths:
                yield PlacedText(here, match.start(), match.end(), item)


def said_by(quoted: bytes) -> str:
    """What a text says; one that is not well formed stands for itself."""
    if b"\\" not in quoted:
        return quoted[1:-1].decode("utf-8", "surrogateescape")
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted.decode("latin-1")
