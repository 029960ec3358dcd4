"""The page of variants: targets of a route beside each other, those that only get copies below those that serve."""

from itertools import groupby
from typing import Final

from proxy.admin.console.figures import count, count_short, decimals_for, duration, share, usd_html
from proxy.admin.console.markup import Child, Html, el
from proxy.admin.console.shell import Place, card, heading, page
from proxy.admin.console.spend_page import scroller
from proxy.admin.shapes.variants import Variant
from proxy.core.money import Nano, exact_usd

DAYS: Final = ("1", "7", "30")
_COLUMNS: Final = (
    ("Variant", ""),
    ("Requests", "num"),
    ("Failed", "num"),
    ("Median", "num"),
    ("95th percentile", "num"),
    ("First token", "num"),
    ("Cost each", "num"),
    ("Output tokens each", "num"),
    ("Cut off", "num"),
    ("Likeness", "num"),
    ("Copied calls' cost", "num"),
)


def variants_page(place: Place, variants: tuple[Variant, ...], days: str) -> str:
    """The whole page, for the last so many days."""
    head = heading("Variants", "Targets of a route beside each other", _filter(place, days))
    if variants:
        cards = [
            card(route, _table(place, route, list(each)), name=f"route-{number}")
            for number, (route, each) in enumerate(groupby(variants, key=lambda one: one.route))
        ]
        return page(place, "Variants", head, *cards)
    words = el(
        "p",
        "Targets are compared once they have a name: ",
        el("code", "variant"),
        " on a route's targets, or ",
        el("code", "shadows"),
        " for copies of its calls. No such request was made in this time.",
        class_="hint",
    )
    return page(place, "Variants", head, card("Nothing to compare", words, name="none"))


def _filter(place: Place, days: str) -> Html:
    options = [
        el("option", "the last day" if one == "1" else f"the last {one} days", value=one, selected=one == days)
        for one in DAYS
    ]
    return el(
        "form",
        el("label", "Of", for_="days"),
        el("select", options, name="days", id="days"),
        el("button", "Show", type="submit"),
        method="get",
        action=place.url("variants"),
        class_="grouping",
    )


def _table(place: Place, route: str, variants: list[Variant]) -> Html:
    decimals = decimals_for(_each(one.cost_nano, one.priced_calls) for one in variants if one.priced_calls)
    head = el("tr", [el("th", words, scope="col", class_=kind or None) for words, kind in _COLUMNS])
    rows = [_row(place, one, decimals) for one in variants]
    caption = el("caption", f"Variants of {route}", class_="unseen")
    return scroller(el("table", caption, el("thead", head), el("tbody", rows), class_="recent"), route)


def _row(place: Place, one: Variant, decimals: int) -> Html:
    answered = one.calls - one.failed
    failed = el("span", share(one.failed, one.calls), class_="alarm") if one.failed else "0"
    cells: tuple[Child, ...] = (
        count(one.calls),
        failed,
        duration(one.p50_ms),
        duration(one.p95_ms),
        duration(one.ttft_ms),
        usd_html(_each(one.cost_nano, one.priced_calls), decimals) if one.priced_calls else "–",
        count_short(one.output_tokens // answered) if answered else "–",
        share(one.cut_calls, one.calls) if one.cut_calls else "0",
        "–" if one.similarity is None else f"{one.similarity * 100:.0f} %",
        "–" if one.copied_cost_usd is None or not answered else _copied(one, answered, decimals),
    )
    return el("tr", el("th", one.variant, _badges(place, one), scope="row"), [el("td", c, class_="num") for c in cells])


def _copied(one: Variant, answered: int, decimals: int) -> Html:
    return usd_html(_each(exact_usd(one.copied_cost_usd or 0), answered), decimals)


def _badges(place: Place, one: Variant) -> list[Child]:
    told: list[Child] = []
    if one.copy:
        told += [" ", el("span", "copies", class_="chip")]
    if one.rolled_back:
        link = el("a", "rolled back", href=place.url("switches"), title=one.reason)
        told += [" ", el("span", link, class_="badge bad")]
    return told


def _each(total: int, calls: int) -> Nano:
    return Nano(total // max(1, calls))
