"""The page of kill switches: what is off, by whom, why and since when; a form that turns something off."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from proxy.admin.console.figures import moment
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.shell import Place, card, form_token, heading, page
from proxy.admin.console.spend_page import scroller
from proxy.admin.shapes.switches import KillSwitch
from proxy.policy import LONGEST_REASON, SwitchKind

SURE: Final = "yes"
SPANS: Final = {
    "1h": ("one hour", timedelta(hours=1)),
    "8h": ("eight hours", timedelta(hours=8)),
    "1d": ("one day", timedelta(days=1)),
    "7d": ("one week", timedelta(days=7)),
}
_EXAMPLES: Final = {
    SwitchKind.ORG: "An org: acme",
    SwitchKind.TEAM: "A team: acme/support",
    SwitchKind.KEY: "A key: acme/support/bot",
    SwitchKind.AGENT: "An agent: acme/triage",
    SwitchKind.RUN: "A run: acme/nightly-42",
    SwitchKind.MODEL: "Models: gpt-5*",
    SwitchKind.PROVIDER: "A provider: openai",
    SwitchKind.TOOL: "Tools: delete_*",
    SwitchKind.VARIANT: "A route's target: assistant/canary",
    SwitchKind.WRITES: "All that writes: of an org, or of all",
}
_TONES: Final = {"on": "bad", "lifted": "good", "expired": "warn"}
_COLUMNS: Final = ("Off", "Why", "By", "Since (UTC)", "Until (UTC)")


@dataclass(frozen=True, kw_only=True, slots=True)
class SwitchesFacts:
    """All that the page shows. `given` is what stood in a form that was refused, so that nobody types it twice."""

    on: Sequence[KillSwitch]
    ended: Sequence[KillSwitch]
    has_more: bool
    may_set: bool
    may_lift: bool
    done: KillSwitch | None = None
    wrong: str = ""
    given: dict[str, str] = field(default_factory=dict)


def switches_page(place: Place, facts: SwitchesFacts) -> str:
    """The whole page."""
    words = "What is turned off, on every worker of every host, until it is lifted"
    content: Child = el("div", _on(place, facts), _ended(facts), class_="stack")
    if facts.may_set and place.session is not None:
        content = el("div", content, el("div", _form(place, facts), class_="stack"), class_="columns")
    return page(place, "Kill switches", heading("Kill switches", words), _flash(facts), content)


def _flash(facts: SwitchesFacts) -> Html | None:
    if facts.wrong:
        return el("p", facts.wrong, class_="flash bad", role="alert")
    done = facts.done
    if done is None:
        return None
    if done.state != "on":
        return el("p", f"{done.target} is let go on.", class_="flash good", role="status")
    words = f"{done.target} is turned off: new calls are refused, and its open streams end within two seconds."
    if done.warnings:
        warned = f"{words} But {'; '.join(done.warnings)}."
        return el("p", warned, class_="flash warn", role="alert")
    return el("p", words, class_="flash good", role="status")


def _on(place: Place, facts: SwitchesFacts) -> Html:
    if not facts.on:
        return card("Off now", el("p", "Nothing is turned off.", class_="hint"), name="off")
    columns = (*_COLUMNS, "Lift") if facts.may_lift else _COLUMNS
    rows = [_row(one, _lift(place, one) if facts.may_lift else None) for one in facts.on]
    note = "there are more: flyball kill list" if facts.has_more else None
    return card("Off now", _table(columns, rows, "Kill switches that are set"), name="off", note=note)


def _ended(facts: SwitchesFacts) -> Html | None:
    if not facts.ended:
        return None
    rows = [_row(one, _end_of(one)) for one in facts.ended]
    return card("Ended", _table((*_COLUMNS, "Ended"), rows, "Kill switches that have ended"), name="ended")


def _table(columns: Sequence[str], rows: Sequence[Html], label: str) -> Html:
    head = el("tr", [el("th", words, scope="col") for words in columns])
    table = el("table", el("caption", label, class_="unseen"), el("thead", head), el("tbody", rows), class_="recent")
    return scroller(table, label)


def _row(one: KillSwitch, last: Child) -> Html:
    return el(
        "tr",
        el("th", el("code", one.target), scope="row", class_="name", title=f"{one.target} ({one.id})"),
        el("td", one.reason, class_="why"),
        el("td", one.by, class_="name", title=one.by),
        el("td", moment(one.since, seconds=False)),
        el("td", moment(one.expires_at, seconds=False) if one.expires_at else "lifted"),
        el("td", last) if last is not None else None,
    )


def _end_of(one: KillSwitch) -> Child:
    badge = el("span", one.state, class_=f"badge {_TONES[one.state]}")
    if one.lifted_at is None:
        return badge
    return join(badge, " ", moment(one.lifted_at, seconds=False), f" by {one.lifted_by}")


def _lift(place: Place, one: KillSwitch) -> Html | None:
    """In two steps, without a script: whoever opens it sees what the button does."""
    if place.session is None:
        return None
    form = el(
        "form",
        form_token(place.session),
        el("button", "Let it go on", type="submit", aria_label=f"Let {one.target} go on"),
        method="post",
        action=place.url(f"switches/{one.id}/lift"),
        class_="inline",
    )
    return el("details", el("summary", "Lift", aria_label=f"Lift {one.target}"), form, class_="lift")


def _form(place: Place, facts: SwitchesFacts) -> Html:
    assert place.session is not None
    given = facts.given
    kinds = [
        el("option", words, value=kind.value, selected=kind.value == given.get("kind"))
        for kind, words in _EXAMPLES.items()
    ]
    spans = [el("option", "until it is lifted", value="")]
    spans += [
        el("option", f"for {words}", value=name, selected=name == given.get("span"))
        for name, (words, _) in SPANS.items()
    ]
    form = el(
        "form",
        form_token(place.session),
        _field("kind", "What", el("select", kinds, name="kind", id="kind")),
        _field("target", "Its name, as in the example", _text("target", "name", given.get("name", ""), 300)),
        _field(
            "reason",
            "Why; those who are refused are told",
            _text("reason", "reason", given.get("reason", ""), LONGEST_REASON, required=True),
        ),
        _field("span", "How long", el("select", spans, name="span", id="span")),
        el(
            "div",
            el("input", type="checkbox", name="sure", id="sure", value=SURE, required=True),
            el("label", "Refuse its calls and end its open streams now", for_="sure"),
            class_="tick",
        ),
        el("button", "Turn it off", type="submit", class_="danger"),
        method="post",
        action=place.url("switches"),
        class_="change",
    )
    return card("Turn something off", form, name="turn-off")


def _field(name: str, words: str, control: Html) -> Html:
    return el("div", el("label", words, for_=name), control, class_="field")


def _text(ident: str, name: str, value: str, most: int, *, required: bool = False) -> Html:
    return el(
        "input", type="text", name=name, id=ident, value=value, maxlength=most, required=required, autocomplete="off"
    )
