"""What is read of a stream's events and of a whole message: only what decides usage, price or an outcome.

Sources: Anthropic's API reference (Messages, streaming) and recorded streams.
"""

from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct

ABSENT: Final = Raw(b"")


class Block(Struct, gc=False):
    """A block of content, whole or as it begins; `input` is a call's."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    name: str | None = None
    input: Raw = ABSENT


class Message(Struct, gc=False):
    """A message, whole or as it begins; or an error in its place."""

    type: str | None = None
    model: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT


class Delta(Struct, gc=False):
    """What an event adds to a block, or tells at the end of the message."""

    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class Event(Struct, gc=False):
    """One event of a stream."""

    type: str | None = None
    index: int | None = None
    message: Message | None = None
    content_block: Block | None = None
    delta: Delta | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT


_EVENT: Final = msgspec.json.Decoder(Event)
_MESSAGE: Final = msgspec.json.Decoder(Message)
_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])
_NULL: Final = b"null"
_PARTS: Final[dict[str, type[Struct]]] = {"message": Message, "delta": Delta, "content_block": Block}

Shape = TypeVar("Shape", bound=Struct)


def read_event(data: bytes) -> Event | None:
    """An event, or what of it has the right type; None when it is no JSON object."""
    try:
        return _EVENT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _salvaged(data, Event)


def read_message(data: bytes) -> Message | None:
    """A whole message, or what of it has the right type; None when it is no JSON object."""
    try:
        return _MESSAGE.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _salvaged(data, Message)


def merged_usage(before: bytes | None, told: Raw, *, is_begun: bool) -> bytes | None:
    """A stream's usage so far: of each field its last value that is not null.

    `is_begun`: it is told with the message's beginning, where the output is a placeholder of a token or a few: that is
    left out, so that a stream that goes no further is not billed by it.
    """
    members = members_of(bytes(told))
    if members is None:
        return before
    if is_begun:
        members.pop("output_tokens", None)
    merged = (members_of(before) if before is not None else None) or {}
    merged.update({name: value for name, value in members.items() if bytes(value) != _NULL})
    return msgspec.json.encode(merged) if merged else before


def members_of(data: bytes) -> dict[str, Raw] | None:
    """The members of a JSON object, undecoded; None for anything else."""
    try:
        return _RAW_MEMBERS.decode(data) if data else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def pieces_of(block: Block) -> Iterator[str]:
    """Every piece of output in a block."""
    for text in (block.text, block.thinking, block.name):
        if text:
            yield text
    if len(block.input) > len(b"{}"):
        yield bytes(block.input).decode("utf-8", "replace")


def _salvaged(data: bytes, shape: type[Shape]) -> Shape | None:
    """The members that can be read of an object that is not as declared.

    Usage must not be lost for a provider's oddity elsewhere: half of a surrogate pair, a number for a text.
    """
    members = members_of(data.decode("utf-8", "replace").encode())
    if members is None:
        return None
    found = shape()
    for told in msgspec.structs.fields(shape):
        raw = members.get(told.name)
        if raw is None:
            continue
        try:
            setattr(found, told.name, msgspec.json.decode(raw, type=told.type))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if told.name in _PARTS:
                setattr(found, told.name, _salvaged(bytes(raw), _PARTS[told.name]))
    return found
