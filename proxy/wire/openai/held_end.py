"""Where a stream of the OpenAI dialect tells how it ended."""

from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.held_end import MOST_BYTES, HeldEnd
from proxy.wire.openai.events import read_chunk, read_event
from proxy.wire.sse import data_of, name_of

_DONE: Final = b"[DONE]"
_LAST: Final = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


def held_end(endpoint: Endpoint, most_bytes: int = MOST_BYTES) -> HeldEnd:
    """What keeps the end of one stream back."""
    if endpoint.is_media:
        return HeldEnd(_ends_media, most_bytes=most_bytes)
    return HeldEnd(_ends_response if endpoint is Endpoint.RESPONSES else _ends_choice, most_bytes=most_bytes)


def _ends_media(event: bytes) -> bool:
    told = read_event(data_of(event) or b"")
    return told is not None and (told.type or "").endswith((".completed", ".done"))


def _ends_response(event: bytes) -> bool:
    data = data_of(event)
    if data is None:
        return False
    told = read_event(data)
    kind = (told.type if told is not None else None) or (name_of(event) or b"").decode("utf-8", "replace")
    return kind in _LAST or data.strip() == _DONE


def _ends_choice(event: bytes) -> bool:
    data = data_of(event)
    if data is None:
        return False
    if data.strip() == _DONE:
        return True
    chunk = read_chunk(data)
    return chunk is not None and any(choice.finish_reason for choice in chunk.choices or ())
