"""A provider's error as the Messages API tells it, with the provider's own beside it."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.translate.telling import Failure, Kind

_TYPES: Final[Mapping[Kind, str]] = {
    "invalid": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "quota": "billing_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "context_length": "invalid_request_error",
    "content_filter": "invalid_request_error",
    "server": "api_error",
}
_TOO_LONG: Final = "prompt is too long"
"""Words by which clients of Anthropic's know that they must shorten a conversation."""


def messages_error(failure: Failure) -> bytes:
    """The body of an error; `original` is the provider's own."""
    message = failure.message
    if failure.kind == "context_length" and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"
    error: dict[str, object] = {"type": _TYPES[failure.kind], "message": message}
    if failure.original:
        error["original"] = Raw(failure.original)
    return msgspec.json.encode({"type": "error", "error": error})
