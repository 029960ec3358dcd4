"""One event of a simulated stream, and how the shapes are made into bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

encode: Final = msgspec.json.Encoder().encode

DONE: Final = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """Bytes of one server-sent event and how many tokens of output it took to make it."""

    data: bytes
    tokens: int = 0


def data_event(payload: Mapping[str, object], tokens: int = 0) -> Event:
    """An event without a name, as chat completions sends them."""
    return Event(b"data: " + encode(payload) + b"\n\n", tokens)


def named_event(payload: Mapping[str, object], tokens: int = 0) -> Event:
    """An event named by its payload's type, as the responses endpoint sends them."""
    return Event(b"event: " + str(payload["type"]).encode() + b"\ndata: " + encode(payload) + b"\n\n", tokens)
