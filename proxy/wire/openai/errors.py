"""Refusals as the OpenAI dialect writes them (DESIGN §3)."""

from typing import Final

import msgspec

from proxy.core.refusal import NEVER_RETRIED, Refused

_JSON: Final = (b"content-type", b"application/json")
_DO_NOT_RETRY: Final = (b"x-should-retry", b"false")


def error_body(refused: Refused, operation: str | None) -> bytes:
    """The body of a refusal: the dialect's four keys, and ours in one object beside them."""
    facts = dict(refused.facts) if operation is None else {"operation": operation, **refused.facts}
    error = {
        "message": refused.message,
        "type": refused.why.error_type,
        "param": refused.param,
        "code": refused.why.code,
        "flyball": facts,
    }
    return msgspec.json.encode({"error": error})


def error_headers(refused: Refused) -> list[tuple[bytes, bytes]]:
    """The headers that go with it; a refusal that a repeat would meet again says so and names no time."""
    if refused.why in NEVER_RETRIED:
        return [_JSON, _DO_NOT_RETRY]
    if refused.retry_after_s is None:
        return [_JSON]
    return [_JSON, (b"retry-after", str(refused.retry_after_s).encode())]
