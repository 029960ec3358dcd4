"""One dated price made ready to multiply: exact integer rates for each way a request can be charged."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Final, NamedTuple

from proxy.core.usage import Bucket, ToolFee
from proxy.pricing.entry import FALLBACK, ContextTier, Entry, Rates, ServiceTier, Window
from proxy.pricing.units import dearest_image, usd_per_million

RATE_SCALE: Final = 28
"""A rate is kept in units of 1e-28 USD per million: room for 12 digits times four factors of 4, so nothing is cut."""
UNITS_PER_USD: Final = 10 ** (RATE_SCALE + 6)
UNITS_PER_NANO: Final = UNITS_PER_USD // 10**9
_ONE: Final = Decimal(1)
_exact: Final = Context(prec=80)

_MOST_UNITS: Final = 256
_SAME_TIER: Final = {"fast": "priority"}
"""A `fast` request is answered as `priority` at OpenAI; where a book prices `fast` apart, that counts."""


class Rate(NamedTuple):
    """A rate as an integer in units and as text in USD per million."""

    units: int
    usd_per_mtok: str


TEXT_INPUT: Final = (Bucket.INPUT, Bucket.CACHE_READ, Bucket.CACHE_WRITE, Bucket.CACHE_WRITE_1H)
ANY_INPUT: Final = (*TEXT_INPUT, Bucket.AUDIO_INPUT, Bucket.IMAGE_INPUT)
ANY_OUTPUT: Final = (Bucket.OUTPUT, Bucket.REASONING, Bucket.AUDIO_OUTPUT, Bucket.IMAGE_OUTPUT)


class Card(dict[Bucket | ToolFee, Rate]):
    """A rate for every bucket, and for every tool with a known fee (per million calls); never changed once made.

    The dearest rates a token could meet are kept, in units, since every call's worst case asks for them; so
    are those of plain text, which a route's candidates are compared by.
    """

    __slots__ = ("cache_read", "dearest_input", "dearest_output", "dearest_text_input", "text_input", "text_output")

    def __init__(self, rates: Mapping[Bucket | ToolFee, Rate]) -> None:
        super().__init__(rates)
        self.text_input: Final = self[Bucket.INPUT].units
        self.text_output: Final = self[Bucket.OUTPUT].units
        self.cache_read: Final = self[Bucket.CACHE_READ].units
        self.dearest_text_input: Final = max(self[bucket].units for bucket in TEXT_INPUT)
        self.dearest_input: Final = max(self[bucket].units for bucket in ANY_INPUT)
        self.dearest_output: Final = max(self[bucket].units for bucket in ANY_OUTPUT)


class Price:
    """What one model costs, from one date on, at one provider. Made by a PriceBook; immutable to its users.

    `entry` names the book's entry, `source` where its numbers come from, limits are in tokens.
    """

    __slots__ = (
        "_cards",
        "_data",
        "_units",
        "_windows",
        "adjustment",
        "entry",
        "has_units",
        "max_input",
        "max_output",
        "source",
    )

    def __init__(self, entry: str, source: str, data: Entry, adjustment: Decimal = _ONE) -> None:
        self.entry = entry
        self.source = source
        self.max_input = data.max_input_tokens
        self.max_output = data.max_output_tokens
        self.adjustment = adjustment
        self._data = data
        self._windows = tuple(_minutes(data.off_peak.windows)) if data.off_peak else ()
        self._cards: dict[tuple[str, int, bool, str, bool], Card] = {}
        self._units: dict[tuple[str, bool], Rate | None] = {}
        self.has_units = data.has_units

    def __repr__(self) -> str:
        return f"Price({self.entry!r}, {self.source!r})"

    def card(
        self,
        prompt_tokens: int,
        at: datetime | None,
        *,
        service_tier: str | None,
        region: str | None,
        listed: bool = False,
    ) -> Card:
        """The rates for a request. `at` None means peak hours; `listed` leaves a negotiated adjustment out."""
        tier = self._known_tier(service_tier)
        off_peak = at is not None and bool(self._windows) and not tier and self._is_off_peak(at)
        place = region if region is not None and region in self._data.regions else ""
        key = (tier, self._context_index(prompt_tokens), off_peak, place, listed)
        card = self._cards.get(key)
        if card is None:
            card = self._cards[key] = self._make(*key)
        return card

    def unit_rate(self, unit: str, *, listed: bool = False) -> Rate | None:
        """The rate of a unit other than tokens, per million of it; None where it has none."""
        key = (unit, listed)
        if key not in self._units:
            if len(self._units) >= _MOST_UNITS:
                self._units.clear()
            rate = usd_per_million(self._data, unit)
            factor = _ONE if listed else self.adjustment
            self._units[key] = None if rate is None else _rate(_exact.multiply(rate, factor))
        return self._units[key]

    def dearest_image(self, quality: str, size: str) -> str | None:
        """The unit of the dearest image of that quality and size, empty where they are left open; None without one."""
        return dearest_image(self._data, quality, size) if self._data.image_usd else None

    @property
    def has_context_tiers(self) -> bool:
        """Whether long prompts are charged at other rates."""
        return bool(self._data.context)

    @property
    def written(self) -> Entry:
        """The entry it was made of."""
        return self._data

    def prices_tier(self, service_tier: str | None) -> bool:
        """Whether this service tier has rates apart from the standard ones."""
        return bool(self._known_tier(service_tier))

    def _known_tier(self, service_tier: str | None) -> str:
        tiers = self._data.service_tiers
        if not tiers or service_tier is None:
            return ""
        if service_tier in tiers:
            return service_tier
        alias = _SAME_TIER.get(service_tier, "")
        return alias if alias in tiers else ""

    def _context_index(self, prompt_tokens: int) -> int:
        """Which context tier a prompt falls into: 0 for none, else 1 + its place in order of size."""
        reached = 0
        for number, tier in enumerate(self._data.context, start=1):
            if prompt_tokens > tier.above_tokens:
                reached = number
        return reached

    def _is_off_peak(self, at: datetime) -> bool:
        moment = at.astimezone(UTC)
        minute = moment.hour * 60 + moment.minute
        day = moment.isoweekday()
        return any(day == on and start <= minute < end for on, start, end in self._windows)

    def _make(self, tier: str, context: int, off_peak: bool, region: str, listed: bool) -> Card:
        data = self._data
        step = data.context[context - 1] if context else None
        service = data.service_tiers[tier] if tier else None
        factor = data.regions[region] if region else _ONE
        if not listed:
            factor = _exact.multiply(factor, self.adjustment)
        written = {bucket: _written(bucket, data, service, step, off_peak) for bucket in Bucket}
        rates: dict[Bucket | ToolFee, Rate] = {
            bucket: _rate(_exact.multiply(_fallen_back(bucket, written), factor)) for bucket in Bucket
        }
        tool_factor = _ONE if listed else self.adjustment
        for tool, per_1k in data.tool_fees_usd_per_1k_calls.items():
            rates[tool] = _rate(_exact.multiply(_exact.multiply(per_1k, Decimal(1000)), tool_factor))
        return Card(rates)


def _written(
    bucket: Bucket, data: Entry, service: ServiceTier | None, step: ContextTier | None, off_peak: bool
) -> Decimal | None:
    """The rate that is written for a bucket under these circumstances, the most particular first."""
    standard: Rates = step or data
    if service is not None:
        own = _same_step(service, step) if step else service
        rate = own.of(bucket) if own else None
        plain = standard.of(bucket)
        if rate is None and plain is not None and service.multiplier is not None:
            return _exact.multiply(plain, service.multiplier)
        return plain if rate is None else rate
    if off_peak and step is None and data.off_peak is not None:
        rate = data.off_peak.of(bucket)
        if rate is not None:
            return rate
    return standard.of(bucket)


def _same_step(service: ServiceTier, step: ContextTier) -> ContextTier | None:
    return next((own for own in service.context if own.above_tokens == step.above_tokens), None)


def _fallen_back(bucket: Bucket, written: Mapping[Bucket, Decimal | None]) -> Decimal:
    rate = written[bucket]
    while rate is None:
        bucket = FALLBACK[bucket]
        rate = written[bucket]
    return rate


def _rate(usd_per_million: Decimal) -> Rate:
    return Rate(int(_exact.scaleb(usd_per_million, RATE_SCALE)), f"{usd_per_million.normalize(_exact):f}")


def _minutes(windows: list[Window]) -> Iterator[tuple[int, int, int]]:
    """(day, first minute, minute after the last) of every stretch."""
    for window in windows:
        for hours in window.hours_utc:
            start, _, end = hours.partition("-")
            for day in window.days:
                yield day, minute_of_day(start), minute_of_day(end)


def minute_of_day(text: str) -> int:
    """`"10:30"` as minutes since midnight, up to `"24:00"`.

    Raises:
        ValueError: not a time of day.
    """
    hours, _, minutes = text.partition(":")
    minute = int(hours) * 60 + int(minutes)
    if not (len(text) == 5 and 0 <= minute <= 24 * 60 and 0 <= int(minutes) < 60):
        raise ValueError(f"{text!r} is not a time of day like 10:30")
    return minute
