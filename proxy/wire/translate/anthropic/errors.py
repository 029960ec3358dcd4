"""Reads Anthropic's errors: what they mean in any dialect (field notes on wire errors; API reference, Errors)."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from proxy.wire.translate.errors import Kind, kind_of_status, original_of
from proxy.wire.translate.telling import Failure

_KINDS: Final[Mapping[str, Kind]] = {
    "invalid_request_error": "invalid",
    "authentication_error": "authentication",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "rate_limit_error": "rate_limit",
    "billing_error": "quota",
    "overloaded_error": "overloaded",
    "timeout_error": "timeout",
    "api_error": "server",
}
_SPENT: Final = frozenset(
    {
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "ramp_limit_exceeded",
        "linked_organization_spend_limit_reached",
        "organization_on_hold",
    }
)
_TOO_LONG: Final = ("prompt is too long", "exceed context limit")
_LIMITED: Final = "you have reached your specified api usage limits"


class _Details(Struct):
    error_code: str | None = None


class _Error(Struct):
    type: str = ""
    message: str = ""
    details: _Details | None = None


class _Body(Struct):
    error: _Error


def read_error(body: bytes, status: int = 0) -> Failure:
    """The error that a body, or an event of a stream, tells."""
    try:
        error = msgspec.json.decode(body, type=_Body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Failure(kind_of_status(status), f"The provider answered with status {status}.", original_of(body))
    return Failure(_kind(error, status), error.message, original_of(body))


def _kind(error: _Error, status: int) -> Kind:
    message = error.message.lower()
    if error.details is not None and error.details.error_code in _SPENT:
        return "quota"
    if _LIMITED in message:
        return "quota"
    if any(words in message for words in _TOO_LONG):
        return "context_length"
    return _KINDS.get(error.type) or kind_of_status(status)
