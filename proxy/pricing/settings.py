"""What an operator may say about prices: the `prices:` part of flyball.yaml."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class AssumedRates:
    """A ceiling for models nobody has a price for, USD per million tokens."""

    input: Decimal = field(metadata={"doc": "Dearest believable input rate, USD per million tokens."})
    output: Decimal = field(metadata={"doc": "Dearest believable output rate, USD per million tokens."})


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """A negotiated multiplier on the shipped book's list prices; the first that matches counts."""

    multiplier: Decimal = field(metadata={"doc": "What is paid of the list price, e.g. 0.9 for ten per cent off."})
    provider: str = field(default="*", metadata={"doc": "Glob over the book's provider names."})
    model: str = field(default="*", metadata={"doc": "Glob over model names as the book writes them."})


@dataclass(frozen=True, kw_only=True)
class PricingSettings:
    """Where prices come from beside the shipped book, and what happens without one."""

    overlay: Path | None = field(default=None, metadata={"doc": "YAML file of prices that go before the book's."})
    unpriced: Literal["deny", "allow_flagged"] = field(
        default="allow_flagged",
        metadata={"doc": "A model without a price, where no hard USD budget applies: refuse it, or allow and flag."},
    )
    assume_usd_per_mtok: AssumedRates | None = field(
        default=None,
        metadata={"doc": "Ceiling to hold and settle unpriced models at, so that hard budgets can admit them."},
    )
    adjustments: tuple[Adjustment, ...] = field(
        default=(), metadata={"doc": "Negotiated multipliers on list prices, by provider and model glob."}
    )
