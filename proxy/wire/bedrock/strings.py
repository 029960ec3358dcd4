"""Where in a JSON body its strings stand: each by the path of members that leads to it, and by its bytes."""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Members by their names, places in lists by their number."""
_TOKEN: Final = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|([{}\[\]:,])|[^ \t\n\r{}\[\]:,"]+', re.DOTALL)


class Found(NamedTuple):
    """A string that is a value: its path, and the bytes from quote to quote."""

    path: Path
    start: int
    end: int


class _Level:
    __slots__ = ("at", "is_list")

    def __init__(self, *, is_list: bool) -> None:
        self.is_list = is_list
        self.at: str | int = 0 if is_list else ""


def strings_in(body: bytes) -> Iterator[Found]:
    """Every string that stands as a value, in order; of a member that stands twice both."""
    levels: list[_Level] = []
    awaits_value = True
    for match in _TOKEN.finditer(body):
        quoted, mark = match[1], match[2]
        if quoted is not None and awaits_value:
            yield Found(tuple(level.at for level in levels), match.start(), match.end())
        elif quoted is not None:
            levels[-1].at = text_of(quoted)
        elif mark in (b"{", b"["):
            levels.append(_Level(is_list=mark == b"["))
            awaits_value = mark == b"["
        elif mark in (b"}", b"]"):
            levels.pop()
        elif mark == b":":
            awaits_value = True
        elif mark == b",":
            level = levels[-1]
            awaits_value = level.is_list
            if isinstance(level.at, int):
                level.at += 1


def text_of(quoted: bytes) -> str:
    """What a string says; one that is not well formed stands for itself."""
    if b"\\" not in quoted:
        return quoted[1:-1].decode("utf-8", "surrogateescape")
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted.decode("latin-1")
