"""From Gemini's usageMetadata to disjoint buckets: no token stands in two of them, none is negative.

Source: recorded answers of AI Studio and Vertex AI (every total of theirs is prompt + candidates + thoughts + toolUse).

- Cached is a part of the prompt and CACHE_READ whatever it stands for. What a tool put in
  (`toolUsePromptTokenCount`) is beside the prompt and plain input.
- Sound is AUDIO_INPUT, pictures and pages IMAGE_INPUT, each without what of it was cached. Film is plain input: it
  has no rate of its own.
- Thoughts are beside the candidates. Sound and pictures are parts of the candidates.
- What is missing of the output is what the total leaves for it; an embedding has none.

Numbers that contradict each other are clamped so that the buckets still sum to what was told, and flagged.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from proxy.core.usage import Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering.raw_usage import MOST

Json: TypeAlias = Any
_NO_CALLS: Final[Mapping[ToolFee, int]] = MappingProxyType({})
_NO_DETAILS: Final[Mapping[Bucket, int]] = MappingProxyType({})
_INPUT: Final = MappingProxyType(
    {"AUDIO": Bucket.AUDIO_INPUT, "IMAGE": Bucket.IMAGE_INPUT, "DOCUMENT": Bucket.IMAGE_INPUT}
)
_NUMBERED: Final = MappingProxyType({2: "IMAGE", 4: "AUDIO", 5: "DOCUMENT"})
"""Modalities by their numbers, where a client has asked for numbers."""
_OUTPUT: Final = MappingProxyType({"AUDIO": Bucket.AUDIO_OUTPUT, "IMAGE": Bucket.IMAGE_OUTPUT})


def normalise_gemini(
    raw_usage: bytes,
    *,
    service_tier: str | None,
    tool_calls: Mapping[ToolFee, int] = _NO_CALLS,
) -> Usage:
    """Disjoint buckets of a usageMetadata object (JSON); contradictions are flagged, never raised.

    The source is `none` when neither input nor output can be told from it.
    """
    reading = _Reading(raw_usage)
    tokens: dict[Bucket, int] = {}
    prompt = _fill_input(tokens, reading)
    output = _fill_output(tokens, reading, prompt)
    total = reading.count("totalTokenCount")
    if total is not None and tokens and total != (prompt or 0) + (output or 0):
        reading.flag(Flaw.TOTAL_UNEXPLAINED)
    return Usage(
        tokens=tokens,
        tool_calls=tool_calls,
        source=UsageSource.PROVIDER if tokens else UsageSource.NONE,
        flaws=tuple(reading.flaws),
        service_tier=service_tier,
    )


class _Reading:
    """One usage object while its numbers are checked; `flaws` keep the order they were met in."""

    def __init__(self, raw_usage: bytes) -> None:
        self.flaws: list[Flaw] = []
        try:
            self._told = msgspec.json.decode(raw_usage, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._told = {}
            self.flag(Flaw.NOT_A_NUMBER)

    def flag(self, flaw: Flaw) -> None:
        if flaw not in self.flaws:
            self.flaws.append(flaw)

    def count(self, name: str) -> int | None:
        """A count that is believable, or None; a negative one becomes 0."""
        return self._number(self._told.get(name))

    def details(self, member: str, buckets: Mapping[str, Bucket]) -> Mapping[Bucket, int]:
        """How much of each modality with a bucket of its own there is."""
        parts = self._told.get(member)
        if not isinstance(parts, list):
            return _NO_DETAILS
        found: dict[Bucket, int] = {}
        for part in parts:
            kind = part.get("modality") if isinstance(part, dict) else None
            name = _NUMBERED.get(kind) if isinstance(kind, int) else str(kind).upper()
            if name is not None and (bucket := buckets.get(name)) is not None:
                found[bucket] = found.get(bucket, 0) + (self._number(part.get("tokenCount")) or 0)
        return found

    def _number(self, told: Json) -> int | None:
        if told is None:
            return None
        if isinstance(told, str) and told.isascii() and told.isdigit():
            told = int(told[:20])  # 64-bit numbers may be written as texts
        if isinstance(told, bool) or not isinstance(told, int) or told > MOST:
            self.flag(Flaw.NOT_A_NUMBER)
            return None
        if told < 0:
            self.flag(Flaw.NEGATIVE)
            return 0
        return int(told)


def _fill_input(tokens: dict[Bucket, int], reading: _Reading) -> int | None:
    """Fill the input buckets; all input, None where none was told."""
    prompt, used_by_tools = reading.count("promptTokenCount"), reading.count("toolUsePromptTokenCount")
    cached = reading.count("cachedContentTokenCount")
    if prompt is None and used_by_tools is None:
        return None
    left = prompt or 0
    if cached is not None:
        if cached > left:
            reading.flag(Flaw.CACHED_EXCEEDS_INPUT)
        tokens[Bucket.CACHE_READ] = cached = min(cached, left)
        left -= cached
    of_cached = reading.details("cacheTokensDetails", _INPUT)
    for bucket, told in reading.details("promptTokensDetails", _INPUT).items():
        if told > (prompt or 0):
            reading.flag(Flaw.DETAILS_EXCEED_INPUT)
        taken = max(0, min(told - of_cached.get(bucket, 0), left))
        tokens[bucket] = taken
        left -= taken
    tokens[Bucket.INPUT] = left + (used_by_tools or 0)
    return (prompt or 0) + (used_by_tools or 0)


def _fill_output(tokens: dict[Bucket, int], reading: _Reading, prompt: int | None) -> int | None:
    """Fill the output buckets; all output, None where none was told."""
    candidates, thoughts = reading.count("candidatesTokenCount"), reading.count("thoughtsTokenCount")
    if candidates is None and thoughts is None:
        total = reading.count("totalTokenCount")
        if total is None or prompt is None or total <= prompt:
            return None
        candidates = total - prompt
    if thoughts is not None:
        tokens[Bucket.REASONING] = thoughts
    if candidates is not None:
        left = candidates
        for bucket, told in reading.details("candidatesTokensDetails", _OUTPUT).items():
            if told > left:
                reading.flag(Flaw.DETAILS_EXCEED_OUTPUT)
            tokens[bucket] = min(told, left)
            left -= tokens[bucket]
        tokens[Bucket.OUTPUT] = left
    return (candidates or 0) + (thoughts or 0)
