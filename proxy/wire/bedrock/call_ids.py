"""A request's body without the ids of tool calls in its history: a model makes them up anew each time it is asked."""

from typing import Final

from proxy.wire.bedrock.strings import strings_in, text_of
from proxy.wire.endpoint import Endpoint

_IDS: Final = frozenset({"toolUseId", "tool_use_id", "tool_call_id"})
_DEEPEST: Final = 6
"""messages, its place, content, its place, toolUse, toolUseId."""


def without_call_ids(endpoint: Endpoint, body: bytes) -> bytes:
    """The body with each tool call's id replaced by a number in the order of their first appearance."""
    numbers: dict[str, int] = {}
    pieces, at = [], 0
    for path, start, end in strings_in(body):
        if path[:1] == ("messages",) and len(path) <= _DEEPEST and path[-1] in _IDS:
            number = numbers.setdefault(text_of(body[start:end]), len(numbers))
            pieces += [body[at:start], b'"#%d"' % number]
            at = end
    return b"".join([*pieces, body[at:]])
