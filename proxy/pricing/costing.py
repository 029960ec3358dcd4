"""The one multiplication: buckets times rates, summed exactly, rounded once (DESIGN §5)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from proxy.core.money import Nano
from proxy.core.usage import ToolFee, Usage
from proxy.pricing.card import RATE_SCALE, UNITS_PER_NANO, Card, Price

_PLACES: Final = RATE_SCALE + 6


class PriceLine(msgspec.Struct, frozen=True, gc=False):
    """One line of a bill; `usd` is exact and unrounded. A tool's quantity is calls, its rate is per million calls; that
    of another unit is per million of it."""

    bucket: str
    quantity: int
    usd_per_mtok: str
    usd: str


class Priced(msgspec.Struct, frozen=True):
    """What an attempt cost. `cost` is what is paid, `list_cost` what would be paid without negotiated adjustments.

    `unpriced` names the tools that were run and have no known fee: they are not in the sums.
    """

    cost: Nano
    list_cost: Nano
    lines: tuple[PriceLine, ...]
    unpriced: tuple[str, ...] = ()


def price(
    usage: Usage, price: Price, at: datetime, *, service_tier: str | None = None, region: str | None = None
) -> Priced:
    """Price one attempt: exact sums, rounded once, half to even, to nano-dollars.

    `at` (aware) decides off-peak hours. `service_tier` and `region` default to those the response told, for they are
    what is billed.
    """
    tier = usage.service_tier if service_tier is None else service_tier
    region = usage.region if region is None else region
    prompt = usage.prompt_tokens if price.has_context_tiers else 0
    card = price.card(prompt, at, service_tier=tier, region=region)
    total, lines, unpriced = _bill(usage, card)
    if usage.units:
        of_units, unpriced = _bill_units(usage, price, lines, unpriced)
        total += of_units
    cost = list_cost = _half_even(total)
    if price.adjustment != 1:
        listed, _, _ = _bill(usage, price.card(prompt, at, service_tier=tier, region=region, listed=True))
        list_cost = _half_even(listed + _bill_units(usage, price, [], (), listed=True)[0])
    return Priced(cost, list_cost, tuple(lines), unpriced)


def worst_case(
    price: Price,
    at: datetime,
    *,
    input_tokens: int,
    output_tokens: int,
    service_tier: str | None = None,
    region: str | None = None,
    media: Callable[[], bool] = lambda: True,
    is_certain: bool = False,
) -> Nano:
    """The most that so many tokens can cost, rounded up: the dearest rate an input or output token could meet.

    Off-peak discounts are not counted on, so `at` changes nothing today. A requested service tier counts where it is
    dearer than the standard one, for the provider may serve either; `is_certain`: it will serve that one. `media` tells
    whether the request may carry audio or images; it is asked only where their tokens are dearer than those of text.
    """
    tiers = [None, service_tier] if price.prices_tier(service_tier) else [None]
    if is_certain:
        tiers = tiers[-1:]
    prompts = (0, input_tokens) if price.has_context_tiers else (0,)
    dearest = 0
    for tier in tiers:
        for prompt in prompts:
            card = price.card(prompt, None, service_tier=tier, region=region)
            dear_input = card.dearest_text_input
            if card.dearest_input > dear_input and media():
                dear_input = card.dearest_input
            dearest = max(dearest, input_tokens * dear_input + output_tokens * card.dearest_output)
    return Nano(-(-dearest // UNITS_PER_NANO))


def expected_cost(
    price: Price,
    at: datetime,
    *,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    service_tier: str | None = None,
) -> Nano:
    """What `price` would say of so much text; `cached_tokens` of the input are read from the provider's cache."""
    prompt = input_tokens if price.has_context_tiers else 0
    card = price.card(prompt, at, service_tier=service_tier, region=None)
    text = (input_tokens - cached_tokens) * card.text_input + output_tokens * card.text_output
    return _half_even(text + cached_tokens * card.cache_read)


def _bill(usage: Usage, card: Card) -> tuple[int, list[PriceLine], tuple[str, ...]]:
    total = 0
    lines: list[PriceLine] = []
    unpriced: tuple[str, ...] = ()
    for bucket, tokens in usage.tokens.items():
        if tokens:
            units, text = card[bucket]
            amount = tokens * units
            total += amount
            lines.append(PriceLine(bucket, tokens, text, _usd(amount)))
    for tool, calls in usage.tool_calls.items():
        if calls:
            rate = card.get(tool)
            if rate is None:
                unpriced = (*unpriced, ToolFee(tool).value)
                continue
            amount = calls * rate.units
            total += amount
            lines.append(PriceLine(ToolFee(tool).value, calls, rate.usd_per_mtok, _usd(amount)))
    return total, lines, unpriced


def _bill_units(
    usage: Usage, price: Price, lines: list[PriceLine], unpriced: tuple[str, ...], *, listed: bool = False
) -> tuple[int, tuple[str, ...]]:
    total = 0
    for unit, quantity in usage.units.items():
        if not quantity:
            continue
        rate = price.unit_rate(unit, listed=listed)
        if rate is None:
            unpriced = (*unpriced, unit)
            continue
        total += quantity * rate.units
        lines.append(PriceLine(unit, quantity, rate.usd_per_mtok, _usd(quantity * rate.units)))
    return total, unpriced


def worst_units(price: Price, units: Mapping[str, int]) -> Nano:
    """What so many units cost, rounded up."""
    rates = [(quantity, price.unit_rate(unit)) for unit, quantity in units.items()]
    return Nano(-(-sum(quantity * rate.units for quantity, rate in rates if rate is not None) // UNITS_PER_NANO))


def _usd(units: int) -> str:
    """Units as plain decimal text of dollars, nothing cut off but zeros."""
    digits = str(units).zfill(_PLACES + 1)
    return f"{digits[:-_PLACES]}.{digits[-_PLACES:]}".rstrip("0").rstrip(".")


def _half_even(units: int) -> Nano:
    nano, rest = divmod(units, UNITS_PER_NANO)
    twice = 2 * rest
    if twice > UNITS_PER_NANO or (twice == UNITS_PER_NANO and nano & 1):
        nano += 1
    return Nano(nano)
