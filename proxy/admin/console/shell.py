"""The frame around every page: head, skip link, navigation, main, and where links lead."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from proxy.admin.console.assets import asset_path
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.sessions import Session

_NAVIGATION: Final = (
    ("spend", "Spend"),
    ("boards", "Boards"),
    ("budgets", "Budgets"),
    ("statements", "Statements"),
    ("runs", "Runs"),
    ("variants", "Variants"),
    ("operations", "Operations"),
    ("decisions", "Decisions"),
    ("approvals", "Approvals"),
    ("switches", "Kill switches"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the console is mounted, who looks, and which part of it is open."""

    root: str
    session: Session | None
    part: str = ""

    def url(self, path: str, **query: str) -> str:
        """A link inside the console; empty query values are left out."""
        told = urlencode({key: value for key, value in query.items() if value})
        return f"{self.root}/{quote(path, safe='/')}{'?' + told if told else ''}"


def page(place: Place, title: str, *content: Child, refresh_to: str | None = None) -> str:
    """A whole HTML document. `refresh_to` sends the browser on by itself, at once."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("title", title, " · Flyball"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", http_equiv="refresh", content=f"0;url={refresh_to}") if refresh_to else None,
        el("link", rel="icon", href=place.root + asset_path("icon.svg"), type="image/svg+xml"),
        el("link", rel="stylesheet", href=place.root + asset_path("console.css")),
        el("script", src=place.root + asset_path("console.js"), defer=True),
    )
    body = el(
        "body",
        el("a", "Skip to content", href="#content", class_="skip"),
        _banner(place),
        el("main", *content, id="content", tabindex="-1"),
    )
    return "<!doctype html>" + el("html", head, body, lang="en").text


def _banner(place: Place) -> Html:
    brand = el(
        "a",
        el("img", src=place.root + asset_path("icon.svg"), alt="", width=22, height=22),
        "Flyball",
        href=place.url(""),
        class_="brand",
    )
    return el("header", el("div", brand, _links(place), _account(place), class_="bar-inner"), class_="banner")


def _links(place: Place) -> Html | None:
    if place.session is None:
        return None
    items = [
        el("li", el("a", words, href=place.url(part), aria_current="page" if part == place.part else None))
        for part, words in _NAVIGATION
    ]
    return el("nav", el("ul", items), aria_label="Console")


def _account(place: Place) -> Html | None:
    if place.session is None:
        return None
    identity = place.session.identity
    sees = "/".join(part for part in (identity.org, identity.team) if part) or "all orgs"
    return el(
        "form",
        el("span", el("b", identity.name), el("span", f" {identity.role} · {sees}", class_="muted"), class_="who"),
        form_token(place.session),
        el("button", "Sign out", type="submit", class_="quiet"),
        method="post",
        action=place.url("logout"),
        class_="account",
    )


def form_token(session: Session) -> Html:
    """The hidden field every POST form must carry."""
    return el("input", type="hidden", name="form_token", value=session.form_token)


def heading(title: Child, words: Child, *tools: Child) -> Html:
    """A page's title, one line under it, and its controls to the right."""
    lead = el("div", el("h1", title), el("p", words, class_="muted"))
    return el("div", lead, el("div", tools, class_="tools") if tools else None, class_="heading")


def card(title: Child, *content: Child, name: str, note: Child = None) -> Html:
    """A titled region of a page; `name` is its id."""
    head = el("div", el("h2", title, id=name), el("p", note, class_="muted") if note else None, class_="card-head")
    return el("section", head, *content, class_="card", aria_labelledby=name)


def tile(label: str, value: Child, note: Child = None, tone: str = "") -> Html:
    """One headline number with its label and a line of context."""
    return el(
        "div",
        el("dt", label),
        el("dd", value, class_="value"),
        el("dd", note, class_="note") if note else None,
        class_=f"tile {tone}".strip(),
    )


def tiles(*each: Html) -> Html:
    """A row of headline numbers."""
    return el("dl", each, class_="tiles")


def message(place: Place, title: str, *words: Child) -> str:
    """A page that only says something."""
    return page(place, title, el("div", el("h1", title), join(*words), class_="card lone"))
