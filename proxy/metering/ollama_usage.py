"""From the counts that Ollama tells to buckets: `prompt_eval_count` and `eval_count` (docs/api.md of Ollama 0.12).

The first is missing where all of the prompt was cached; what it makes is told in the last line only.
"""

from collections.abc import Mapping
from typing import Final

from proxy.core.usage import Bucket, ToolFee, Usage
from proxy.metering.plain_counts import fields_of, usage_of

_BUCKETS: Final[Mapping[str, Bucket]] = {"prompt_eval_count": Bucket.INPUT, "eval_count": Bucket.OUTPUT}


def normalise_ollama(raw_usage: bytes, *, tool_calls: Mapping[ToolFee, int] | None = None) -> Usage:
    """Disjoint buckets of the counts (JSON); contradictions are flagged, never raised.

    The source is `none` when neither input nor output can be told from it.
    """
    return usage_of(fields_of(raw_usage) or {}, _BUCKETS, tool_calls)
