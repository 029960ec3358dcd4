"""The page of one decision: what was said, by which rules, what it obliged to, and the facts it was made by."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from proxy.admin.console.decisions_page import POINTS, answer_of, microseconds, moment_of
from proxy.admin.console.figures import moment
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.shell import Place, card, heading, page
from proxy.admin.console.spend_page import scroller
from proxy.admin.shapes.decisions import Decision, DecisionExplained

_SHORT: Final = 12


def decision_page(place: Place, explained: DecisionExplained, beside: Sequence[Decision]) -> str:
    """The whole page; `beside` are the other decisions at the same point of the same operation."""
    one = explained.decision
    trail = el(
        "nav",
        el(
            "ol",
            el("li", el("a", "Decisions", href=place.url("decisions"))),
            el("li", one.id, aria_current="page"),
        ),
        class_="trail",
        aria_label="Breadcrumb",
    )
    title = join(POINTS.get(one.point, one.point), " ", answer_of(one))
    head = heading(title, join(el("code", one.id), " · ", moment(moment_of(one))))
    left = el("div", _said(one), _obliged(one), _shadow(place, one, beside), class_="stack")
    right = el("div", _by(place, one), _who(one), class_="stack")
    columns = el("div", left, right, class_="columns")
    return page(place, f"Decision {one.id}", trail, head, columns, _input(explained))


def decision_line(place: Place, one: Decision) -> Html:
    """A decision in a list of them."""
    code = el("code", f" {one.code}") if one.code else None
    name = POINTS.get(one.point, one.point) + (f" {one.tool}" if one.tool else "")
    return el("li", el("a", name, href=place.url(f"decisions/{one.id}")), " ", answer_of(one), code)


def _said(one: Decision) -> Html:
    pairs: list[tuple[str, Child]] = [
        ("Answer", answer_of(one)),
        ("Rule", _code(one.code)),
        ("Told the client", one.message),
        ("Kept here", one.internal),
        ("All that said no", join(el("span", each, class_="chip") for each in one.denials) if one.denials else None),
    ]
    return card("What was said", facts(pairs), name="said")


def _obliged(one: Decision) -> Html | None:
    if not one.obligations:
        return None
    rows = [el("li", el("code", str(each.get("type", ""))), f" {_members(each)}") for each in one.obligations]
    return card("Obliges to", el("ul", rows, class_="plain"), name="obliges")


def _members(obligation: Mapping[str, Any]) -> str:
    left = {name: value for name, value in obligation.items() if name != "type"}
    return json.dumps(left, ensure_ascii=False) if left else ""


def _shadow(place: Place, one: Decision, beside: Sequence[Decision]) -> Html | None:
    """What counted beside what was tried, whichever of the two this is."""
    if one.shadow:
        live = [each for each in beside if each.id == one.live_id]
        words = "the grant alone" if not one.live_id else "a decision that is not at hand"
        counted = el("ul", [decision_line(place, each) for each in live] or el("li", words), class_="plain")
        note = "differs from what counted" if one.differs else "the same as what counted"
        return card("What counted", counted, name="counted", note=note)
    tried = [each for each in beside if each.shadow and each.live_id == one.id]
    if not tried:
        return None
    lines = el("ul", [decision_line(place, each) for each in tried], class_="plain")
    return card("Rules that are tried", lines, name="tried", note="never enforced")


def _by(place: Place, one: Decision) -> Html:
    operation = el("a", el("code", one.operation_id), href=place.url(f"operations/{one.operation_id}"))
    pairs: list[tuple[str, Child]] = [
        ("Operation", operation),
        ("Engine", _code(one.engine)),
        ("Revision", el("code", one.revision[:_SHORT], title=one.revision) if one.revision else None),
        ("Took", microseconds(one) if one.latency_us else ""),
        ("Approval", _code(one.approval_id)),
        ("Worker", _code(one.worker)),
    ]
    return card("By what", facts(pairs), name="by")


def _who(one: Decision) -> Html:
    pairs: list[tuple[str, Child]] = [
        ("Org", one.org),
        ("Team", one.team),
        ("Key", join(one.key_name, " ", el("code", one.key_id, class_="muted"))),
        ("Agent", one.agent),
        ("Run", _code(one.run)),
        ("End user", one.end_user),
        ("Model", _code(one.model)),
        ("Provider", one.provider),
        ("Tool", _code(one.tool)),
    ]
    return card("About whom", facts(pairs), name="who")


def _input(explained: DecisionExplained) -> Html:
    note = "what the rules were given, without anybody's words"
    if explained.input is None:
        return card("Input", el("p", "No rule was asked, or nothing of it was kept.", class_="hint"), name="input")
    text = json.dumps(explained.input, indent=2, ensure_ascii=False)
    missing = el(
        "p",
        "Not as a rule may have seen it (no rule reads it, or it is not kept): ",
        join(el("span", each, class_="chip") for each in explained.unread),
        class_="hint",
    )
    whole = scroller(el("pre", text, class_="facts-json"), "Input")
    return card("Input", whole, missing if explained.unread else None, name="input", note=note)


def facts(pairs: Sequence[tuple[str, Child]]) -> Html:
    """Names and what stands there; empty ones are left out."""
    return el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in pairs if value], class_="facts")


def _code(text: str) -> Html | None:
    return el("code", text) if text else None
