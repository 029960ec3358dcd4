"""From the usage that Cohere tells to buckets: `billed_units` is what is charged, `tokens` what was counted.

What its own instructions add to a prompt is in `tokens` and not billed. Source: Cohere's API reference, "Usage".
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from proxy.core.usage import Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering.raw_usage import MOST

_BUCKETS: Final[Mapping[str, Bucket]] = {"input_tokens": Bucket.INPUT, "output_tokens": Bucket.OUTPUT}


def normalise_cohere(raw_usage: bytes, *, tool_calls: Mapping[ToolFee, int] | None = None) -> Usage:
    """Disjoint buckets of a usage object (JSON); contradictions are flagged, never raised.

    The source is `none` when neither input nor output can be told from it.
    """
    flaws: list[Flaw] = []
    try:
        told: Any = msgspec.json.decode(raw_usage)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        told = None
    fields: Mapping[str, Any] = told if isinstance(told, dict) else {}
    nothing: Mapping[str, Any] = {}
    counted = next((fields[name] for name in ("billed_units", "tokens") if isinstance(fields.get(name), dict)), nothing)
    tokens = {
        bucket: count for name, bucket in _BUCKETS.items() if (count := _count(counted.get(name), flaws)) is not None
    }
    calls = dict(tool_calls or {})
    if not tokens:
        return Usage(tool_calls=calls, flaws=tuple(flaws or [Flaw.NOT_A_NUMBER] if not fields else flaws))
    return Usage(tokens=tokens, tool_calls=calls, source=UsageSource.PROVIDER, flaws=tuple(flaws))


def _count(told: object, flaws: list[Flaw]) -> int | None:
    """A count that is believable, or None; a negative one becomes 0. Cohere writes whole numbers as 12.0."""
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, int | float) or not told <= MOST or told != int(told):
        flaws.append(Flaw.NOT_A_NUMBER)
        return None
    if told < 0:
        flaws.append(Flaw.NEGATIVE)
        return 0
    return int(told)
