"""All budgets and rate limits, the fullest first: how each stands, what it will come to, and what is odd about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from proxy.admin.console.budget_bars import distance
from proxy.admin.console.figures import count, moment, share
from proxy.admin.console.forecast_words import forecast_line
from proxy.admin.console.gauge import Gauge
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.meter import meter
from proxy.admin.console.shell import Place, card, heading, page, tile, tiles

SHOWN: Final = 60
"""How many of each stand on the page, with their forecasts; the search finds the others."""
_BUDGETS_HINT: Final = "Add one under budgets: in flyball.yaml, with flyball budgets set, or through the admin API."
_LIMITS_HINT: Final = "Add one under rate_limits: in flyball.yaml, with flyball limits set, or through the admin API."


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetsFacts:
    """All that the page shows: the gauges that match the search, and how many there are at all."""

    budgets: Sequence[Gauge]
    limits: Sequence[Gauge]
    budgets_known: int
    limits_known: int
    search: str
    now: datetime
    live: bool = False


def budgets_page(place: Place, facts: BudgetsFacts) -> str:
    """The whole page."""
    head = heading("Budgets", "The fullest first; amounts are exact", _search(place, facts), _live(place, facts))
    return page(
        place,
        "Budgets",
        head,
        _headline(facts),
        _section(place, facts, "Budgets", facts.budgets, facts.budgets_known, _BUDGETS_HINT),
        _section(place, facts, "Rate limits", facts.limits, facts.limits_known, _LIMITS_HINT),
    )


def address(gauge: Gauge) -> str:
    """The page of one, below the console's root."""
    return f"{'limits' if gauge.is_limit else 'budgets'}/{gauge.name}"


def chips(gauge: Gauge) -> Html:
    """What is to be known of it at a glance."""
    told: list[tuple[str, str]] = [(gauge.shape.scope, "")]
    told += [(model, "") for model in gauge.shape.models]
    if gauge.fact("hard") is False:
        told.append(("soft", ""))
    if gauge.fact("enforcement") == "observe":
        told.append(("observed, refuses nothing", "warn"))
    if gauge.fact("clamp"):
        told.append(("clamps", ""))
    if gauge.overrun:
        told.append((f"overrun {gauge.told(gauge.overrun)}", "bad"))
    if gauge.fact("raises"):
        told.append(("raised", "warn"))
    return join(el("span", words, class_=f"chip {tone}".strip()) for words, tone in told)


def standing(gauge: Gauge) -> Html:
    """Spent, held and the limit in one line; of calls at once, how many there are."""
    if gauge.word == "concurrent":
        return el(
            "p", el("b", count(gauge.held)), " at once of ", el("b", gauge.told(gauge.limit)), class_="budget-sum"
        )
    held = el("span", " + ", el("b", gauge.told(gauge.held)), " held") if gauge.held else None
    return el(
        "p",
        el("b", gauge.told(gauge.spent)),
        " spent",
        held,
        " of ",
        el("b", gauge.told(gauge.limit)),
        el("span", f" · {share(gauge.spent + gauge.held, gauge.limit)}", class_="muted"),
        class_="budget-sum",
    )


def left_and_reset(gauge: Gauge, now: datetime) -> Html:
    """What is left, and when it starts over."""
    over = gauge.spent + gauge.held - gauge.limit
    left = f"{gauge.told(over)} over" if over > 0 else f"{gauge.told(gauge.remaining)} left"
    if gauge.resets_at is None:
        return join(left, "" if gauge.word == "concurrent" else " · never resets")
    word = "some comes back" if gauge.shape.length else "resets"
    at = moment(gauge.resets_at, seconds=False)
    return join(left, f" · {word} in {distance(now, gauge.resets_at)}, ", at, " UTC")


def warning_list(gauge: Gauge) -> Html | None:
    """What its owner should know."""
    told = gauge.fact("warnings") or ()
    if not told:
        return None
    return el("ul", [el("li", words) for words in told], class_="warnings", aria_label=f"Warnings of {gauge.name}")


def _headline(facts: BudgetsFacts) -> Html | None:
    every = [*facts.budgets, *facts.limits]
    if not every:
        return None
    full = sum(gauge.tone == "full" for gauge in every)
    near = sum(gauge.tone == "near" for gauge in every)
    doomed = sum(bool(gauge.forecast and gauge.forecast.exceeds_limit is True) for gauge in every)
    warned = sum(len(gauge.fact("warnings") or ()) for gauge in every)
    return tiles(
        tile("Used up", count(full), "nothing more fits", "bad" if full else ""),
        tile("Above 80 %", count(near), "of the limit, with what is held"),
        tile("Expected to be used up", count(doomed), "before they start over", "bad" if doomed else ""),
        tile("Warnings", count(warned), "such as team budgets above their org's"),
    )


def _live(place: Place, facts: BudgetsFacts) -> Html:
    href = place.url("budgets", q=facts.search, live="" if facts.live else "1")
    said = "Stop refreshing this page" if facts.live else "Refresh this page every 10 seconds"
    words = "Live: on" if facts.live else "Live: off"
    return el("a", el("span", class_="dot"), words, href=href, class_=f"live {'on' if facts.live else ''}", title=said)


def _search(place: Place, facts: BudgetsFacts) -> Html:
    return el(
        "form",
        el("label", "Name or scope", for_="q"),
        el("input", type="search", name="q", id="q", value=facts.search, maxlength=200, class_="search"),
        el("input", type="hidden", name="live", value="1") if facts.live else None,
        el("button", "Find", type="submit"),
        method="get",
        action=place.url("budgets"),
        class_="grouping",
    )


def _section(place: Place, facts: BudgetsFacts, title: str, gauges: Sequence[Gauge], known: int, hint: str) -> Html:
    name = title.lower().replace(" ", "-")
    if not gauges:
        return card(title, el("p", "Nothing matches." if known else f"None yet. {hint}", class_="hint"), name=name)
    more = f"{len(gauges):,} of {known:,}" if len(gauges) < known else count(known)
    items = [_item(place, gauge, facts.now) for gauge in gauges]
    return card(title, el("ul", items, class_="budgets wide"), name=name, note=more)


def _item(place: Place, gauge: Gauge, now: datetime) -> Html:
    return el(
        "li",
        el("div", el("a", gauge.name, href=place.url(address(gauge))), chips(gauge), class_="budget-name"),
        whose(gauge),
        meter(gauge),
        standing(gauge),
        el("p", left_and_reset(gauge, now), class_="muted"),
        forecast_line(gauge),
        warning_list(gauge),
        class_=f"budget {gauge.tone}".strip(),
    )


def whose(gauge: Gauge) -> Child:
    """Whose amounts these are, where many have it."""
    if not gauge.is_pattern:
        return None
    scopes = gauge.fact("counted_scopes")
    if not scopes:
        return el("p", "nobody has used it in this window", class_="muted")
    others = f", the fullest of {scopes:,}" if scopes > 1 else ""
    return el("p", f"{gauge.scope}{others}", class_="muted")
