"""Money as whole nano-dollars (1e-9 USD); no float touches it (DESIGN §5)."""

from decimal import (
    ROUND_CEILING,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DecimalException,
    Inexact,
    InvalidOperation,
    Overflow,
)
from typing import Final, NewType

Nano = NewType("Nano", int)
"""An amount of money in nano-dollars (1e-9 USD)."""

NANO_PER_USD: Final = 1_000_000_000
ZERO: Final = Nano(0)

_EXACTLY: Final = Context(prec=60, Emin=-60, Emax=60, traps=[Inexact, InvalidOperation, Overflow])
"""Never rounds: the default context would, beyond 28 digits, without a word."""


class NotMoney(ValueError):
    """A text that does not say an exact amount of dollars; the message says what is wrong with it."""


def exact_usd(text: str | int | Decimal) -> Nano:
    """Read dollars exactly as written, in nano-dollars.

    Raises:
        NotMoney: not a finite decimal number, or finer than one nano-dollar.
    """
    try:
        dollars = Decimal(text)
    except InvalidOperation:
        raise NotMoney(f"{text!r} is not an amount of dollars; write it like 12.50") from None
    if not dollars.is_finite():
        raise NotMoney(f"{text!r} is not a finite amount of dollars")
    try:
        nano = _EXACTLY.multiply(dollars, NANO_PER_USD)
    except DecimalException:
        raise NotMoney(f"{text!r:.80} has more digits than an amount of dollars") from None
    if nano != nano.to_integral_value():
        raise NotMoney(f"{text!r} is finer than one nano-dollar (nine digits after the point)")
    return Nano(int(nano))


def to_usd_text(amount: Nano) -> str:
    """Write nano-dollars as a plain decimal number of dollars, at least two digits after the point."""
    if not amount:
        return "0.00"
    whole, rest = divmod(abs(amount), NANO_PER_USD)
    digits = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount < 0 else ''}{whole}.{digits}"


def rounded_half_even(exact_nano: Decimal) -> Nano:
    """Round an exact amount of nano-dollars once, half to even: what an attempt costs."""
    return Nano(int(exact_nano.to_integral_value(ROUND_HALF_EVEN)))


def rounded_up(exact_nano: Decimal) -> Nano:
    """Round an exact amount of nano-dollars up: what a hold must cover."""
    return Nano(int(exact_nano.to_integral_value(ROUND_CEILING)))
