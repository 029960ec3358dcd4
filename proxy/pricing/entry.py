"""The shape of one dated price, the same in the shipped book and in an overlay. All rates are USD per MILLION tokens.

A rate that is missing falls back to the plain one of its side (see `FALLBACK`): nothing is ever free because nobody
wrote it down. A rate of 0 is free because somebody did.
"""

from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import msgspec

from proxy.core.usage import Bucket, ToolFee


class Rates(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rate per bucket, None where none is written."""

    input_usd_per_mtok: Decimal | None = None
    cache_read_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    cache_write_1h_usd_per_mtok: Decimal | None = None
    output_usd_per_mtok: Decimal | None = None
    reasoning_usd_per_mtok: Decimal | None = None
    audio_input_usd_per_mtok: Decimal | None = None
    audio_output_usd_per_mtok: Decimal | None = None
    image_input_usd_per_mtok: Decimal | None = None
    image_output_usd_per_mtok: Decimal | None = None

    def of(self, bucket: Bucket) -> Decimal | None:
        """The rate written for a bucket."""
        rate: Decimal | None = getattr(self, RATE_FIELDS[bucket])
        return rate


class ContextTier(Rates, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rates of the WHOLE request once its prompt, cached and written included, has more than `above_tokens`."""

    above_tokens: int


class ServiceTier(Rates, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service tier: rates of its own, and `multiplier` on the standard ones for those not written."""

    multiplier: Decimal | None = None
    context: list[ContextTier] = []


class Window(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Hours of UTC days. `days`: 1 is Monday; `hours_utc`: `"10:00-24:00"`, the end not included."""

    days: list[int]
    hours_utc: list[str]


class OffPeak(Rates, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rates that hold within the windows, for the standard service tier."""

    windows: list[Window]


class Entry(Rates, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a model costs from `since` on (None: as long as it is known).

    `also` are other names of the same model. `regions` and the tiers multiply or replace rates; fees of tools are
    USD per 1,000 calls. Where tokens are not the unit: USD for an image by `<quality>/<size>` (or one of the two, or
    `any`), for a second of sound, for a million characters, for 1,000 calls.
    """

    since: date | None = None
    source: str = ""
    note: str = ""
    also: list[str] = []
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    context: list[ContextTier] = []
    service_tiers: dict[str, ServiceTier] = {}
    off_peak: OffPeak | None = None
    regions: dict[str, Decimal] = {}
    tool_fees_usd_per_1k_calls: dict[ToolFee, Decimal] = {}
    image_usd: dict[str, Decimal] = {}
    second_usd: Decimal | None = None
    character_usd_per_million: Decimal | None = None
    call_usd_per_1k: Decimal | None = None

    @property
    def has_units(self) -> bool:
        """Whether something else than tokens is charged."""
        units = (self.second_usd, self.character_usd_per_million, self.call_usd_per_1k)
        return bool(self.image_usd) or any(rate is not None for rate in units)


class BookFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One provider's part of the shipped book. `name_prefixes` are what clients put before its model names."""

    provider: str
    as_of: date
    sources: dict[str, str]
    name_prefixes: list[str] = []
    free_suffix: str = ""
    tool_fees_usd_per_1k_calls: dict[ToolFee, Decimal] = {}
    models: dict[str, list[Entry]]


RATE_FIELDS: Final = MappingProxyType({bucket: f"{bucket.value}_usd_per_mtok" for bucket in Bucket})

FALLBACK: Final = MappingProxyType(
    {
        Bucket.CACHE_READ: Bucket.INPUT,
        Bucket.CACHE_WRITE: Bucket.INPUT,
        Bucket.CACHE_WRITE_1H: Bucket.CACHE_WRITE,
        Bucket.AUDIO_INPUT: Bucket.INPUT,
        Bucket.IMAGE_INPUT: Bucket.INPUT,
        Bucket.REASONING: Bucket.OUTPUT,
        Bucket.AUDIO_OUTPUT: Bucket.OUTPUT,
        Bucket.IMAGE_OUTPUT: Bucket.OUTPUT,
    }
)
"""Which bucket's rate a bucket without one is charged at."""
