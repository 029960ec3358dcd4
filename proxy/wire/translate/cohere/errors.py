"""Reads Cohere's errors: an id and a message; what they mean is told by the status (its API reference, "Errors")."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from proxy.wire.translate.errors import Kind, kind_of_status, original_of
from proxy.wire.translate.telling import Failure

_TOO_LONG: Final = ("too many tokens", "maximum context length", "prompt is too long")
_KINDS: Final[Mapping[int, Kind]] = {498: "content_filter", 499: "server"}


class _Body(Struct):
    message: str = ""


def read_cohere_error(body: bytes, status: int = 0) -> Failure:
    """The error that an answer is."""
    kind = _KINDS.get(status) or kind_of_status(status)
    try:
        message = msgspec.json.decode(body, type=_Body).message
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = ""
    if kind == "invalid" and any(words in message.lower() for words in _TOO_LONG):
        kind = "context_length"
    return Failure(kind, message or f"The provider answered with status {status}.", original_of(body))
