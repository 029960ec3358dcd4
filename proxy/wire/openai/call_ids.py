"""A request's body without the ids of tool calls in its history: a model makes them up anew each time it is asked.

Every other byte stays as the client wrote it, so that two bodies are one only where they say the same in the same way.
"""

from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.texts_at import PlacedText, said_by, texts_at

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
        value = said_by(body[text.start : text.end])
        pieces += [body[at : text.start], b'"#%d"' % numbers.setdefault(value, len(numbers))]
        at = text.end
    pieces.append(body[at:])
    return b"".join(pieces)


def _ids(body: bytes, paths: frozenset[tuple[str | None, ...]]) -> list[PlacedText]:
    found, calls = [], set[int]()
    for text in texts_at(body, paths | {_TYPE_OF_ITEM}, _ITEM):
        if text.path == _TYPE_OF_ITEM:
            if _is_call(body[text.start : text.end]):
                calls.add(text.item)
        else:
            found.append(text)
    # An item's own id may name something that the provider keeps; only a call's is made up.
    return [text for text in found if text.path != _RESPONSE_ITEM or text.item in calls]


def _is_call(quoted: bytes) -> bool:
    return said_by(quoted).endswith(("_call", "_call_output"))
