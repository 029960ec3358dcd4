"""From the usage that Cohere tells to buckets: `billed_units` is what is charged, `tokens` what was counted.

What its own instructions add to a prompt is in `tokens` and not billed. Source: Cohere's API reference, "Usage".
"""

from collections.abc import Mapping
from typing import Any, Final

from proxy.core.usage import Bucket, Flaw, ToolFee, Usage
from proxy.metering.plain_counts import fields_of, usage_of

_BUCKETS: Final[Mapping[str, Bucket]] = {"input_tokens": Bucket.INPUT, "output_tokens": Bucket.OUTPUT}


def normalise_cohere(raw_usage: bytes, *, tool_calls: Mapping[ToolFee, int] | None = None) -> Usage:
    """Disjoint buckets of a usage object (JSON); contradictions are flagged, never raised.

    The source is `none` when neither input nor output can be told from it.
    """
    fields = fields_of(raw_usage)
    if not fields:
        return Usage(tool_calls=dict(tool_calls or {}), flaws=(Flaw.NOT_A_NUMBER,))
    nothing: Mapping[str, Any] = {}
    told = (fields[name] for name in ("billed_units", "tokens") if isinstance(fields.get(name), dict))
    return usage_of(next(told, nothing), _BUCKETS, tool_calls)
