"""The page of approvals: what waits for a person first, then what was decided."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from proxy.admin.console.figures import duration, moment, usd_html
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.shell import Place, card, heading, page
from proxy.admin.console.spend_page import scroller
from proxy.admin.shapes.approvals import Approval
from proxy.core.money import Nano

MOST: Final = 100
TONES: Final = {"pending": "warn", "approved": "good", "denied": "bad", "used": "good"}
_COLUMNS: Final = (
    ("Approval", ""),
    ("Team / key", ""),
    ("Agent", ""),
    ("Why", ""),
    ("At most", "num"),
)


def approvals_page(place: Place, waiting: Sequence[Approval], others: Sequence[Approval], now: datetime) -> str:
    """The whole page."""
    words = "Calls that a policy lets pass only when a person says yes"
    if not waiting and not others:
        return page(place, "Approvals", heading("Approvals", words), card("Nothing waits", _how(), name="waiting"))
    content: list[Child] = [_waiting(place, waiting, now)]
    if others:
        rows = [_row(place, one, _end_of(one)) for one in others]
        table = _table((*_COLUMNS, ("What became of it (UTC)", "")), rows, "Approvals that wait no longer")
        content.append(card("Decided and expired", table, name="others", note="latest first"))
    return page(place, "Approvals", heading("Approvals", words), el("div", content, class_="stack"))


def badge_of(state: str) -> Html:
    """How an approval stands, as a word with a colour."""
    return el("span", state, class_=f"badge {TONES[state]}" if state in TONES else "muted")


def left(one: Approval, now: datetime) -> str:
    """How long it can still be decided and used."""
    return duration(max(0.0, (one.expires_at - now).total_seconds()) * 1000)


def title_of(one: Approval) -> str:
    """What is to be decided on, in a few words."""
    return f"calls {', '.join(one.tools)}" if one.tools else f"asks {one.model}"


def _waiting(place: Place, waiting: Sequence[Approval], now: datetime) -> Html:
    if not waiting:
        return card("Nothing waits", el("p", "Nobody is waited for.", class_="hint"), name="waiting")
    rows = [_row(place, one, left(one, now)) for one in waiting]
    table = _table((*_COLUMNS, ("Time left", "num")), rows, "Approvals that wait for a person")
    note = f"the latest {MOST}" if len(waiting) >= MOST else None
    return card("Waiting for a person", table, name="waiting", note=note)


def _table(columns: Sequence[tuple[str, str]], rows: Sequence[Html], label: str) -> Html:
    head = el("tr", [el("th", words, scope="col", class_=kind or None) for words, kind in columns])
    table = el("table", el("caption", label, class_="unseen"), el("thead", head), el("tbody", rows), class_="recent")
    return scroller(table, label)


def _row(place: Place, one: Approval, last: Child) -> Html:
    title = title_of(one)
    is_number = isinstance(last, str)
    return el(
        "tr",
        el(
            "th",
            el("a", title, href=place.url(f"approvals/{one.id}")),
            scope="row",
            class_="name",
            title=f"{title} ({one.id})",
        ),
        el("td", f"{one.org}/{one.team}/{one.key}", class_="name", title=one.key_id),
        el("td", one.agent, class_="name", title=one.agent),
        el("td", one.reason or "–", class_="why"),
        el("td", usd_html(Nano(one.estimate_nano)), class_="num"),
        el("td", last, class_="num" if is_number else None),
    )


def _end_of(one: Approval) -> Child:
    if one.decided_at is None:
        return badge_of(one.state)
    return join(badge_of(one.state), " ", moment(one.decided_at, seconds=False), f" by {one.decided_by}")


def _how() -> Html:
    return el(
        "p",
        "A rule asks for a person with the obligation ",
        el("code", "require_approval"),
        ", at ",
        el("code", "request"),
        " or for a tool call that a model makes. None did yet.",
        class_="hint",
    )
