"""A provider's error as chat completions tell it, with the provider's own beside it."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.translate.telling import Failure

_TYPES: Final[Mapping[str, tuple[str, str | None]]] = {
    "invalid": ("invalid_request_error", None),
    "authentication": ("authentication_error", "invalid_api_key"),
    "permission": ("permission_error", None),
    "not_found": ("invalid_request_error", "model_not_found"),
    "too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "quota": ("insufficient_quota", "insufficient_quota"),
    "overloaded": ("server_error", "server_is_overloaded"),
    "timeout": ("server_error", "timeout"),
    "context_length": ("invalid_request_error", "context_length_exceeded"),
    "content_filter": ("invalid_request_error", "content_filter"),
    "server": ("server_error", None),
}
"""`type` and `code` by what an error means (OpenAI's guide to error codes)."""


def chat_error(failure: Failure) -> bytes:
    """The body of an error; `original` is the provider's own."""
    kind, code = _TYPES[failure.kind]
    error: dict[str, object] = {"message": failure.message, "type": kind, "param": None, "code": code}
    if failure.original:
        error["original"] = Raw(failure.original)
    return msgspec.json.encode({"error": error})
