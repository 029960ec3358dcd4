"""A forecast in words: what the window comes to, how sure that is, and when the limit is used up."""

from datetime import datetime

from proxy.admin.console.figures import moment
from proxy.admin.console.gauge import Gauge
from proxy.admin.console.markup import Html, el, join
from proxy.budget import Unit

_CENT = 10_000_000


def forecast_line(gauge: Gauge) -> Html | None:
    """Two short lines for a list; nothing where no forecast was asked for."""
    found = gauge.forecast
    if found is None:
        return None
    if isinstance(found.none, str):
        return el("p", f"No forecast: {found.none}.", class_="muted forecast")
    return el("p", expected(gauge), exhaustion(gauge), class_="forecast")


def expected(gauge: Gauge) -> Html | None:
    """What will have been spent when the window ends, and the range around it."""
    found = gauge.forecast
    if found is None or gauge.resets_at is None or not gauge.has("expected", found):
        return None
    low, high = (about(gauge, gauge.amount(name, found)) for name in ("low", "high"))
    return join(
        "Expected by ",
        moment(gauge.resets_at, seconds=False),
        " UTC: ",
        el("b", about(gauge, gauge.amount("expected", found))),
        el("span", f", {low} to {high} four times in five. ", class_="muted"),
    )


def exhaustion(gauge: Gauge) -> Html | None:
    """When the limit is used up, if it will or may be."""
    found = gauge.forecast
    if found is None or isinstance(found.none, str):
        return None
    at, earliest = found.exhausted_at, found.exhausted_earliest_at
    if gauge.spent >= gauge.limit:
        return el("strong", "It is used up.", class_="alarm")
    if isinstance(at, datetime):
        words = join("Used up ", moment(at, seconds=False), " UTC as it goes, ")
        first = at if not isinstance(earliest, datetime) else earliest
        return el("strong", words, moment(first, seconds=False), " at the earliest.", class_="alarm")
    if isinstance(earliest, datetime):
        return el("span", "May be used up from ", moment(earliest, seconds=False), " UTC on.", class_="warning")
    return el("span", "The limit is not expected to be reached.", class_="muted")


def about(gauge: Gauge, amount: int) -> str:
    """An amount that nobody knows to the nano-dollar, to the cent."""
    return gauge.told((amount + _CENT // 2) // _CENT * _CENT) if gauge.unit is Unit.USD else gauge.told(amount)
