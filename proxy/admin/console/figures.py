"""How numbers are written for people: dollars exact, the rest short, all of it aligned."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from proxy.admin.console.markup import Html, el
from proxy.core.money import NANO_PER_USD, Nano

CENTS: Final = 2
NANO_DIGITS: Final = 9


def usd(amount: Nano, decimals: int = CENTS) -> str:
    """Every digit of an amount, with thousands separators and at least `decimals` after the point."""
    whole, digits = _split(amount)
    return f"{'−' if amount < 0 else ''}${whole:,}.{digits.rstrip('0').ljust(decimals, '0')}"


def usd_html(amount: Nano, decimals: int = CENTS) -> Html:
    """The same, with what is finer than a cent set back so that the eye reads the dollars first."""
    text = usd(amount, decimals)
    point = text.index(".") + 1 + CENTS
    if len(text) == point:
        return el("span", text, class_="usd")
    return el("span", text[:point], el("span", text[point:], class_="fine"), class_="usd")


def decimals_for(amounts: Iterable[Nano]) -> int:
    """The digits a column needs so that each of its amounts is exact and the points line up."""
    return max([CENTS, *(len(_split(amount)[1].rstrip("0")) for amount in amounts)])


def usd_short(amount: Nano) -> str:
    """An amount for an axis or a badge: three leading digits at most, never a false zero."""
    size = abs(amount)
    sign = "−" if amount < 0 else ""
    for unit, suffix in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit * NANO_PER_USD:
            tenths = size * 10 // (unit * NANO_PER_USD)
            return f"{sign}${tenths // 10}{f'.{tenths % 10}' if tenths % 10 else ''}{suffix}"
    return usd(amount)


def count(number: int) -> str:
    """A whole number with thousands separators."""
    return f"{number:,}"


def count_short(number: int) -> str:
    """A big number in three or four characters: 1,234 as 1.2k."""
    for unit, suffix in ((1_000_000_000, "B"), (1_000_000, "M"), (10_000, "k")):
        if number >= unit:
            step = 1_000 if suffix == "k" else unit
            tenths = number * 10 // step
            return f"{tenths // 10}.{tenths % 10}{suffix}" if tenths < 1_000 else f"{tenths // 10}{suffix}"
    return count(number)


def share(part: int, whole: int) -> str:
    """A part of a whole in percent, one digit after the point; a dash where there is no whole."""
    if whole <= 0:
        return "–"
    permille = (part * 2_000 + whole) // (whole * 2)
    if permille == 0 and part > 0:
        return "<0.1 %"
    return f"{permille // 10}.{permille % 10} %"


def permille(part: int, whole: int) -> int:
    """A part of a whole in thousandths, held between 0 and 1000: for the length of a bar."""
    return 0 if whole <= 0 else max(0, min(1000, part * 1000 // whole))


def duration(millis: float | None) -> str:
    """Milliseconds in the unit that reads best; a dash when nothing was measured."""
    if millis is None:
        return "–"
    if millis >= 3_600_000:
        hours = int(millis // 3_600_000)
        return f"{hours // 24} d {hours % 24} h" if hours >= 48 else f"{hours} h {int(millis // 60_000) % 60:02d} min"
    if millis >= 60_000:
        minutes, rest = divmod(round(millis / 1000), 60)
        return f"{minutes} min {rest:02d} s"
    if millis >= 1_000:
        return f"{millis / 1000:.2f} s"
    if millis >= 10:
        return f"{millis:.0f} ms"
    return f"{millis:.2f} ms"


def size(octets: int) -> str:
    """Bytes in the unit that reads best."""
    for unit, name in ((1_000_000, "MB"), (1_000, "kB")):
        if octets >= unit:
            return f"{octets / unit:.1f} {name}"
    return f"{octets} B"


def moment(at: datetime, *, seconds: bool = True) -> Html:
    """A point in time, in UTC, readable by machines too."""
    text = f"{at.day} {at:%b %Y, %H:%M:%S}" if seconds else f"{at.day} {at:%b %H:%M}"
    return el("time", text, " UTC" if seconds else "", datetime=at.isoformat(timespec="milliseconds"))


def _split(amount: Nano) -> tuple[int, str]:
    whole, rest = divmod(abs(amount), NANO_PER_USD)
    return whole, f"{rest:0{NANO_DIGITS}d}"
