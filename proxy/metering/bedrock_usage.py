"""From the usage that AWS Bedrock tells to disjoint buckets, whichever of its words it is told in.

- Converse and Nova: `inputTokens`, `outputTokens`, `cacheReadInputTokens`, `cacheWriteInputTokens` (each also as
  `…TokenCount`), `cacheDetails` for how long writes are kept, `totalTokens`, the sum of the four.
- Headers and the last chunk's metrics of InvokeModel: `inputTokenCount` and its like.
- Anthropic's bodies behind InvokeModel: `input_tokens`, `cache_creation`, `output_tokens_details` and their like.
- Input excludes what was read from and written to the cache, as at Anthropic. Reasoning is a part of the output.

Sources: recorded answers (279 of 279 totals), AWS's API reference (TokenUsage, CacheDetail).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from proxy.core.usage import Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering.raw_usage import MOST

_INPUT: Final = ("inputTokens", "inputTokenCount", "input_tokens", "prompt_tokens", "inputTextTokenCount")
_OUTPUT: Final = ("outputTokens", "outputTokenCount", "output_tokens", "completion_tokens")
_READ: Final = ("cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens")
_WRITTEN: Final = ("cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_input_tokens")
_LONG: Final = "1h"


class _Reading:
    """One usage object while its numbers are checked."""

    def __init__(self, raw: bytes) -> None:
        self.flaws: list[Flaw] = []
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            value = None
        if not isinstance(value, dict):
            self.flag(Flaw.NOT_A_NUMBER)
        self.fields: Mapping[str, Any] = value if isinstance(value, dict) else {}

    def flag(self, flaw: Flaw) -> None:
        if flaw not in self.flaws:
            self.flaws.append(flaw)

    def count(self, told: object) -> int | None:
        """A count that is believable, or None; a negative one becomes 0."""
        if told is None:
            return None
        if isinstance(told, bool) or not isinstance(told, int | float) or not told <= MOST or told != int(told):
            self.flag(Flaw.NOT_A_NUMBER)
            return None
        if told < 0:
            self.flag(Flaw.NEGATIVE)
            return 0
        return int(told)

    def first(self, names: tuple[str, ...]) -> int | None:
        """The first of these members that is told."""
        return next((self.count(self.fields[name]) for name in names if self.fields.get(name) is not None), None)

    def inner(self, name: str) -> Mapping[str, Any]:
        value = self.fields.get(name)
        return value if isinstance(value, dict) else {}

    def at_most(self, told: int, room: int, flaw: Flaw) -> int:
        if told > room:
            self.flag(flaw)
        return min(told, room)


def normalise_bedrock(
    raw_usage: bytes, *, service_tier: str | None, tool_calls: Mapping[ToolFee, int] | None = None
) -> Usage:
    """Disjoint buckets of a usage object (JSON); contradictions are flagged, never raised.

    The source is `none` when neither input nor output can be told from it.
    """
    reading = _Reading(raw_usage)
    given, made = reading.first(_INPUT), reading.first(_OUTPUT)
    calls = dict(tool_calls or {})
    if given is None and made is None:
        return Usage(tool_calls=calls, flaws=tuple(reading.flaws), service_tier=service_tier)
    tokens: dict[Bucket, int] = {}
    if given is not None:
        tokens[Bucket.INPUT] = given
    _fill_cached(tokens, reading)
    if made is not None:
        _fill_output(tokens, made, reading)
    total = reading.count(reading.fields.get("totalTokens"))
    if total is not None and total != sum(tokens.values()):
        reading.flag(Flaw.TOTAL_UNEXPLAINED)
    return Usage(
        tokens=tokens,
        tool_calls=calls,
        source=UsageSource.PROVIDER,
        flaws=tuple(reading.flaws),
        service_tier=service_tier,
    )


def _fill_cached(tokens: dict[Bucket, int], reading: _Reading) -> None:
    read, written = reading.first(_READ), reading.first(_WRITTEN)
    if read is not None:
        tokens[Bucket.CACHE_READ] = read
    long = _written_for_an_hour(reading)
    if written is None and long is None:
        return
    all_of_it = (long or 0) if written is None else written
    kept = reading.at_most(long or 0, all_of_it, Flaw.DETAILS_EXCEED_INPUT)
    if long is not None:
        tokens[Bucket.CACHE_WRITE_1H] = kept
    tokens[Bucket.CACHE_WRITE] = all_of_it - kept


def _written_for_an_hour(reading: _Reading) -> int | None:
    details = reading.fields.get("cacheDetails")
    found = [
        reading.count(each.get("inputTokens")) or 0
        for each in (details if isinstance(details, list) else ())
        if isinstance(each, dict) and each.get("ttl") == _LONG
    ]
    if found:
        return sum(found)
    return reading.count(reading.inner("cache_creation").get("ephemeral_1h_input_tokens"))


def _fill_output(tokens: dict[Bucket, int], made: int, reading: _Reading) -> None:
    thought = reading.count(reading.inner("output_tokens_details").get("thinking_tokens"))
    if thought is not None:
        thought = reading.at_most(thought, made, Flaw.REASONING_EXCEEDS_OUTPUT)
        tokens[Bucket.REASONING] = thought
    tokens[Bucket.OUTPUT] = made - (thought or 0)
