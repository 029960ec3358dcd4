"""The budgets as bars: what is spent, what is held for calls under way, what the limit is and when it resets."""

from collections.abc import Sequence
from datetime import datetime

from proxy.admin.console.figures import moment, permille, share, usd
from proxy.admin.console.markup import Html, el
from proxy.admin.console.readings import BudgetSeen
from proxy.admin.console.shell import Place
from proxy.budget import Unit, spoken
from proxy.core.money import Nano

_NEAR_PERMILLE = 800


def budget_list(place: Place, budgets: Sequence[BudgetSeen], now: datetime) -> Html:
    """Every budget, the fullest first."""
    if not budgets:
        where = el("code", "budgets:")
        return el(
            "p", "No budgets yet. Add one under ", where, " in flyball.yaml or through the admin API.", class_="hint"
        )
    fullest = sorted(budgets, key=lambda one: (-permille(one.spent + one.held, one.limit), one.name))
    return el("ul", [_budget(place, one, now) for one in fullest], class_="budgets")


def _budget(place: Place, one: BudgetSeen, now: datetime) -> Html:
    return el(
        "li",
        el(
            "div",
            _name(place, one),
            el("span", one.scope, class_="chip"),
            _kind(one),
            _models(one),
            class_="budget-name",
        ),
        _fullest(one),
        _bar(one),
        el(
            "p",
            el("b", _told(one, one.spent)),
            " spent",
            _held(one),
            " of ",
            el("b", _told(one, one.limit)),
            class_="budget-sum",
        ),
        el("p", _left(one), " · ", _resets(one, now), class_="muted"),
        class_=f"budget {_tone(one)}",
    )


def _name(place: Place, one: BudgetSeen) -> Html:
    """Its name, leading to its page; a team's people are told of their org's budgets, and no more."""
    told_only = place.session is not None and place.session.identity.team and one.scope.startswith("org:")
    return el("b", one.name) if told_only else el("a", one.name, href=place.url(f"budgets/{one.name}"))


def _kind(one: BudgetSeen) -> Html | None:
    return None if one.hard else el("span", "soft", class_="chip")


def _models(one: BudgetSeen) -> Html | None:
    return el("span", ", ".join(one.models), class_="chip") if one.models else None


def _fullest(one: BudgetSeen) -> Html | None:
    """Whose numbers these are, where many have such a budget."""
    if one.counted_scopes == 0:
        return None
    others = f", the fullest of {one.counted_scopes:,}" if one.counted_scopes > 1 else ""
    return el("p", f"{one.counted_scope}{others}", class_="muted")


def _held(one: BudgetSeen) -> Html | None:
    return el("span", " + ", el("b", _told(one, one.held)), " held") if one.held else None


def _left(one: BudgetSeen) -> str:
    left = Nano(one.limit - one.spent - one.held)
    return f"{_told(one, left)} left" if left >= 0 else f"{_told(one, Nano(-left))} over"


def _told(one: BudgetSeen, amount: Nano) -> str:
    return usd(amount) if one.unit is Unit.USD else spoken(one.unit, amount)


def _resets(one: BudgetSeen, now: datetime) -> Html:
    if one.resets_at is None:
        return el("span", "never resets")
    return el("span", f"resets in {distance(now, one.resets_at)}, ", moment(one.resets_at, seconds=False), " UTC")


def distance(now: datetime, then: datetime) -> str:
    """How long it is until then, in the largest unit that fits."""
    seconds = max(0, int((then - now).total_seconds()))
    for unit, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit:
            number = seconds // unit
            return f"{number} {word}{'' if number == 1 else 's'}"
    return "under a minute"


def _tone(one: BudgetSeen) -> str:
    used = permille(one.spent + one.held, one.limit)
    return "full" if used >= 1000 else "near" if used >= _NEAR_PERMILLE else ""


def _bar(one: BudgetSeen) -> Html:
    spent = permille(one.spent, one.limit)
    held = min(1000 - spent, permille(one.held, one.limit))
    told = f"{share(one.spent, one.limit)} spent, {share(one.held, one.limit)} held"
    return el(
        "svg",
        el("rect", width="100%", height="100%", class_="track"),
        el("rect", width=_percent(spent), height="100%", class_="spent"),
        el("rect", x=_percent(spent), width=_percent(held), height="100%", class_="held") if held else None,
        class_="meter",
        role="img",
        aria_label=told,
        width="100%",
        height=10,
    )


def _percent(thousandths: int) -> str:
    return f"{thousandths / 10:.1f}%"
