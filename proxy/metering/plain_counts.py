"""Usage of providers that tell plain counts, input and output apart, with nothing inside of another."""

from collections.abc import Mapping
from typing import Any

import msgspec

from proxy.core.usage import Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering.raw_usage import MOST


def fields_of(raw_usage: bytes) -> Mapping[str, Any] | None:
    """The members of a usage object (JSON); None where it is none."""
    try:
        told: Any = msgspec.json.decode(raw_usage)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def usage_of(
    counted: Mapping[str, Any], buckets: Mapping[str, Bucket], tool_calls: Mapping[ToolFee, int] | None
) -> Usage:
    """The counts by bucket; contradictions are flagged, never raised. The source is `none` when none can be told."""
    flaws: list[Flaw] = []
    tokens = {
        bucket: count for name, bucket in buckets.items() if (count := _count(counted.get(name), flaws)) is not None
    }
    calls = dict(tool_calls or {})
    if not tokens:
        return Usage(tool_calls=calls, flaws=tuple(flaws))
    return Usage(tokens=tokens, tool_calls=calls, source=UsageSource.PROVIDER, flaws=tuple(flaws))


def _count(told: object, flaws: list[Flaw]) -> int | None:
    """A count that is believable, or None; a negative one becomes 0. Some write whole numbers as 12.0."""
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, int | float) or not told <= MOST or told != int(told):
        flaws.append(Flaw.NOT_A_NUMBER)
        return None
    if told < 0:
        flaws.append(Flaw.NEGATIVE)
        return 0
    return int(told)
