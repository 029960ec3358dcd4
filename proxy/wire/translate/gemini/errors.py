"""Reads Google's errors: what they mean in any dialect (google.rpc codes; field notes on wire errors)."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct, field

from proxy.wire.translate.errors import Kind, kind_of_status, original_of
from proxy.wire.translate.telling import Failure

_KINDS: Final[Mapping[str, Kind]] = {
    "INVALID_ARGUMENT": "invalid",
    "FAILED_PRECONDITION": "invalid",
    "OUT_OF_RANGE": "invalid",
    "UNAUTHENTICATED": "authentication",
    "PERMISSION_DENIED": "permission",
    "NOT_FOUND": "not_found",
    "RESOURCE_EXHAUSTED": "rate_limit",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
    "INTERNAL": "server",
}
_TOO_LONG: Final = "exceeds the maximum number of tokens"


class _Detail(Struct):
    reason: str | None = None


class _Error(Struct):
    message: str = ""
    status: str = ""
    details: list[_Detail] = field(default_factory=list)


class _Body(Struct):
    error: _Error


def read_content_error(body: bytes, status: int = 0) -> Failure:
    """The error that a body, or a chunk of a stream, tells; some come in an array of one."""
    try:
        bare = body.strip()
        error = (msgspec.json.decode(bare, type=list[_Body])[0] if bare[:1] == b"[" else _decoded(bare)).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError):
        return Failure(kind_of_status(status), f"The provider answered with status {status}.", original_of(body))
    return Failure(_kind(error, status), error.message, original_of(body))


def _decoded(body: bytes) -> _Body:
    return msgspec.json.decode(body, type=_Body)


def _kind(error: _Error, status: int) -> Kind:
    if any(detail.reason == "API_KEY_INVALID" for detail in error.details):
        return "authentication"
    if _TOO_LONG in error.message:
        return "context_length"
    return _KINDS.get(error.status) or kind_of_status(status)
