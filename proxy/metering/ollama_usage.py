"""From the counts that Ollama tells to buckets: `prompt_eval_count` and `eval_count` (docs/api.md of Ollama 0.12).

The first is missing where all of the prompt was cached; what it makes is told in the last line only.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from proxy.core.usage import Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering.raw_usage import MOST

_BUCKETS: Final[Mapping[str, Bucket]] = {"prompt_eval_count": Bucket.INPUT, "eval_count": Bucket.OUTPUT}


def normalise_ollama(raw_usage: bytes, *, tool_calls: Mapping[ToolFee, int] | None = None) -> Usage:
    """Disjoint buckets of the counts (JSON); contradictions are flagged, never raised.

    The source is `none` when neither input nor output can be told from it.
    """
    flaws: list[Flaw] = []
    try:
        told: Any = msgspec.json.decode(raw_usage)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        told = None
    fields: Mapping[str, Any] = told if isinstance(told, dict) else {}
    tokens: dict[Bucket, int] = {}
    for name, bucket in _BUCKETS.items():
        count = fields.get(name)
        if count is None:
            continue
        if isinstance(count, bool) or not isinstance(count, int) or count > MOST:
            flaws.append(Flaw.NOT_A_NUMBER)
            continue
        if count < 0:
            flaws.append(Flaw.NEGATIVE)
        tokens[bucket] = max(0, count)
    calls = dict(tool_calls or {})
    if not tokens:
        return Usage(tool_calls=calls, flaws=tuple(flaws))
    return Usage(tokens=tokens, tool_calls=calls, source=UsageSource.PROVIDER, flaws=tuple(flaws))
