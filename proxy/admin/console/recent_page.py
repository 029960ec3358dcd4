"""The newest operations, to find the one to look at."""

from collections.abc import Sequence
from typing import Final

from proxy.admin.console.figures import count, decimals_for, duration, moment, usd_html
from proxy.admin.console.first_call import FirstCall, first_call_card
from proxy.admin.console.markup import Html, el, join
from proxy.admin.console.operation_page import badge, cost_of
from proxy.admin.console.operation_search import Searched, search_form
from proxy.admin.console.readings import OperationSeen
from proxy.admin.console.shell import Place, card, heading, page
from proxy.admin.console.spend_page import scroller

MOST: Final = 100
_COLUMNS: Final = (
    ("When (UTC)", ""),
    ("Outcome", ""),
    ("Model", ""),
    ("Team / key", ""),
    ("Agent", ""),
    ("Tokens", "num"),
    ("Cost", "num"),
    ("Took", "num"),
)


def recent_page(
    place: Place, operations: Sequence[OperationSeen], searched: Searched, more: str, first_call: FirstCall
) -> str:
    """The whole page; `more` leads to the next page of the list, empty for none."""
    head = heading("Operations", f"Calls, {MOST} a page, one line each")
    form = search_form(place, searched)
    problem = el("p", searched.problem, class_="flash warn", role="status") if searched.problem else None
    if operations:
        on = el("p", el("a", "Older ones", href=place.url("operations", **searched.given, page=more)), class_="hint")
        shown = card("Newest first", _table(place, operations), on if more else None, name="newest")
        return page(place, "Operations", head, form, problem, shown)
    if searched.given:
        none = el(
            "p",
            "No operation is like that. ",
            el("a", "Show all", href=place.url("operations")),
            class_="hint",
        )
        return page(place, "Operations", head, form, problem, card("Nothing here", none, name="newest"))
    return page(place, "Operations", head, form, problem, first_call_card(first_call, "time that is kept"))


def _table(place: Place, operations: Sequence[OperationSeen]) -> Html:
    decimals = decimals_for(one.cost for one in operations if one.cost is not None)
    head = el("tr", [el("th", words, scope="col", class_=kind or None) for words, kind in _COLUMNS])
    rows = [_row(place, one, decimals) for one in operations]
    caption = el("caption", "Operations, newest first", class_="unseen")
    return scroller(el("table", caption, el("thead", head), el("tbody", rows), class_="recent"), "Operations")


def _row(place: Place, one: OperationSeen, decimals: int) -> Html:
    link = el(
        "a",
        moment(one.charged_at, seconds=False),
        el("span", f":{one.charged_at:%S}", class_="fine"),
        href=place.url(f"operations/{one.operation_id}"),
        title=one.operation_id,
    )
    code = one.facts.get("code", "")
    cost = usd_html(one.cost, decimals) if one.cost is not None else cost_of(one.cost, one.outcome)
    return el(
        "tr",
        el("th", link, scope="row"),
        el("td", badge(one.outcome), el("span", f" {code}", class_="muted code") if code else None),
        _name(one.model or one.requested_model),
        el("td", _payer(place, one)),
        _name(one.facts.get("agent", "")),
        el("td", count(sum(one.tokens.values())), class_="num"),
        el("td", cost, class_="num"),
        el("td", duration(one.duration_ms), class_="num"),
    )


def _name(text: str) -> Html:
    """A cell that is cut where it is too long; pointing at it tells the rest."""
    return el("td", text, class_="name", title=text or None)


def _payer(place: Place, one: OperationSeen) -> Html:
    bound = place.session is not None and place.session.identity.org is not None
    path = (one.team,) if bound else (one.org, one.team)
    return join(el("span", f"{'/'.join(path)} / ", class_="muted"), one.key_name)
