"""What policy decided lately, to find the one to look at; and where rules that are tried would have said otherwise."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from proxy.admin.console.figures import duration, moment
from proxy.admin.console.markup import Html, el, join
from proxy.admin.console.shell import Place, card, heading, page
from proxy.admin.console.spend_page import scroller
from proxy.admin.shapes.decisions import Decision

MOST: Final = 100
POINTS: Final = {"request": "Request", "route": "Route", "tool_call": "Tool call", "response": "Response"}
ANSWERS: Final = {
    "no": ("denied", {"allow": "false", "shadow": "false"}),
    "yes": ("allowed", {"allow": "true", "shadow": "false"}),
    "tried": ("tried only", {"shadow": "true"}),
    "differs": ("tried, and different", {"differs": "true"}),
}
"""What the list may be narrowed to: what people call it, and what the API calls it."""
TEXTS: Final = {"code": "Code", "operation": "Operation", "key": "Key", "agent": "Agent", "run": "Run", "tool": "Tool"}
_COLUMNS: Final = (
    ("When (UTC)", ""),
    ("Answer", ""),
    ("Point", ""),
    ("Rule", ""),
    ("Obliges to", ""),
    ("Team / key", ""),
    ("Agent", ""),
    ("Model or tool", ""),
    ("Took", "num"),
)


def decisions_page(place: Place, decisions: Sequence[Decision], asked: Mapping[str, str], more: str) -> str:
    """The whole page; `asked` are the filters in force, `more` leads to the next page of the list, empty for none."""
    lead = f"The newest {MOST}, one line each. Nothing is asked where only the grant is loaded."
    head = heading("Decisions", lead, _filter(place, asked))
    if decisions:
        on = el("p", el("a", "Older ones", href=place.url("decisions", **asked, page=more)), class_="hint")
        shown = card("Newest first", _table(place, decisions), on if more else None, name="newest")
        return page(place, "Decisions", head, shown)
    if asked:
        none = el("p", "No such decision. ", el("a", "Show all", href=place.url("decisions")), class_="hint")
        return page(place, "Decisions", head, card("Nothing here", none, name="newest"))
    words = el(
        "p",
        "Policy has decided nothing yet: no rule beyond the grant is loaded, or no call met one. Rules are named by ",
        el("code", "policy.settings"),
        " or ",
        el("code", "policy.dir"),
        " in flyball.yaml.",
        class_="hint",
    )
    return page(place, "Decisions", head, card("No decisions yet", words, name="newest"))


def answer_of(one: Decision) -> Html:
    """Yes or no as a word with a colour; what was only tried or observed says so."""
    needs = any(each.get("type") == "require_approval" for each in one.obligations)
    word, tone = ("needs a person", "warn") if needs and one.allow else ("allowed", "good")
    if not one.allow:
        word, tone = ("no decision", "bad") if one.code == "policy_unavailable" else ("denied", "bad")
    note = "tried" if one.shadow else "observed" if one.observed else ""
    return join(
        el("span", word, class_=f"badge {tone}"),
        el("span", note, class_="chip beside") if note else None,
        el("span", "differs", class_="chip warn beside") if one.differs else None,
    )


def obliges_to(one: Decision) -> str:
    """The obligations' types."""
    return ", ".join(dict.fromkeys(str(each.get("type", "")) for each in one.obligations))


def moment_of(one: Decision) -> datetime:
    """When it was made."""
    return datetime.fromisoformat(one.decided_at)


def microseconds(one: Decision) -> str:
    """How long it took, in the unit that fits."""
    return f"{one.latency_us:.0f} µs" if one.latency_us < 1000 else duration(one.latency_us / 1000)


def _filter(place: Place, asked: Mapping[str, str]) -> Html:
    return el(
        "form",
        _choice("point", "Point", "all points", POINTS, asked),
        _choice("answer", "Answer", "all answers", {name: words for name, (words, _) in ANSWERS.items()}, asked),
        [_text(name, words, asked) for name, words in TEXTS.items()],
        el("button", "Find", type="submit"),
        method="get",
        action=place.url("decisions"),
        class_="grouping many",
    )


def _choice(name: str, label: str, every: str, words: Mapping[str, str], asked: Mapping[str, str]) -> Html:
    options = [el("option", every, value="", selected=name not in asked)]
    options += [el("option", told, value=one, selected=asked.get(name) == one) for one, told in words.items()]
    return el("span", el("label", label, for_=name), el("select", options, name=name, id=name))


def _text(name: str, label: str, asked: Mapping[str, str]) -> Html:
    field = el("input", type="search", name=name, id=name, value=asked.get(name, ""), maxlength=256, class_="search")
    return el("span", el("label", label, for_=name), field)


def _table(place: Place, decisions: Sequence[Decision]) -> Html:
    head = el("tr", [el("th", words, scope="col", class_=kind or None) for words, kind in _COLUMNS])
    rows = [_row(place, one) for one in decisions]
    caption = el("caption", "Decisions, newest first", class_="unseen")
    return scroller(el("table", caption, el("thead", head), el("tbody", rows), class_="recent"), "Decisions")


def _row(place: Place, one: Decision) -> Html:
    when = moment_of(one)
    link = el(
        "a",
        moment(when, seconds=False),
        el("span", f":{when:%S}", class_="fine"),
        href=place.url(f"decisions/{one.id}"),
        title=one.id,
    )
    what = one.tool or one.model
    return el(
        "tr",
        el("th", link, scope="row"),
        el("td", answer_of(one)),
        el("td", POINTS.get(one.point, one.point)),
        el("td", el("code", one.code) if one.code else None, class_="name", title=one.code or None),
        el("td", obliges_to(one), class_="name", title=obliges_to(one) or None),
        el("td", el("span", f"{_payer(place, one)} / ", class_="muted"), one.key_name),
        el("td", one.agent, class_="name short", title=one.agent or None),
        el("td", what, class_="name", title=what or None),
        el("td", microseconds(one), class_="num"),
    )


def _payer(place: Place, one: Decision) -> str:
    bound = place.session is not None and place.session.identity.org is not None
    return one.team if bound else f"{one.org}/{one.team}"
