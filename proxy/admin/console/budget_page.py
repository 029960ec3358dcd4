"""The page of one budget or rate limit: where it stands, how its window goes, what it refused and who changed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from proxy.admin.console.budget_forms import limit_card, raise_card, raises_list
from proxy.admin.console.budgets_page import address, chips, left_and_reset, standing, warning_list, whose
from proxy.admin.console.burn_chart import burn_chart
from proxy.admin.console.figures import count, moment, share
from proxy.admin.console.forecast_words import exhaustion, expected
from proxy.admin.console.gauge import Gauge
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.meter import meter, rung_list
from proxy.admin.console.shell import Place, card, heading, page, tile, tiles
from proxy.admin.console.spend_page import scroller
from proxy.admin.shapes.forecasts import Course
from proxy.admin.shapes.operations import Operation
from proxy.admin.shapes.people import AuditRecord

DONE: Final = {
    "raised": "The limit is raised; workers follow within a second.",
    "ended": "The raise is ended; workers follow within a second.",
    "changed": "The limit is changed; workers follow within a second.",
}
_ACTIONS: Final = {"put": "said", "delete": "deleted", "raise": "raised", "end_raise": "ended a raise of"}
_UNSAID: Final = frozenset(
    {"id", "object", "forecast", "warnings", "exceeded", "fraction", "rungs_reached", "resets_at", "current_window"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetFacts:
    """All that the page shows. `course` is None where the store is away, `history` where the role may not read it."""

    gauge: Gauge
    tag: str
    course: Course | None
    each: Sequence[Gauge]
    refusals: Sequence[Operation] | None
    history: Sequence[AuditRecord] | None
    may_change: bool
    now: datetime
    done: str = ""
    wrong: str = ""


def budget_page(place: Place, facts: BudgetFacts) -> str:
    """The whole page."""
    gauge = facts.gauge
    kind = "Rate limit" if gauge.is_limit else "Budget"
    return page(
        place,
        f"{kind} {gauge.name}",
        _trail(place, gauge),
        heading(gauge.name, join(f"{kind} · {window_words(gauge)} · ", chips(gauge))),
        _flash(facts),
        warning_list(gauge),
        _headline(facts),
        _course(facts),
        el(
            "div",
            el("div", _state(facts), _each(place, facts), _refusals(place, facts), _history(facts), class_="stack"),
            el("div", *_changes(place, facts), _stated(gauge), class_="stack"),
            class_="columns",
        ),
    )


def window_words(gauge: Gauge) -> str:
    """Its window in words."""
    shape = gauge.shape
    if gauge.word == "concurrent":
        return "calls at once"
    if shape.length:
        return f"rolling {shape.length}"
    if str(shape.window) == "total":
        return "once and for all"
    return f"each {shape.window}, {shape.timezone}, now {shape.current_window}"


def _trail(place: Place, gauge: Gauge) -> Html:
    items = (
        el("li", el("a", "Budgets", href=place.url("budgets"))),
        el("li", gauge.name, aria_current="page"),
    )
    return el("nav", el("ol", items), class_="trail", aria_label="Breadcrumb")


def _flash(facts: BudgetFacts) -> Html | None:
    if facts.wrong:
        return el("p", facts.wrong, class_="flash bad", role="alert")
    words = DONE.get(facts.done)
    return el("p", words, class_="flash good", role="status") if words else None


def _headline(facts: BudgetFacts) -> Html:
    gauge = facts.gauge
    over = gauge.spent + gauge.held > gauge.limit
    raised = sum(gauge.amount("by", made) for made in gauge.fact("raises") or ())
    held = share(gauge.held, gauge.limit)
    found = [
        tile("Spent", gauge.shown(gauge.spent), share(gauge.spent, gauge.limit) + " of the limit"),
        tile("Held", gauge.shown(gauge.held), f"{held}, for calls under way"),
        tile(
            "Left",
            gauge.shown(gauge.remaining),
            left_and_reset(gauge, facts.now) if over else _reset(gauge, facts.now),
            "bad" if gauge.tone == "full" else "",
        ),
        tile("Limit", gauge.shown(gauge.limit), _limit_note(gauge, raised)),
    ]
    if gauge.word == "concurrent":
        found = found[1:]
    if gauge.overrun:
        found.append(tile("Overrun", gauge.shown(gauge.overrun), "billed above what was held", "bad"))
    return tiles(*found)


def _reset(gauge: Gauge, now: datetime) -> Child:
    if gauge.resets_at is None:
        return "never resets" if gauge.word != "concurrent" else "free again when a call ends"
    told = left_and_reset(gauge, now).text.partition(" · ")[2]
    return Html(told)


def _limit_note(gauge: Gauge, raised: int) -> str:
    notes = [f"{gauge.told(gauge.amount('base_limit'))} and {gauge.told(raised)} of raises"] if raised else []
    if gauge.has("blocks_at", gauge.shape):
        notes.append(f"blocks at {gauge.told(gauge.amount('blocks_at'))}")
    if gauge.fact("hard") is False and not notes:
        notes.append("soft: it refuses nothing")
    return " · ".join(notes)


def _course(facts: BudgetFacts) -> Html | None:
    gauge, course = facts.gauge, facts.course
    if gauge.is_limit:
        return None
    title, name = "This window", "course"
    if course is None:
        return card(title, el("p", "The telemetry store does not answer now.", class_="hint"), name=name)
    chart = burn_chart(gauge, course)
    none = course.forecast.none
    said = el("p", f"No forecast: {none}.", class_="hint") if isinstance(none, str) else _foretold(gauge, course)
    return card(title, said, chart, name=name, note=course.scope if gauge.is_pattern else None)


def _foretold(gauge: Gauge, course: Course) -> Html:
    rests = f"It rests on the last {course.forecast.days} days."
    return el("p", expected(gauge), exhaustion(gauge), el("span", f" {rests}", class_="muted"), class_="forecast")


def _state(facts: BudgetFacts) -> Html:
    gauge = facts.gauge
    return card(
        "Now",
        whose(gauge),
        meter(gauge, height=18),
        standing(gauge),
        el("p", left_and_reset(gauge, facts.now), class_="muted"),
        rung_list(gauge),
        name="now",
    )


def _each(place: Place, facts: BudgetFacts) -> Html | None:
    if not facts.gauge.is_pattern:
        return None
    head = _head(("Scope", ""), ("Used", ""), ("Spent", "num"), ("Held", "num"), ("Left", "num"))
    rows = [
        el(
            "tr",
            el("th", el("a", one.scope, href=place.url(address(one), scope=one.scope)), scope="row"),
            el("td", meter(one, height=8), class_="lane"),
            *(el("td", one.shown(amount), class_="num") for amount in (one.spent, one.held, one.remaining)),
        )
        for one in facts.each
    ]
    if not rows:
        return card("The fullest", el("p", "Nobody has used it in this window.", class_="hint"), name="each")
    table = el("table", el("caption", "The fullest scopes", class_="unseen"), head, el("tbody", rows), class_="each")
    scopes = facts.gauge.fact("counted_scopes") or 0
    return card("The fullest", scroller(table, "The fullest scopes"), name="each", note=f"of {count(scopes)}")


def _refusals(place: Place, facts: BudgetFacts) -> Html:
    if facts.refusals is None:
        words: Child = "The telemetry store does not answer now."
        return card("What it refused", el("p", words, class_="hint"), name="refusals")
    if not facts.refusals:
        return card("What it refused", el("p", "Nothing that is still kept.", class_="hint"), name="refusals")
    head = _head(("When (UTC)", ""), ("Key", ""), ("Model", ""), ("Run", ""), ("Code", ""))
    rows = [
        el(
            "tr",
            el(
                "th",
                el("a", one.charged_at[:19].replace("T", " "), href=place.url(f"operations/{one.id}")),
                scope="row",
            ),
            el("td", f"{one.team}/{one.key_name}"),
            el("td", one.requested_model, class_="name"),
            el("td", one.run, class_="name"),
            el("td", el("code", one.code)),
        )
        for one in facts.refusals
    ]
    table = el("table", el("caption", "Refused calls, newest first", class_="unseen"), head, el("tbody", rows))
    return card(
        "What it refused", el("div", scroller(table, "Refused calls"), class_="recent"), name="refusals", note="newest"
    )


def _history(facts: BudgetFacts) -> Html | None:
    if facts.history is None:
        return None
    if not facts.history:
        words = "Nobody changed it through the admin API. What flyball.yaml says is not in here."
        return card("Changes", el("p", words, class_="hint"), name="changes")
    items = [
        el("li", el("p", el("b", record.actor), f" {_did(record)} · ", moment(record.at)), _difference(record))
        for record in facts.history
    ]
    return card("Changes", el("ol", items, class_="changes"), name="changes", note="newest first")


def _did(record: AuditRecord) -> str:
    action = record.action.rpartition(".")[2]
    if action == "put":
        return "made it" if record.before is None else "changed it"
    return f"{_ACTIONS.get(action, action)} it"


def _difference(record: AuditRecord) -> Html | None:
    before, after = record.before or {}, record.after or {}
    if record.action.endswith(("raise", "delete")):
        told = after or before
        return el("p", _sentence(told), class_="muted") if told else None
    gone = [
        el("li", el("code", name), f": {_value(before.get(name))} → ", el("b", _value(after.get(name))))
        for name in after
        if before and before.get(name) != after.get(name) and _is_stated(name)
    ]
    return el("ul", gone, class_="difference") if gone else None


def _is_stated(name: str) -> bool:
    counted = name.startswith(("spent_", "held_", "overrun_", "remaining_", "limit_", "counted_"))
    return name not in _UNSAID and not counted and not name.endswith("_nano")


def _sentence(told: Mapping[str, Any]) -> str:
    by = next((f"by {told[name]} {name[3:].upper()}" for name in told if name.startswith("by_")), "")
    parts = [by, f"until {told['until']}" if "until" in told else "", str(told.get("reason", ""))]
    return " · ".join(part for part in parts if part)


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value) or "none"
    if isinstance(value, dict):
        return " ".join(_value(one) for one in value.values())
    return "–" if value in (None, "") else str(value)


def _changes(place: Place, facts: BudgetFacts) -> list[Html | None]:
    found: list[Html | None] = [raises_list(place, facts.gauge, facts.may_change)]
    if facts.may_change:
        found += [raise_card(place, facts.gauge), limit_card(place, facts.gauge, facts.tag)]
    return found


def _stated(gauge: Gauge) -> Html:
    shape = gauge.shape
    pairs: list[tuple[str, Child]] = [
        ("Scope", el("code", shape.scope)),
        ("Window", window_words(gauge)),
        ("Models", ", ".join(shape.models)),
        ("Counts", f"{gauge.fact('tokens') or ''} {gauge.word}".strip()),
        ("Kind", "" if gauge.is_limit else "hard" if shape.hard else "soft"),
        ("Enforcement", shape.enforcement),
        ("Clamp", "lowers a call's output rather than refuse it" if gauge.fact("clamp") else ""),
        ("Managed by", "flyball.yaml" if shape.managed_by == "file" else "the admin API"),
        ("Id", el("code", shape.id)),
    ]
    rows = [el("div", el("dt", name), el("dd", value)) for name, value in pairs if value]
    return card("As stated", el("dl", rows, class_="facts"), name="stated")


def _head(*columns: tuple[str, str]) -> Html:
    return el("thead", el("tr", [el("th", words, scope="col", class_=kind or None) for words, kind in columns]))


def _when(one: Operation) -> str:
    return one.charged_at[:19].replace("T", " ")
