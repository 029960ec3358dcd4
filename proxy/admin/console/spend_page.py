"""The spend page: what was spent, by whom, when, and how the budgets stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from proxy.admin.console.budget_bars import budget_list
from proxy.admin.console.chart import Series, Slot, stacked_bars
from proxy.admin.console.figures import count, count_short, decimals_for, permille, share, usd, usd_html
from proxy.admin.console.first_call import FirstCall, first_call_card
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.ranking import colour, lines, shown
from proxy.admin.console.readings import BudgetSeen, SpendSeen, Sum
from proxy.admin.console.shell import Place, card, heading, page, tile, tiles
from proxy.admin.console.span import SPANS, Span, Window
from proxy.core.money import Nano

_SLOT_WORDS: Final = {"1h": "5 minutes", "24h": "hour", "7d": "6 hours", "30d": "day"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendFacts:
    """All that the page shows."""

    window: Window
    by: str
    dimensions: Sequence[str]
    seen: SpendSeen
    budgets: Sequence[BudgetSeen]
    now: datetime
    live: bool


def spend_page(place: Place, facts: SpendFacts, first_call: FirstCall) -> str:
    """The whole page."""
    head = heading(
        "Spend", _period(facts.window), _span_links(place, facts), _grouping(place, facts), _live(place, facts)
    )
    budgets = card("Budgets", budget_list(place, facts.budgets, facts.now), name="budgets")
    if not facts.seen.whole.calls:
        return page(place, "Spend", head, first_call_card(first_call, facts.window.span.words.lower()), budgets)
    return page(
        place,
        f"Spend by {facts.by}",
        head,
        _headline(facts.seen),
        _chart(facts),
        el("div", _table(facts), budgets, class_="columns"),
    )


def _period(window: Window) -> Html:
    return join(f"{window.span.words}, since {_said(window.start)} UTC")


def _said(at: datetime) -> str:
    return f"{at.day} {at:%b %H:%M}"


def _span_links(place: Place, facts: SpendFacts) -> Html:
    def link(span: Span) -> Html:
        current = "true" if span is facts.window.span else None
        href = place.url("spend", range=span.name, by=facts.by, live="1" if facts.live else "")
        return el("li", el("a", span.name, href=href, aria_current=current, aria_label=span.words))

    return el("nav", el("ul", [link(span) for span in SPANS]), class_="segments", aria_label="Time range")


def _grouping(place: Place, facts: SpendFacts) -> Html:
    options = [el("option", name, value=name, selected=name == facts.by) for name in facts.dimensions]
    return el(
        "form",
        el("label", "Group by", for_="by"),
        el("select", options, name="by", id="by"),
        el("input", type="hidden", name="range", value=facts.window.span.name),
        el("input", type="hidden", name="live", value="1") if facts.live else None,
        el("button", "Apply", type="submit", class_="apply"),
        method="get",
        action=place.url("spend"),
        data_auto=True,
        class_="grouping",
    )


def _live(place: Place, facts: SpendFacts) -> Html:
    href = place.url("spend", range=facts.window.span.name, by=facts.by, live="" if facts.live else "1")
    words = "Live: on" if facts.live else "Live: off"
    said = "Stop refreshing this page" if facts.live else "Refresh this page every 10 seconds"
    return el("a", el("span", class_="dot"), words, href=href, class_=f"live {'on' if facts.live else ''}", title=said)


def _headline(seen: SpendSeen) -> Html:
    whole = seen.whole
    cached = share(whole.cache_read_tokens, whole.cache_read_tokens + whole.input_tokens)
    return tiles(
        tile("Spend", usd_html(whole.cost), _change(whole.cost, seen.earlier)),
        tile("Calls", count(whole.calls), f"{share(whole.refused, whole.calls)} refused"),
        tile(
            "Tokens",
            el("span", count_short(whole.tokens), title=count(whole.tokens)),
            f"{count_short(whole.input_tokens + whole.cache_read_tokens)} in · {count_short(whole.output_tokens)} out",
        ),
        tile("Read from cache", cached, "of input tokens"),
        tile("Unpriced calls", count(whole.unpriced), _unpriced(whole.unpriced), "bad" if whole.unpriced else ""),
    )


def _unpriced(number: int) -> str:
    return "not in the sum: add their prices to the overlay" if number else "every call has a price"


def _change(cost: Nano, earlier: Nano) -> str:
    if not earlier:
        return "nothing spent in the period before"
    gone = cost - earlier
    sign = "+" if gone >= 0 else "−"
    return f"{sign}{share(abs(gone), earlier)} against the period before ({usd(earlier)})"


def _chart(facts: SpendFacts) -> Html:
    drawn = lines(facts.seen, facts.window.slots)
    slots = [_slot(at, facts.window) for at in facts.window.slots]
    title = f"Stacked bars of spend by {facts.by}, one bar per {_SLOT_WORDS[facts.window.span.name]}"
    legend = el("ul", [el("li", swatch(one.colour), one.name) for one in drawn], class_="legend", aria_label="Legend")
    figure = el("figure", legend, stacked_bars(title, slots, drawn), _numbers(facts, slots, drawn))
    return card(
        f"Over time, by {facts.by}", figure, name="over-time", note=f"per {_SLOT_WORDS[facts.window.span.name]}"
    )


def _slot(at: datetime, window: Window) -> Slot:
    until = at + window.span.slot
    days = window.span.length.days > 1
    words = f"{_said(at)} – {_said(until) if days else f'{until:%H:%M}'} UTC"
    return Slot(f"{at.day} {at:%b}" if days else f"{at:%H:%M}", words)


def _numbers(facts: SpendFacts, slots: Sequence[Slot], drawn: Sequence[Series]) -> Html:
    decimals = decimals_for(amount for one in drawn for amount in one.amounts)
    head = el("tr", el("th", "From", scope="col"), [el("th", one.name, scope="col", class_="num") for one in drawn])
    rows = [
        el(
            "tr",
            el("th", slot.words, scope="row"),
            [el("td", usd_html(one.amounts[index], decimals), class_="num") for one in drawn],
        )
        for index, slot in enumerate(slots)
        if any(one.amounts[index] for one in drawn)
    ]
    table = el("table", el("caption", f"Spend by {facts.by} over time"), el("thead", head), el("tbody", rows))
    return el("details", el("summary", "Show as a table"), scroller(table, "Spend over time as a table"))


def _table(facts: SpendFacts) -> Html:
    names, whole = facts.seen.names, facts.seen.whole
    decimals = decimals_for(one.cost for one in [*names, whole])
    columns: tuple[tuple[str, str], ...] = (
        (facts.by.capitalize(), ""),
        ("Spend", "num"),
        ("Share", "num"),
        ("Calls", "num"),
        ("Tokens", "num"),
    )
    head = el("tr", [el("th", words, scope="col", class_=kind or None) for words, kind in columns])
    rows = [_row(one, rank, whole, decimals) for rank, one in enumerate(names)]
    foot = el("tr", el("th", "Total", scope="row"), _cells(whole, whole, decimals, "rest"))
    caption = el("caption", f"Spend by {facts.by}, dearest first", class_="unseen")
    table = el("table", caption, el("thead", head), el("tbody", rows), el("tfoot", foot), class_="ranking")
    more = f"the {len(names)} dearest" if sum(one.calls for one in names) < whole.calls else None
    return card(f"Top by {facts.by}", scroller(table, f"Spend by {facts.by}"), name="top", note=more)


def _row(one: Sum, rank: int, whole: Sum, decimals: int) -> Html:
    name = el("th", swatch(colour(rank)), shown(one.name), _unpriced_mark(one), scope="row")
    return el("tr", name, _cells(one, whole, decimals, colour(rank)))


def _cells(one: Sum, whole: Sum, decimals: int, colour_class: str) -> Html:
    return join(
        el("td", usd_html(one.cost, decimals), class_="num"),
        el(
            "td",
            _share_bar(one.cost, whole.cost, colour_class),
            el("span", share(one.cost, whole.cost)),
            class_="num share",
        ),
        el("td", count(one.calls), class_="num"),
        el("td", count_short(one.tokens), class_="num"),
    )


def _unpriced_mark(one: Sum) -> Html | None:
    if not one.unpriced:
        return None
    return join(" ", el("span", f"{count(one.unpriced)} unpriced", class_="chip bad"))


def _share_bar(part: Nano, whole: Nano, colour_class: str) -> Html:
    bar = el("rect", width=f"{permille(part, whole) / 10:.1f}%", height="100%", class_=colour_class)
    return el("svg", bar, class_="share-bar", width=72, height=6, aria_hidden="true")


def swatch(colour_class: str) -> Html:
    """A small square in a series' colour."""
    return el(
        "svg",
        el("rect", width=10, height=10, rx=2, class_=colour_class),
        class_="swatch",
        width=10,
        height=10,
        aria_hidden="true",
    )


def scroller(table: Child, label: str) -> Html:
    """A wide table in a box that scrolls by itself, reachable with the keyboard."""
    return el("div", table, class_="scroller", role="region", aria_label=label, tabindex="0")
