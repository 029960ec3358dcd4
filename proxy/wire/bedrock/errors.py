"""Refusals as AWS writes them: `{"message"}`, and the error's name in a header."""

from typing import Final

import msgspec

from proxy.core.refusal import NEVER_RETRIED, Refusal, Refused
from proxy.wire.endpoint import Endpoint
from proxy.wire.eventstream import exception_frame

_JSON: Final = (b"content-type", b"application/json")
_TYPE_HEADER: Final = b"x-amzn-errortype"
_DO_NOT_RETRY: Final = (b"x-should-retry", b"false")
_TYPES: Final = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    405: "ValidationException",
    413: "ValidationException",
    429: "ThrottlingException",
    500: "InternalServerException",
}
_HOW_TO_SEND_A_KEY: Final = (
    " A signature made with AWS credentials is no key of Flyball's: send the Flyball key in the header "
    "x-flyball-key, or as a bearer token (AWS_BEARER_TOKEN_BEDROCK, which AWS SDKs send over https only)."
)
_IN_STREAMS: Final = {
    429: "throttlingException",
    500: "internalServerException",
    503: "serviceUnavailableException",
}


def error_body(refused: Refused, operation: str | None) -> bytes:
    """The body of a refusal: AWS's one member, and ours in one object beside it."""
    hint = _HOW_TO_SEND_A_KEY if refused.why is Refusal.INVALID_API_KEY else ""
    return msgspec.json.encode({"message": refused.message + hint, "flyball": _facts(refused, operation)})


def error_headers(refused: Refused) -> list[tuple[bytes, bytes]]:
    """The headers that go with it. Only what a repeat may help is named as AWS SDKs retry it."""
    if refused.why in NEVER_RETRIED:
        # A budget may be answered 429 by setting: its name still says that it is no throttling.
        name = "ServiceQuotaExceededException" if refused.status == 429 else _type(refused)
        return [_JSON, (_TYPE_HEADER, name.encode()), _DO_NOT_RETRY]
    headers = [_JSON, (_TYPE_HEADER, _type(refused).encode())]
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", str(refused.retry_after_s).encode()))
    return headers


def truncated_event(endpoint: Endpoint, operation: str, message: str) -> bytes:
    """The exception for a stream that its provider stopped early."""
    return refused_event(endpoint, operation, Refused(Refusal.UPSTREAM_TRUNCATED, message))


def refused_event(endpoint: Endpoint, operation: str, refused: Refused) -> bytes:
    """A refusal as the exception that ends a stream; AWS SDKs raise it."""
    other = "validationException" if refused.status < 500 else "modelStreamErrorException"
    name = _IN_STREAMS.get(refused.status, other)
    told = {"message": refused.message, "flyball": _facts(refused, operation)}
    return exception_frame(name, msgspec.json.encode(told))


def _facts(refused: Refused, operation: str | None) -> dict[str, object]:
    facts: dict[str, object] = {"code": refused.why.code, "param": refused.param, **refused.facts}
    return facts if operation is None else {"operation": operation, **facts}


def _type(refused: Refused) -> str:
    return _TYPES.get(refused.status, "ServiceUnavailableException")
