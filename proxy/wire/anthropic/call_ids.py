"""A request's body without the ids of tool calls in its history: a model makes them up anew each time it is asked."""

from proxy.wire.anthropic.strings import Found, decoded, strings_in
from proxy.wire.endpoint import Endpoint


def without_call_ids(endpoint: Endpoint, body: bytes) -> bytes:
    """The body with each tool call's id replaced by a number in the order of their first appearance.

    `body` is a JSON object. Every other byte stays, so that two bodies are one only where they say the same in the
    same way.
    """
    numbers: dict[str, int] = {}
    pieces, at = [], 0
    for found in list(strings_in(body, "messages")):
        if _is_id(found):
            number = numbers.setdefault(decoded(body, found.start, found.end), len(numbers))
            pieces += [body[at : found.start], b'"#%d"' % number]
            at = found.end
    return b"".join([*pieces, body[at:]])


def _is_id(found: Found) -> bool:
    if found.place.is_free:
        return False
    return (found.key == "id" and found.place.type == "tool_use") or found.key == "tool_use_id"
