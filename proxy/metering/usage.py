"""From a provider's usage object to disjoint buckets: no token stands in two of them, none is negative.

The rules, per provider's arithmetic (proxy.wire.profile.Arithmetic):

- Cached and written are parts of the prompt and disjoint from each other; what is left is plain input. Where a provider
  tells cached in more than one place, the largest is taken. Writes kept longer than 30 minutes (`ttl_12h_tokens`)
  are CACHE_WRITE_1H, the long-lived bucket; all others CACHE_WRITE.
- A cached token is CACHE_READ whatever it stands for. AUDIO_INPUT and IMAGE_INPUT hold what of the prompt is neither
  cached nor written; `cached_tokens_details` says how much to take off, else the overlap is taken to be cached.
- Reasoning, audio and images are parts of the completion. At xAI reasoning is beside it, unless the total says
  that it is inside. At Gemini's compatibility layer output is total minus prompt and the difference is reasoning.
- An embeddings call has no output.

Numbers that contradict each other are clamped so that the buckets still sum to prompt and completion, and flagged.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from types import MappingProxyType
from typing import Final

from proxy.core.money import NANO_PER_USD, Nano, rounded_half_even
from proxy.core.usage import MILLISECOND, Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering.raw_usage import MOST, InputDetails, OutputDetails, RawUsage, read_raw_usage
from proxy.wire.endpoint import Endpoint
from proxy.wire.profile import Arithmetic

_NO_INPUT_DETAILS: Final = InputDetails()
_NO_OUTPUT_DETAILS: Final = OutputDetails()
_NO_CALLS: Final[Mapping[ToolFee, int]] = MappingProxyType({})
_NANO_PER_TICK: Final = Decimal("0.1")
_MOST_STATED: Final = Decimal(1_000_000)
"""A stated cost above a million dollars is not believed."""

# Looking a member up at its class costs a hundred times what a name of this module does (ADR 005).
_CACHE_READ: Final = Bucket.CACHE_READ
_INPUT: Final = Bucket.INPUT
_OUTPUT: Final = Bucket.OUTPUT
_REASONING: Final = Bucket.REASONING
_CACHED_EXCEEDS_INPUT: Final = Flaw.CACHED_EXCEEDS_INPUT
_REASONING_EXCEEDS_OUTPUT: Final = Flaw.REASONING_EXCEEDS_OUTPUT
_XAI: Final = Arithmetic.XAI
_GEMINI_COMPAT: Final = Arithmetic.GEMINI_COMPAT
_PROVIDER: Final = UsageSource.PROVIDER
_EMBEDDINGS: Final = Endpoint.EMBEDDINGS


class _Reading:
    """One usage object while its numbers are checked; `flaws` keep the order they were met in."""

    __slots__ = ("flaws",)

    def __init__(self, *, odd: bool) -> None:
        self.flaws: list[Flaw] = [Flaw.NOT_A_NUMBER] if odd else []

    def flag(self, flaw: Flaw) -> None:
        if flaw not in self.flaws:
            self.flaws.append(flaw)

    def count(self, told: int | None) -> int | None:
        """A count that is believable, or None; a negative one becomes 0."""
        if told is None or 0 <= told <= MOST:
            return told
        if told < 0:
            self.flag(Flaw.NEGATIVE)
            return 0
        self.flag(Flaw.NOT_A_NUMBER)
        return None

    def at_most(self, told: int | None, room: int, flaw: Flaw) -> int:
        """How much of `told` fits into what is left; 0 if not told."""
        number = self.count(told)
        if not number:
            return 0
        if number > room:
            self.flag(flaw)
            return room
        return number


def normalise(
    raw_usage: bytes,
    *,
    arithmetic: Arithmetic,
    endpoint: Endpoint,
    service_tier: str | None,
    tool_calls: Mapping[ToolFee, int] = _NO_CALLS,
) -> Usage:
    """Disjoint buckets of a provider's usage object (JSON); contradictions are flagged, never raised.

    The source is `none` when neither prompt nor completion can be told from it.
    """
    raw, odd = read_raw_usage(raw_usage)
    reading = _Reading(odd=odd)
    prompt, completion = _sides(raw, endpoint, reading)
    if prompt is None and completion is None:
        if raw.seconds is not None and 0 <= raw.seconds <= MOST:
            units = {MILLISECOND: int((raw.seconds * 1000).to_integral_value(ROUND_CEILING))}
            return Usage(units=units, source=_PROVIDER, flaws=tuple(reading.flaws))
        return Usage(tool_calls=tool_calls, flaws=tuple(reading.flaws), service_tier=service_tier)
    tokens: dict[Bucket, int] = {}
    if prompt is not None:
        _fill_input(tokens, raw, prompt, reading)
    output = 0
    if completion is not None:
        output = _fill_output(tokens, raw, prompt or 0, completion, arithmetic, reading)
    total = reading.count(raw.total_tokens)
    if total is not None and total != (prompt or 0) + output:
        reading.flag(Flaw.TOTAL_UNEXPLAINED)
    return Usage(
        tokens=tokens,
        tool_calls=tool_calls,
        source=_PROVIDER,
        flaws=tuple(reading.flaws),
        service_tier=service_tier,
        stated_cost=_stated_cost(raw),
    )


def estimated(input_tokens: int, output_tokens: int) -> Usage:
    """Usage counted by us, because the provider told none."""
    return Usage(
        tokens={_INPUT: max(0, input_tokens), _OUTPUT: max(0, output_tokens)},
        source=UsageSource.ESTIMATED,
    )


def _sides(raw: RawUsage, endpoint: Endpoint, reading: _Reading) -> tuple[int | None, int | None]:
    """Prompt and completion as told; one that is missing is what the total leaves for it."""
    prompt = reading.count(raw.prompt_tokens if raw.prompt_tokens is not None else raw.input_tokens)
    if prompt is None and raw.prompt_cache_hit_tokens is not None and raw.prompt_cache_miss_tokens is not None:
        prompt = (reading.count(raw.prompt_cache_hit_tokens) or 0) + (reading.count(raw.prompt_cache_miss_tokens) or 0)
    if endpoint is _EMBEDDINGS:
        return (reading.count(raw.total_tokens) if prompt is None else prompt), None
    completion = reading.count(raw.completion_tokens if raw.completion_tokens is not None else raw.output_tokens)
    if (prompt is None) is not (completion is None) and raw.total_tokens is not None:
        left = max(0, (reading.count(raw.total_tokens) or 0) - (prompt or completion or 0))
        return (left, completion) if prompt is None else (prompt, left)
    return prompt, completion


def _fill_input(tokens: dict[Bucket, int], raw: RawUsage, prompt: int, reading: _Reading) -> None:
    details = raw.prompt_tokens_details or raw.input_tokens_details or raw.input_token_details or _NO_INPUT_DETAILS
    told_cached = _cached(raw, details)
    left = prompt
    if told_cached is not None:
        cached = reading.at_most(told_cached, left, _CACHED_EXCEEDS_INPUT)
        tokens[_CACHE_READ] = cached
        left -= cached
    if details.cache_write_tokens is not None or details.cache_write_tokens_details is not None:
        left -= _fill_written(tokens, details, left, reading)
    for bucket, told, of_it_cached in _media(details):
        number = reading.at_most(told, prompt, Flaw.DETAILS_EXCEED_INPUT) - (of_it_cached or 0)
        tokens[bucket] = taken = max(0, min(number, left))
        left -= taken
    tokens[_INPUT] = left


def _cached(raw: RawUsage, details: InputDetails) -> int | None:
    most = details.cached_tokens
    for told in (raw.cached_tokens, raw.num_cached_tokens, raw.prompt_cache_hit_tokens):
        if told is not None and (most is None or told > most):
            most = told
    return most


def _media(details: InputDetails) -> list[tuple[Bucket, int, int | None]]:
    if not details.audio_tokens and not details.image_tokens:
        return []
    cached = details.cached_tokens_details
    return [
        (bucket, told, of_it_cached)
        for bucket, told, of_it_cached in (
            (Bucket.AUDIO_INPUT, details.audio_tokens, cached.audio_tokens if cached else None),
            (Bucket.IMAGE_INPUT, details.image_tokens, cached.image_tokens if cached else None),
        )
        if told
    ]


def _fill_written(tokens: dict[Bucket, int], details: InputDetails, left: int, reading: _Reading) -> int:
    ttls = details.cache_write_tokens_details
    long = reading.count(ttls.ttl_12h_tokens) if ttls else None
    written = details.cache_write_tokens
    if written is None and ttls is not None:
        written = (reading.count(ttls.ttl_30m_tokens) or 0) + (long or 0)
    fits = reading.at_most(written, left, Flaw.DETAILS_EXCEED_INPUT)
    if long is not None:
        tokens[Bucket.CACHE_WRITE_1H] = long = reading.at_most(long, fits, Flaw.DETAILS_EXCEED_INPUT)
    tokens[Bucket.CACHE_WRITE] = fits - (long or 0)
    return fits


def _fill_output(
    tokens: dict[Bucket, int], raw: RawUsage, prompt: int, completion: int, arithmetic: Arithmetic, reading: _Reading
) -> int:
    """Fill the output buckets; the billable output."""
    details = (
        raw.completion_tokens_details or raw.output_tokens_details or raw.output_token_details or _NO_OUTPUT_DETAILS
    )
    thought = reading.count(details.reasoning_tokens)
    output = completion
    if arithmetic is _XAI and thought and raw.total_tokens != prompt + completion:
        output = completion + thought
    elif arithmetic is _GEMINI_COMPAT and (raw.total_tokens or 0) > prompt + completion:
        output = reading.count(raw.total_tokens - prompt if raw.total_tokens else None) or completion
        thought = max(thought or 0, output - completion)
    left = output
    if thought is not None:
        tokens[_REASONING] = thought = reading.at_most(thought, left, _REASONING_EXCEEDS_OUTPUT)
        left -= thought
    if details.audio_tokens:
        tokens[Bucket.AUDIO_OUTPUT] = taken = reading.at_most(details.audio_tokens, left, Flaw.DETAILS_EXCEED_OUTPUT)
        left -= taken
    if details.image_tokens:
        tokens[Bucket.IMAGE_OUTPUT] = taken = reading.at_most(details.image_tokens, left, Flaw.DETAILS_EXCEED_OUTPUT)
        left -= taken
    tokens[_OUTPUT] = left
    return output


def _stated_cost(raw: RawUsage) -> Nano | None:
    """What the provider says the call cost: OpenRouter's `cost` (with a key of one's own, plus what that key paid
    upstream), xAI's ticks of 1e-10 USD."""
    if raw.cost is not None:
        dollars = raw.cost
        if raw.is_byok and raw.cost_details is not None and raw.cost_details.upstream_inference_cost is not None:
            dollars += raw.cost_details.upstream_inference_cost
        return rounded_half_even(dollars * NANO_PER_USD) if 0 <= dollars <= _MOST_STATED else None
    ticks = raw.cost_in_usd_ticks
    if ticks is None or not 0 <= ticks <= _MOST_STATED * 10**10:
        return None
    return rounded_half_even(ticks * _NANO_PER_TICK)
