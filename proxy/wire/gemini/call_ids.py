"""A Gemini request's body without the ids of tool calls in its history: a model makes them up anew each time."""

from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.texts_at import said_by, texts_at

_CALLS: Final = ("functionCall", "function_call", "functionResponse", "function_response")
_PATHS: Final = frozenset(("contents", None, "parts", None, call, "id") for call in _CALLS)


def without_call_ids(endpoint: Endpoint, body: bytes) -> bytes:
    """The body with each tool call's id replaced by a number in the order of their first appearance.

    Every other byte stays as the client wrote it, so that two bodies are one only where they say the same.
    """
    numbers: dict[str, int] = {}
    pieces, at = [], 0
    for text in texts_at(body, _PATHS):
        name = said_by(body[text.start : text.end])
        pieces += [body[at : text.start], b'"#%d"' % numbers.setdefault(name, len(numbers))]
        at = text.end
    return b"".join([*pieces, body[at:]])
