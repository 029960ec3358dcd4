"""What the list of operations is searched by: read from an address, and shown as a form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from proxy.admin.console.markup import Html, el
from proxy.admin.console.shell import Place
from proxy.core.money import Nano, NotMoney, exact_usd
from proxy.core.outcome import Outcome
from proxy.telemetry import OperationSearch

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "org": ("Org", "org"),
    "team": ("Team", "team"),
    "key": ("Key", "key"),
    "model": ("Model", "model"),
    "provider": ("Provider", "provider"),
    "agent": ("Agent", "agent"),
    "run": ("Run", "run"),
    "end_user": ("End user", "user"),
    "code": ("Code", "code"),
}
"""Parameters that are compared with a name: what people call them, and what the store does."""
_MOMENTS: Final = {"since": "From (UTC)", "until": "Until (UTC)"}
_AMOUNTS: Final = {"least": "Cost from $", "most": "to $"}
_LONGEST: Final = 256


@dataclass(frozen=True, slots=True)
class Searched:
    """What is asked for: `given` as it was typed, without what could not be read, which `problem` tells."""

    given: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    search: OperationSearch = field(default_factory=OperationSearch)
    problem: str = ""


def read_search(parameters: Mapping[str, str]) -> Searched:
    """What an address asks for; what is none is left out and told."""
    names = (*TEXTS, *_MOMENTS, *_AMOUNTS, "outcome", "id")
    given = {name: text for name in names if (text := parameters.get(name, "").strip()[:_LONGEST])}
    if given.get("outcome", Outcome.OK) not in set(Outcome):
        del given["outcome"]
    problems: list[str] = []
    moments = {name: _moment(given, name, problems) for name in _MOMENTS}
    amounts = {name: _amount(given, name, problems) for name in _AMOUNTS}
    search = OperationSearch(
        start=moments["since"],
        end=moments["until"],
        prefix=given.get("id", ""),
        least=amounts["least"],
        most=amounts["most"],
    )
    chosen = {stored: given[name] for name, (_, stored) in TEXTS.items() if name in given}
    if "outcome" in given:
        chosen["outcome"] = given["outcome"]
    return Searched(given, chosen, search, " ".join(problems))


def search_form(place: Place, searched: Searched) -> Html:
    """The form."""
    bound = place.session is not None and place.session.identity.org is not None
    options = [el("option", "all outcomes", value="", selected="outcome" not in searched.given)]
    options += [
        el("option", one.replace("_", " "), value=one.value, selected=searched.given.get("outcome") == one.value)
        for one in Outcome
    ]
    return el(
        "form",
        el(
            "span",
            el("label", "Outcome", for_="outcome-filter"),
            el("select", options, name="outcome", id="outcome-filter"),
        ),
        [_input(searched, name, label) for name, (label, _) in TEXTS.items() if not (bound and name == "org")],
        [_input(searched, name, label, "datetime-local") for name, label in _MOMENTS.items()],
        [_input(searched, name, label) for name, label in _AMOUNTS.items()],
        _input(searched, "id", "Id begins with"),
        el("button", "Find", type="submit"),
        method="get",
        action=place.url("operations"),
        class_="grouping many board-form",
        aria_label="Search",
    )


def _input(searched: Searched, name: str, label: str, kind: str = "search") -> Html:
    place = f"search-{name}"
    value = searched.given.get(name, "")
    entry = el("input", type=kind, name=name, id=place, value=value, maxlength=_LONGEST, class_="search")
    return el("span", el("label", label, for_=place), entry)


def _moment(given: dict[str, str], name: str, problems: list[str]) -> datetime | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        del given[name]
        problems.append(f"“{text}” is no moment such as 2026-11-17T09:30.")
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _amount(given: dict[str, str], name: str, problems: list[str]) -> Nano | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return exact_usd(text.lstrip("$").replace(",", ""))
    except NotMoney as wrong:
        del given[name]
        problems.append(f"{wrong}.")
        return None
