"""A request's body without the ids of tool calls in its history: a model makes them up anew each time it is asked.

Every other byte stays as the client wrote it, so that two bodies are one only where they say the same in the same way.
"""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from proxy.wire.endpoint import Endpoint

_TOKEN: Final = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|([{}\[\]:,])|[^ \t\n\r{}\[\]:,"]+', re.DOTALL)
_CHAT_CALL: Final = ("messages", None, "tool_calls", None, "id")
_CHAT_RESULT: Final = ("messages", None, "tool_call_id")
_RESPONSE_CALL: Final = ("input", None, "call_id")
_RESPONSE_ITEM: Final = ("input", None, "id")
_PATHS: Final = {
    Endpoint.CHAT: frozenset({_CHAT_CALL, _CHAT_RESULT}),
    Endpoint.RESPONSES: frozenset({_RESPONSE_CALL, _RESPONSE_ITEM}),
}
_TYPE_OF_ITEM: Final = ("input", None, "type")
_ITEM: Final = ("input", None)


class _Text(NamedTuple):
    """A text that stands as a value: under which path, and where in the bytes."""

    path: tuple[str | None, ...]
    start: int
    end: int
    item: int


def without_call_ids(endpoint: Endpoint, body: bytes) -> bytes:
    """The body with each tool call's id replaced by a number in the order of their first appearance.

    `body` is a JSON object. An id that is no text is left as it is.
    """
    paths = _PATHS.get(endpoint)
    if paths is None:
        return body
    ids = _ids(body, paths)
    if not ids:
        return body
    numbers: dict[str, int] = {}
    pieces, at = [], 0
    for text in ids:
        value = _said(body[text.start : text.end])
        pieces += [body[at : text.start], b'"#%d"' % numbers.setdefault(value, len(numbers))]
        at = text.end
    pieces.append(body[at:])
    return b"".join(pieces)


def _ids(body: bytes, paths: frozenset[tuple[str | None, ...]]) -> list[_Text]:
    found, calls = [], set[int]()
    for text in _texts(body, paths | {_TYPE_OF_ITEM}):
        if text.path == _TYPE_OF_ITEM:
            if _is_call(body[text.start : text.end]):
                calls.add(text.item)
        else:
            found.append(text)
    # An item's own id may name something that the provider keeps; only a call's is made up.
    return [text for text in found if text.path != _RESPONSE_ITEM or text.item in calls]


def _is_call(quoted: bytes) -> bool:
    return _said(quoted).endswith(("_call", "_call_output"))


def _texts(body: bytes, paths: frozenset[tuple[str | None, ...]]) -> Iterator[_Text]:
    """The texts that stand as values at one of these paths; None in a path is any place in a list."""
    path: list[str | None] = []
    in_list: list[bool] = []
    key, awaits_value, item = "", False, 0
    for match in _TOKEN.finditer(body):
        quoted, mark = match[1], match[2]
        if mark is not None:
            if mark in (b"{", b"["):
                if in_list:
                    path.append(None if in_list[-1] else key)
                    item += tuple(path) == _ITEM
                in_list.append(mark == b"[")
                awaits_value = in_list[-1]
            elif mark in (b"}", b"]"):
                in_list.pop()
                if in_list:
                    path.pop()
            else:
                awaits_value = mark == b":" or in_list[-1]
        elif quoted is not None and not awaits_value:
            key = _said(quoted)
        elif quoted is not None:
            here = (*path, None if in_list[-1] else key)
            if here in paths:
                yield _Text(here, match.start(), match.end(), item)


def _said(quoted: bytes) -> str:
    """What a text says; one that is not well formed stands for itself."""
    if b"\\" not in quoted:
        return quoted[1:-1].decode("utf-8", "surrogateescape")
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted.decode("latin-1")
