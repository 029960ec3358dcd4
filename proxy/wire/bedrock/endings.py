"""Why an answer ended, in the words of whichever model made it, and the usage that it tells."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from proxy.wire.bedrock.fields import child, objects, text

METRICS: Final = "amazon-bedrock-invocationMetrics"
"""What AWS puts into the last chunk of every invoked stream."""
_REASONS: Final = ("stopReason", "stop_reason", "completionReason", "finish_reason")
_HEADERS: Final = {
    b"x-amzn-bedrock-input-token-count": "inputTokenCount",
    b"x-amzn-bedrock-output-token-count": "outputTokenCount",
    b"x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokenCount",
    b"x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokenCount",
}
_OF_USAGE: Final = ("inputTokens", "outputTokens", "input_tokens", "output_tokens")
TIER_HEADER: Final = b"x-amzn-bedrock-service-tier"


def reason_in(fields: Mapping[str, Any]) -> str | None:
    """Why an answer, or the event that ends one, says it ended."""
    for name in _REASONS:
        if found := text(fields.get(name)):
            return found
    parts = [child(fields, "delta")]
    for name in ("results", "outputs", "choices"):
        parts += objects(fields.get(name))
    return next((text(part.get(name)) for part in parts for name in _REASONS if text(part.get(name))), None)


def usage_in(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The usage object that a body tells, as it is: how long its writes are kept is told nowhere else.

    One in other words than AWS's or Anthropic's is left to the headers, since its numbers nest in other ways.
    """
    usage = fields.get("usage")
    return usage if isinstance(usage, dict) and any(name in usage for name in _OF_USAGE) else None


def usage_of_headers(headers: list[tuple[bytes, bytes]]) -> Mapping[str, int]:
    """What the headers of an invoked answer tell, under the names of the last chunk's metrics."""
    return {_HEADERS[name]: int(value) for name, value in headers if name in _HEADERS and value.isdigit()}


def written(usage: Mapping[str, Any]) -> bytes:
    """A usage object as it is kept."""
    return msgspec.json.encode(usage)
