"""What a model call used, in disjoint buckets (DESIGN §5): no token is counted in two of them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from proxy.core.money import Nano


class Bucket(StrEnum):
    """One kind of token with a price of its own; the values are the column prefixes in `operations`."""

    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    CACHE_WRITE_1H = "cache_write_1h"
    OUTPUT = "output"
    REASONING = "reasoning"
    AUDIO_INPUT = "audio_input"
    AUDIO_OUTPUT = "audio_output"
    IMAGE_INPUT = "image_input"
    IMAGE_OUTPUT = "image_output"


class ToolFee(StrEnum):
    """A tool run by the provider and billed by the call, not by the token."""

    WEB_SEARCH = "web_search"
    FILE_SEARCH = "file_search"
    CODE_INTERPRETER = "code_interpreter"
    MAPS_SEARCH = "maps_search"


IMAGE: Final = "image"
MILLISECOND: Final = "millisecond"
CHARACTER: Final = "character"
CALL: Final = "call"
"""What is charged where tokens are not the unit. An image's name goes on with what its price hangs on:
`image:high/1024x1024`."""


class UsageSource(StrEnum):
    """Who says how much was used."""

    PROVIDER = "provider"
    ESTIMATED = "estimated"
    NONE = "none"


class Flaw(StrEnum):
    """A way in which a provider's usage numbers contradict themselves; the row is flagged with it."""

    CACHED_EXCEEDS_INPUT = "cached_exceeds_input"
    DETAILS_EXCEED_INPUT = "details_exceed_input"
    REASONING_EXCEEDS_OUTPUT = "reasoning_exceeds_output"
    DETAILS_EXCEED_OUTPUT = "details_exceed_output"
    TOTAL_UNEXPLAINED = "total_unexplained"
    NEGATIVE = "negative"
    NOT_A_NUMBER = "not_a_number"


INPUT_BUCKETS = (
    Bucket.INPUT,
    Bucket.CACHE_READ,
    Bucket.CACHE_WRITE,
    Bucket.CACHE_WRITE_1H,
    Bucket.AUDIO_INPUT,
    Bucket.IMAGE_INPUT,
)
OUTPUT_BUCKETS = (Bucket.OUTPUT, Bucket.REASONING, Bucket.AUDIO_OUTPUT, Bucket.IMAGE_OUTPUT)


_NOTHING: Final[Mapping[Any, int]] = MappingProxyType({})


class Usage(NamedTuple):
    """Tokens per bucket and provider-run tool calls of one attempt.

    A missing bucket was not told; a bucket of 0 was told to be zero. `service_tier` is the tier the
    provider says it served, `region` where it was served (both decide the price). `stated_cost` is what the provider
    says it charged. `lacks_output`: it was told before the answer was made, of which nothing was told since.
    `units` are what is charged instead of tokens, by their names.
    """

    tokens: Mapping[Bucket, int] = _NOTHING
    tool_calls: Mapping[ToolFee, int] = _NOTHING
    source: UsageSource = UsageSource.NONE
    flaws: tuple[Flaw, ...] = ()
    service_tier: str | None = None
    stated_cost: Nano | None = None
    region: str | None = None
    lacks_output: bool = False
    units: Mapping[str, int] = _NOTHING

    def count(self, bucket: Bucket) -> int:
        """Tokens in one bucket, 0 when it was not told."""
        return self.tokens.get(bucket, 0)

    @property
    def prompt_tokens(self) -> int:
        """All input, cached and written included: what context tiers are decided by."""
        return sum(self.tokens.get(bucket, 0) for bucket in INPUT_BUCKETS)

    @property
    def completion_tokens(self) -> int:
        """All output, reasoning included."""
        return sum(self.tokens.get(bucket, 0) for bucket in OUTPUT_BUCKETS)


NO_USAGE = Usage()
