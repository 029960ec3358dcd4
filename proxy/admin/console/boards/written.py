"""Values of panels as people read them, in the units that the boards name."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from proxy.admin.console.boards.shipped import Field
from proxy.admin.console.figures import count, count_short, duration, size, usd, usd_html
from proxy.admin.console.markup import Html
from proxy.core.money import Nano

NOTHING: Final = "–"
USD: Final = "currencyUSD"
_PLACES: Final = 9


def written(value: Any, field: Field) -> str | Html:
    """A value as text; money with what is finer than a cent set back."""
    if isinstance(value, Decimal | int | float) and not isinstance(value, bool) and field.unit == USD:
        nano = _nano(value, field.decimals)
        return NOTHING if nano is None else usd_html(nano)
    return told(value, field)


def told(value: Any, field: Field) -> str:
    """A value as plain text."""
    if value is None or (isinstance(value, float) and value != value):
        return NOTHING
    if isinstance(value, datetime):
        at = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return f"{at:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return _listed(value)
    return _number(value, field)


def short(value: float, field: Field) -> str:
    """A value for an axis."""
    if field.unit == USD:
        return usd(Nano(round(value * 10**_PLACES)))
    return _number(value, field) if field.unit in ("percentunit", "ms", "µs", "s", "bytes") else _plain(value, None)


def _number(value: float | Decimal, field: Field) -> str:
    unit, number = field.unit, float(value)
    if unit == USD:
        nano = _nano(value, field.decimals)
        return NOTHING if nano is None else usd(nano)
    if unit == "percentunit":
        return f"{number * 100:.{1 if field.decimals is None else field.decimals}f} %"
    if unit in ("ms", "µs", "s"):
        return duration(number * {"ms": 1.0, "µs": 0.001, "s": 1000.0}[unit])
    if unit in ("bytes", "decbytes"):
        return size(int(number))
    return count(int(value)) if unit == "locale" and number.is_integer() else _plain(number, field.decimals)


def _plain(number: float, decimals: int | None) -> str:
    if number.is_integer() and not decimals:
        return count_short(int(number)) if number >= 0 else count(int(number))
    return f"{number:,.{2 if decimals is None else decimals}f}"


def _nano(value: float | Decimal, decimals: int | None) -> Nano | None:
    amount = value if isinstance(value, Decimal) else Decimal(str(value))
    if not amount.is_finite():
        return None
    step = Decimal(1).scaleb(-min(_PLACES, _PLACES if decimals is None else decimals))
    return Nano(int(amount.quantize(step, ROUND_HALF_EVEN).scaleb(_PLACES)))


def _listed(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    return str(value)
