"""Refusals as Google's APIs write them (google.rpc.Status in JSON); our facts are one of its details."""

from typing import Final

import msgspec

from proxy.core.refusal import NEVER_RETRIED, Refused

_JSON: Final = (b"content-type", b"application/json; charset=UTF-8")
_DO_NOT_RETRY: Final = (b"x-should-retry", b"false")
_TYPE: Final = "type.googleapis.com/"
_STATUS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    413: "INVALID_ARGUMENT",
    421: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_body(refused: Refused, operation: str | None) -> bytes:
    """The body of a refusal: code, message and status; the reason as ErrorInfo, our facts as a Struct."""
    facts = dict(refused.facts) if operation is None else {"operation": operation, **refused.facts}
    metadata = {"code": refused.why.code}
    if operation is not None:
        metadata["operation"] = operation
    if refused.param is not None:
        metadata["param"] = refused.param
    details: list[dict[str, object]] = [
        {
            "@type": f"{_TYPE}google.rpc.ErrorInfo",
            "reason": refused.why.code.upper(),
            "domain": "flyball",
            "metadata": metadata,
        },
        {"@type": f"{_TYPE}google.protobuf.Struct", "value": {"flyball": facts}},
    ]
    if refused.retry_after_s is not None and refused.why not in NEVER_RETRIED:
        details.append({"@type": f"{_TYPE}google.rpc.RetryInfo", "retryDelay": f"{refused.retry_after_s}s"})
    error = {
        "code": refused.status,
        "message": refused.message,
        "status": _STATUS.get(refused.status, "UNKNOWN"),
        "details": details,
    }
    return msgspec.json.encode({"error": error})


def error_headers(refused: Refused) -> list[tuple[bytes, bytes]]:
    """The headers that go with it; a refusal that a repeat would meet again says so and names no time."""
    if refused.why in NEVER_RETRIED:
        return [_JSON, _DO_NOT_RETRY]
    if refused.retry_after_s is None:
        return [_JSON]
    return [_JSON, (b"retry-after", str(refused.retry_after_s).encode())]
