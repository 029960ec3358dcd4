"""The runs of agents, the latest first: what each did, what it cost, and whether it still goes on."""

from collections.abc import Sequence
from typing import Final

from proxy.admin.console.figures import count, count_short, decimals_for, duration, moment, usd_html
from proxy.admin.console.markup import Html, el, join
from proxy.admin.console.shell import Place, card, heading, page
from proxy.admin.console.spend_page import scroller
from proxy.admin.shapes.runs import Run
from proxy.core.money import Nano

MOST: Final = 100
STATES: Final = ("open", "stopped", "killed")
_TONES: Final = {"open": "good", "stopped": "warn", "killed": "bad"}
_COLUMNS: Final = (
    ("Run", ""),
    ("State", ""),
    ("Team / key", ""),
    ("Agents", ""),
    ("Calls", "num"),
    ("Refused", "num"),
    ("Tool calls", "num"),
    ("Tokens", "num"),
    ("Cost", "num"),
    ("Took", "num"),
    ("Depth", "num"),
    ("Last call (UTC)", ""),
)


def runs_page(place: Place, runs: Sequence[Run], state: str, search: str) -> str:
    """The whole page; `state` and `search` are the filters in force, empty for none."""
    head = heading("Runs", f"The latest {MOST} of the last 30 days, one line each", _filter(place, state, search))
    if runs:
        return page(place, "Runs", head, card("Latest first", _table(place, runs), name="latest"))
    if state or search:
        none = el("p", "No such run. ", el("a", "Show all", href=place.url("runs")), class_="hint")
        return page(place, "Runs", head, card("Nothing here", none, name="latest"))
    words = el(
        "p",
        "A call belongs to a run when it says so with the header ",
        el("code", "x-flyball-run"),
        ", with metadata.session_id, or with a traceparent. None did in the last 30 days.",
        class_="hint",
    )
    return page(place, "Runs", head, card("No runs yet", words, name="latest"))


def badge_of(state: str) -> Html:
    """Whether a run goes on, as a word with a colour."""
    return el("span", state, class_=f"badge {_TONES.get(state, 'warn')}")


def took(run: Run) -> str:
    """How long a run has gone on, from its first call to its last."""
    if run.began_at is None or run.last_at is None:
        return "–"
    return duration((run.last_at - run.began_at).total_seconds() * 1000)


def tokens_of(run: Run) -> int:
    """All its tokens, in and out."""
    return sum(run.tokens.values())


def _filter(place: Place, state: str, search: str) -> Html:
    options = [el("option", "all states", value="", selected=not state)]
    options += [el("option", one, value=one, selected=one == state) for one in STATES]
    return el(
        "form",
        el("label", "Name", for_="name"),
        el("input", type="search", name="name", id="name", value=search, maxlength=256, class_="search"),
        el("label", "State", for_="state"),
        el("select", options, name="state", id="state"),
        el("button", "Find", type="submit"),
        method="get",
        action=place.url("runs"),
        class_="grouping",
    )


def _table(place: Place, runs: Sequence[Run]) -> Html:
    decimals = decimals_for(Nano(run.cost_nano) for run in runs)
    head = el("tr", [el("th", words, scope="col", class_=kind or None) for words, kind in _COLUMNS])
    rows = [_row(place, run, decimals) for run in runs]
    caption = el("caption", "Runs, the latest first", class_="unseen")
    return scroller(el("table", caption, el("thead", head), el("tbody", rows), class_="recent"), "Runs")


def _row(place: Place, run: Run, decimals: int) -> Html:
    refused = el("span", count(run.refused_calls), class_="alarm") if run.refused_calls else "0"
    unpriced = (
        el("abbr", "? + ", title=f"{count(run.unpriced_calls)} calls of unknown price", class_="alarm")
        if run.unpriced_calls
        else None
    )
    return el(
        "tr",
        el("th", el("a", run.name, href=place.url(f"runs/{run.id}")), scope="row", class_="name", title=run.name),
        el("td", badge_of(run.state)),
        el("td", el("span", f"{_payer(place, run)} / ", class_="muted"), run.key),
        el("td", ", ".join(run.agents), class_="name short", title=", ".join(run.agents) or None),
        el("td", count(run.calls), class_="num"),
        el("td", refused, class_="num"),
        el("td", count(run.tool_calls), class_="num"),
        el("td", count_short(tokens_of(run)), class_="num"),
        el("td", unpriced, usd_html(Nano(run.cost_nano), decimals), class_="num"),
        el("td", took(run), class_="num"),
        el("td", str(run.depth or "–"), class_="num"),
        el("td", join(moment(run.last_at, seconds=False)) if run.last_at else "under way"),
    )


def _payer(place: Place, run: Run) -> str:
    bound = place.session is not None and place.session.identity.org is not None
    return run.team if bound else f"{run.org}/{run.team}"
