"""Whose usage object it is: each dialect's providers tell theirs in their own words."""

from collections.abc import Mapping

from proxy.core.usage import ToolFee, Usage
from proxy.metering.anthropic_usage import normalise_anthropic
from proxy.metering.bedrock_usage import normalise_bedrock
from proxy.metering.cohere_usage import normalise_cohere
from proxy.metering.gemini_usage import normalise_gemini
from proxy.metering.ollama_usage import normalise_ollama
from proxy.metering.usage import normalise
from proxy.wire.endpoint import Endpoint
from proxy.wire.profile import Arithmetic


def usage_told(
    dialect: str,
    raw_usage: bytes,
    *,
    arithmetic: Arithmetic,
    endpoint: Endpoint,
    service_tier: str | None,
    tool_calls: Mapping[ToolFee, int],
) -> Usage:
    """Disjoint buckets of a usage object that a provider of this dialect has told; see `normalise`."""
    if dialect == "anthropic":
        return normalise_anthropic(raw_usage)
    if dialect == "gemini":
        return normalise_gemini(raw_usage, service_tier=service_tier, tool_calls=tool_calls)
    if dialect == "cohere":
        return normalise_cohere(raw_usage, tool_calls=tool_calls)
    if dialect == "ollama":
        return normalise_ollama(raw_usage, tool_calls=tool_calls)
    if dialect == "bedrock":
        return normalise_bedrock(raw_usage, service_tier=service_tier, tool_calls=tool_calls)
    return normalise(
        raw_usage, arithmetic=arithmetic, endpoint=endpoint, service_tier=service_tier, tool_calls=tool_calls
    )
