"""The pages of statements: which months are closed, and one statement as it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proxy.admin.console.figures import count, decimals_for, usd_html
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.shell import Place, card, heading, page, tile, tiles
from proxy.admin.console.spend_page import scroller
from proxy.admin.shapes.statements import StatementOut, StatementSums
from proxy.core.money import Nano

_WHY: Final = {"late": "calls that came late", "reprice": "repriced"}
_OF_LIST: Final = (
    *(("Month", ""), ("Team", ""), ("Number", "num"), ("Usage", "num"), ("Adjustments", "num"), ("Negotiated", "num")),
    *(("Total", "num"), ("Closed", ""), ("By", "")),
)
_OF_USAGE: Final = (
    *(("Cost center", ""), ("Key", ""), ("Provider", ""), ("Model", ""), ("Calls", "num"), ("Input", "num")),
    *(("Output", "num"), ("At list prices", "num"), ("Charged", "num")),
)
_OF_LATE: Final = (
    ("Of", ""),
    ("Why", ""),
    ("Cost center", ""),
    ("Key", ""),
    ("Model", ""),
    ("Calls", "num"),
    ("", "num"),
)
_OF_AGREED: Final = (("What", ""), ("Cost center", ""), ("Note", ""), ("", "num"))


@dataclass(frozen=True, kw_only=True, slots=True)
class StatementsFacts:
    """All that the list shows."""

    statements: Sequence[StatementSums]
    period: str
    next_page: str


def statements_page(place: Place, facts: StatementsFacts) -> str:
    """Closed months, the newest first."""
    head = heading(
        "Statements",
        "What each team was charged for a closed month; a statement never changes",
        _by_month(place, facts),
    )
    if not facts.statements:
        words = f"No month is closed{' by that name' if facts.period else ''}."
        hint = el("p", words, " Close one with ", el("code", "flyball close 2026-10"), ".", class_="hint")
        return page(place, "Statements", head, card("Closed months", hint, name="months"))
    table = _table(_OF_LIST, [_sums(place, one) for one in facts.statements], "Statements")
    more = None
    if facts.next_page:
        more = el("p", el("a", "Earlier ones", href=place.url("statements", period=facts.period, page=facts.next_page)))
    return page(place, "Statements", head, card("Closed months", table, more, name="months"))


def statement_page(place: Place, one: StatementOut) -> str:
    """One statement, whole, as it is printed."""
    whom = f"{one.org}/{one.team}" if one.team else f"{one.org} as a whole"
    path = f"statements/{one.org}/{one.number}"
    tools = [
        el("a", words, href=place.url(path, format=kind), class_="button")
        for words, kind in (("CSV", "csv"), ("JSON", "json"))
    ]
    words = join(f"{one.period} ({one.timezone}), statement {one.number} of {one.org}")
    return page(
        place,
        f"Statement {one.number} of {whom}",
        heading(f"Statement: {whom}", words, *tools),
        _unpriced(one),
        _headline(one),
        _usage(one),
        _corrections(one),
        _agreed(one),
        _proof(one),
    )


def _by_month(place: Place, facts: StatementsFacts) -> Html:
    field = el(
        "input",
        type="month",
        name="period",
        id="period",
        value=facts.period,
        placeholder="2026-10",
        pattern="20[0-9]{2}-[0-9]{2}",
    )
    button = el("button", "Show", type="submit")
    return el(
        "form",
        el("label", "Month", for_="period"),
        field,
        button,
        method="get",
        action=place.url("statements"),
        class_="grouping",
    )


def _sums(place: Place, one: StatementSums) -> Html:
    href = place.url(f"statements/{one.org}/{one.number}")
    team = el("a", f"{one.org}/{one.team}" if one.team else f"{one.org} as a whole", href=href)
    amounts = (one.usage_nano, one.adjustments_nano, one.negotiated_nano, one.total_nano)
    return el(
        "tr",
        el("td", one.period),
        el("th", team, scope="row", class_="name"),
        el("td", count(one.number), class_="num"),
        [el("td", usd_html(Nano(amount)), class_="num") for amount in amounts],
        el("td", _when(one.closed_at)),
        el("td", one.closed_by, class_="name", title=one.closed_by),
    )


def _unpriced(one: StatementOut) -> Html | None:
    if not one.unpriced_calls:
        return None
    words = f"{count(one.unpriced_calls)} calls had no price when the month was closed, and are in no sum."
    return el("p", words, class_="flash warn", role="note")


def _headline(one: StatementOut) -> Html:
    corrections, agreed = _lines(len(one.adjustments)), _lines(len(one.negotiated))
    return tiles(
        tile("Total", usd_html(Nano(one.total_nano)), f"{one.period}, {one.timezone}"),
        tile("Usage", usd_html(Nano(one.usage_nano)), f"{count(sum(line.calls for line in one.usage))} calls"),
        tile("Adjustments", usd_html(Nano(one.adjustments_nano)), f"{corrections} of earlier months"),
        tile("Negotiated", usd_html(Nano(one.negotiated_nano)), agreed),
    )


def _lines(number: int) -> str:
    return f"{number} line" if number == 1 else f"{number} lines"


def _usage(one: StatementOut) -> Html | None:
    if not one.usage:
        return None
    decimals = decimals_for(Nano(amount) for line in one.usage for amount in (line.cost_nano, line.list_nano))
    rows = [
        el(
            "tr",
            el("td", line.cost_center or "–"),
            el("th", line.key, scope="row", class_="name", title=line.key),
            el("td", line.provider),
            el("td", line.model, class_="name", title=line.model),
            el("td", _no_price(line.unpriced_calls), count(line.calls), class_="num"),
            el("td", count(_tokens(line.tokens, "input", "cache")), class_="num"),
            el("td", count(_tokens(line.tokens, "output", "reasoning")), class_="num"),
            el("td", usd_html(Nano(line.list_nano), decimals), class_="num"),
            el("td", usd_html(Nano(line.cost_nano), decimals), class_="num"),
        )
        for line in one.usage
    ]
    foot = _foot(len(_OF_USAGE), "Usage", one.usage_nano, decimals)
    return card("Usage", _table(_OF_USAGE, rows, "Usage by key and model", foot), name="usage")


def _tokens(tokens: dict[str, int], *kinds: str) -> int:
    return sum(number for bucket, number in tokens.items() if any(kind in bucket for kind in kinds))


def _no_price(calls: int) -> Html | None:
    return join(el("span", f"{count(calls)} unpriced", class_="chip bad"), " ") if calls else None


def _corrections(one: StatementOut) -> Html | None:
    if not one.adjustments:
        return None
    decimals = decimals_for(Nano(line.amount_nano) for line in one.adjustments)
    rows = [
        el(
            "tr",
            el("td", line.of_period),
            el("td", _WHY[line.why]),
            el("td", line.cost_center or "–"),
            el("th", line.key, scope="row", class_="name", title=line.key),
            el("td", line.model, class_="name", title=line.model),
            el("td", count(line.calls) if line.calls else "–", class_="num"),
            el("td", usd_html(Nano(line.amount_nano), decimals), class_="num"),
        )
        for line in one.adjustments
    ]
    foot = _foot(len(_OF_LATE), "Adjustments", one.adjustments_nano, decimals)
    note = "what became known of earlier months after they were closed"
    return card("Adjustments", _table(_OF_LATE, rows, "Adjustments", foot), name="adjustments", note=note)


def _agreed(one: StatementOut) -> Html | None:
    if not one.negotiated:
        return None
    decimals = decimals_for(Nano(line.amount_nano) for line in one.negotiated)
    rows = [
        el(
            "tr",
            el("th", line.kind, scope="row"),
            el("td", line.cost_center or "–"),
            el("td", line.note, class_="why"),
            el("td", usd_html(Nano(line.amount_nano), decimals), class_="num"),
        )
        for line in one.negotiated
    ]
    foot = _foot(len(_OF_AGREED), "Negotiated", one.negotiated_nano, decimals)
    return card("Negotiated", _table(_OF_AGREED, rows, "Negotiated lines", foot), name="negotiated")


def _proof(one: StatementOut) -> Html:
    facts = (
        ("From", _when(one.starts_at)),
        ("Until", _when(one.ends_at)),
        ("Closed", join(_when(one.closed_at), f" by {one.closed_by}")),
        ("Prices", el("code", ", ".join(one.price_versions) or "none")),
        ("SHA-256", el("code", one.hash)),
        (
            "The team's statement before",
            el("code", one.previous_hash) if one.previous_hash else "none: this is the first",
        ),
    )
    rows = [el("div", el("dt", name), el("dd", value)) for name, value in facts]
    return card(
        "What it rests on",
        el("dl", rows, class_="facts"),
        name="proof",
        note="money counts to the month in which a call came in",
    )


def _when(text: str) -> Html:
    return el("time", text.replace("T", " ").replace("Z", " UTC"), datetime=text)


def _foot(columns: int, words: str, nano: int, decimals: int) -> Html:
    head = el("th", words, scope="row", colspan=columns - 1)
    return el("tr", head, el("td", usd_html(Nano(nano), decimals), class_="num"))


def _table(columns: Sequence[tuple[str, str]], rows: Sequence[Html], label: str, foot: Child = None) -> Html:
    head = el("tr", [el("th", words or "Amount", scope="col", class_=kind or None) for words, kind in columns])
    table = el(
        "table",
        el("caption", label, class_="unseen"),
        el("thead", head),
        el("tbody", rows),
        el("tfoot", foot) if foot else None,
        class_="recent",
    )
    return scroller(table, label)
