"""The page of one approval: who asks, for what, what it can cost; and the buttons that say yes or no."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from proxy.admin.console.approvals_page import badge_of, left, title_of
from proxy.admin.console.figures import moment, usd_html
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.shell import Place, card, form_token, heading, page, tile, tiles
from proxy.admin.console.spend_page import scroller
from proxy.admin.shapes.approvals import Approval, ApprovalExplained, ToolCall
from proxy.core.money import Nano


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalFacts:
    """All that the page shows. `note` is what stood in a form that was refused."""

    explained: ApprovalExplained
    now: datetime
    may_see_calls: bool
    done: str = ""
    wrong: str = ""
    note: str = ""


def approval_page(place: Place, facts: ApprovalFacts) -> str:
    """The whole page."""
    one = facts.explained.approval
    title = title_of(one)
    who = f"{one.org}/{one.team}/{one.key}"
    return page(
        place,
        f"Approval: {title}",
        _trail(place, title),
        heading(join(title, " ", badge_of(one.state)), join(el("code", who), " · asked ", moment(one.made_at))),
        _flash(facts),
        _headline(facts),
        el(
            "div",
            el("div", _asked_for(facts), class_="stack"),
            el("div", _decide(place, facts), _about(place, one), class_="stack"),
            class_="columns",
        ),
    )


def _trail(place: Place, title: str) -> Html:
    items = (el("li", el("a", "Approvals", href=place.url("approvals"))), el("li", title, aria_current="page"))
    return el("nav", el("ol", items), class_="trail", aria_label="Breadcrumb")


def _flash(facts: ApprovalFacts) -> Html | None:
    if facts.wrong:
        return el("p", facts.wrong, class_="flash bad", role="alert")
    state = facts.explained.approval.state
    if facts.done and state == "approved":
        return el("p", "Approved: the same request passes once.", class_="flash good", role="status")
    if facts.done and state == "denied":
        words = "Denied: the same request is refused until the approval expires."
        return el("p", words, class_="flash good", role="status")
    return None


def _headline(facts: ApprovalFacts) -> Html:
    one = facts.explained.approval
    at_request = one.point == "request"
    cost = tile("Costs at most", usd_html(Nano(one.estimate_nano)), None if at_request else "spent already")
    what = tile(
        "Waits", "the call" if at_request else "a tool call", "before it is sent" if at_request else "after it was made"
    )
    if one.state == "pending":
        return tiles(what, cost, tile("Time left", left(one, facts.now), join("until ", moment(one.expires_at))))
    return tiles(what, cost, tile("Holds until", moment(one.expires_at)))


def _asked_for(facts: ApprovalFacts) -> Html:
    one, calls = facts.explained.approval, facts.explained.calls
    why = el("p", one.reason or "The rule gives no reason.")
    if one.point == "request":
        words = el(
            "p", f"The request to {one.model} as it stands. What is in it is not kept: ask who sends it.", class_="hint"
        )
        return card("What is asked for", why, words, name="asked")
    if calls:
        return card("What is asked for", why, [_call(call) for call in calls], name="asked")
    hint = "Its arguments cannot be read any more." if facts.may_see_calls else "Only who may decide sees arguments."
    return card("What is asked for", why, _names(one.tools), el("p", hint, class_="hint"), name="asked")


def _call(call: ToolCall) -> Html:
    return join(
        el("h3", el("code", _told(call.name))),
        scroller(el("pre", el("code", _readable(call.arguments)), class_="facts-json"), f"Arguments of {call.name}"),
    )


def _readable(arguments: str) -> str:
    """JSON in lines of its own; anything else, and what says a thing twice or loses by it, as the model wrote it."""
    try:
        return json.dumps(json.loads(arguments, object_pairs_hook=_once, parse_float=_as_written), indent=2)
    except (ValueError, RecursionError):
        return _told(arguments)


def _told(text: str) -> str:
    """What nobody would see, or would see in another order than it stands there, is told by its number."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else f"\\u{ord(sign):04x}" for sign in text)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice: whoever runs it may take the other one")
    return found


def _as_written(number: str) -> float:
    if repr(float(number)) != number:
        raise ValueError("the number would be shown as another one")
    return float(number)


def _names(tools: Sequence[str]) -> Html:
    return el("ul", [el("li", el("code", name)) for name in tools], class_="plain")


def _decide(place: Place, facts: ApprovalFacts) -> Html | None:
    one = facts.explained.approval
    if not facts.explained.may_decide or place.session is None:
        if one.state != "pending":
            return None
        return card("Your decision", el("p", facts.explained.why_not, class_="hint"), name="decide")
    note = el(
        "div",
        el("label", "Note: who asks reads it after a no", for_="note"),
        el("input", id="note", name="note", maxlength=1000, value=facts.note, autocomplete="off"),
        class_="field",
    )
    # One form: the button that is pressed says where it goes. Enter presses the first.
    yes = el("button", "Approve", type="submit", formaction=place.url(f"approvals/{one.id}/approve"))
    no = el("button", "Deny", type="submit", formaction=place.url(f"approvals/{one.id}/deny"), class_="danger")
    form = el(
        "form",
        form_token(place.session),
        note,
        el("div", no, " ", yes, class_="tools"),
        method="post",
        action=place.url(f"approvals/{one.id}/deny"),
        class_="change",
    )
    return card("Your decision", form, name="decide")


def _about(place: Place, one: Approval) -> Html:
    facts: list[tuple[str, Child]] = [
        ("Key", join(el("code", f"{one.org}/{one.team}/{one.key}"), f" of {one.owner}" if one.owner else "")),
        ("Agent", one.agent),
        ("Run", el("a", one.run, href=place.url("runs", name=one.run)) if one.run else "–"),
        ("End user", one.end_user or "–"),
        ("Model", join(el("code", one.model), f" · {one.endpoint}")),
        ("Asked by", el("a", one.operation, href=place.url(f"operations/{one.operation}"))),
        ("Rules", el("code", one.revision[:16])),
        ("Id", el("code", one.id)),
    ]
    if one.decided_at is not None:
        verb = "Denied" if one.state == "denied" else "Approved"
        facts.append((verb, join(moment(one.decided_at), f" by {one.decided_by}")))
    if one.note:
        facts.append(("Note", one.note))
    if one.used_at is not None:
        used = el("a", one.used_by, href=place.url(f"operations/{one.used_by}"))
        facts.append(("Used by", join(used, " at ", moment(one.used_at))))
    return card(
        "About it", el("dl", [(el("dt", name), el("dd", value)) for name, value in facts], class_="facts"), name="about"
    )
