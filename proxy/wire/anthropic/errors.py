"""Refusals as the Anthropic dialect writes them: its type by status, our facts under `details`."""

from typing import Final

import msgspec

from proxy.core.refusal import NEVER_RETRIED, Refusal, Refused

_JSON: Final = (b"content-type", b"application/json")
_DO_NOT_RETRY: Final = (b"x-should-retry", b"false")
_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
"""Anthropic's API reference, Errors."""


def error_type(refused: Refused) -> str:
    """The dialect's word for a refusal."""
    if refused.why is Refusal.BUDGET_EXCEEDED:
        return "billing_error"
    return _TYPES.get(refused.status, "invalid_request_error" if refused.status < 500 else "api_error")


def error_body(refused: Refused, operation: str | None) -> bytes:
    """The body of a refusal: the dialect's members, and ours in `details`."""
    return msgspec.json.encode(error_value(refused, operation))


def error_value(refused: Refused, operation: str | None) -> dict[str, object]:
    """What the body of a refusal says."""
    facts = dict(refused.facts) if operation is None else {"operation": operation, **refused.facts}
    details: dict[str, object] = {"error_code": refused.why.code, "flyball": facts}
    if refused.param is not None:
        details["param"] = refused.param
    error = {"type": error_type(refused), "message": refused.message, "details": details}
    return {"type": "error", "error": error, "request_id": operation}


def error_headers(refused: Refused) -> list[tuple[bytes, bytes]]:
    """The headers that go with it; a refusal that a repeat would meet again says so and names no time."""
    if refused.why in NEVER_RETRIED:
        return [_JSON, _DO_NOT_RETRY]
    if refused.retry_after_s is None:
        return [_JSON]
    return [_JSON, (b"retry-after", str(refused.retry_after_s).encode())]
