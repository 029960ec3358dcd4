"""Reads Bedrock's errors: what they mean in any dialect (field notes on wire errors)."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from proxy.wire.translate.errors import Kind, kind_of_status, original_of
from proxy.wire.translate.telling import Failure

_KINDS: Final[Mapping[str, Kind]] = {
    "validationexception": "invalid",
    "accessdeniedexception": "permission",
    "resourcenotfoundexception": "not_found",
    "throttlingexception": "rate_limit",
    "servicequotaexceededexception": "quota",
    "modelnotreadyexception": "overloaded",
    "serviceunavailableexception": "overloaded",
    "modeltimeoutexception": "timeout",
    "modelstreamerrorexception": "server",
    "internalserverexception": "server",
}
_TOO_LONG: Final = ("input is too long", "prompt is too long")


class _Body(Struct):
    message: str = ""
    Message: str = ""


def read_converse_error(body: bytes, status: int = 0) -> Failure:
    """The error that an answer is."""
    return _read(body, kind_of_status(status), f"The provider answered with status {status}.")


def read_exception(payload: bytes, name: str) -> Failure:
    """The error that ends a stream."""
    return _read(payload, _KINDS.get(name.lower(), "server"), f"The provider ended its answer with {name}.")


def _read(body: bytes, kind: Kind, otherwise: str) -> Failure:
    try:
        told = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Failure(kind, otherwise, original_of(body))
    message = told.message or told.Message or otherwise
    too_long = kind == "invalid" and any(words in message.lower() for words in _TOO_LONG)
    return Failure("context_length" if too_long else kind, message, original_of(body))
