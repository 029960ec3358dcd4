"""What a price may be: a band wide enough for every real one and too narrow for the wrong unit."""

from decimal import Decimal
from typing import Final

MOST_USD_PER_MTOK: Final = Decimal(100_000)
LEAST_USD_PER_MTOK: Final = Decimal("0.001")
MOST_MULTIPLIER: Final = Decimal(100)
MOST_USD_PER_UNIT: Final = Decimal(1000)
MOST_USD_PER_1K_CALLS: Final = Decimal(100_000)
RATE_DECIMALS: Final = 12
MULTIPLIER_DECIMALS: Final = 4


def complaint_about_rate(rate: Decimal) -> str | None:
    """What is wrong with a rate in USD per million tokens; None when nothing is."""
    if not rate.is_finite() or rate < 0 or rate > MOST_USD_PER_MTOK:
        return f"{rate} is not between 0 and {MOST_USD_PER_MTOK} USD per million tokens"
    if 0 < rate < LEAST_USD_PER_MTOK:
        return (
            f"{rate} looks like dollars per token; the unit is USD per MILLION tokens (did you mean {rate * 10**6:f}?)"
        )
    return _too_fine(rate, RATE_DECIMALS)


def complaint_about_multiplier(multiplier: Decimal) -> str | None:
    """What is wrong with a factor on rates; None when nothing is."""
    if not multiplier.is_finite() or not 0 <= multiplier <= MOST_MULTIPLIER:
        return f"{multiplier} is not a factor between 0 and {MOST_MULTIPLIER}"
    return _too_fine(multiplier, MULTIPLIER_DECIMALS)


def complaint_about_fee(fee: Decimal) -> str | None:
    """What is wrong with a fee in USD per 1,000 calls; None when nothing is."""
    if not fee.is_finite() or not 0 <= fee <= MOST_USD_PER_1K_CALLS:
        return f"{fee} is not between 0 and {MOST_USD_PER_1K_CALLS} USD per 1,000 calls"
    return _too_fine(fee, RATE_DECIMALS)


def complaint_about_unit(price: Decimal) -> str | None:
    """What is wrong with a price of one image or one second, in USD; None when nothing is."""
    if not price.is_finite() or not 0 <= price <= MOST_USD_PER_UNIT:
        return f"{price} is not between 0 and {MOST_USD_PER_UNIT} USD for one"
    return _too_fine(price, RATE_DECIMALS)


def _too_fine(number: Decimal, decimals: int) -> str | None:
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -decimals:
        return f"{number} has more than {decimals} digits after the point"
    return None
