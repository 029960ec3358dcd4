"""The page of one run: what it did, how it stands against its limits, its last calls, and the button that stops it."""

from dataclasses import dataclass
from typing import Final

from proxy.admin.console.figures import count, duration, moment, permille, share, usd, usd_html
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.operation_page import badge, cost_of
from proxy.admin.console.runs_page import badge_of, tokens_of, took
from proxy.admin.console.shell import Place, card, form_token, heading, page, tile, tiles
from proxy.admin.console.spend_page import scroller
from proxy.admin.shapes.operations import Operation
from proxy.admin.shapes.runs import Run, RunExplained, RunLimit
from proxy.core.money import Nano

_WORDS: Final = {
    "calls": "calls",
    "tool_calls": "tool calls",
    "tokens": "tokens",
    "usd": "dollars",
    "seconds": "seconds since its first call",
    "depth": "levels below a first run",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """All that the page shows."""

    explained: RunExplained
    may_kill: bool
    done: str = ""
    wrong: str = ""


def run_page(place: Place, facts: RunFacts) -> str:
    """The whole page."""
    run = facts.explained.run
    began = moment(run.began_at) if run.began_at else "its first call is under way"
    owner = "/".join(part for part in (run.org, run.team, run.key) if part)
    return page(
        place,
        f"Run {run.name}",
        _trail(place, run),
        heading(join(run.name, " ", badge_of(run.state)), join(el("code", owner), " · began ", began)),
        _flash(facts),
        _headline(run),
        el(
            "div",
            el("div", card("Calls", _calls(place, facts.explained), name="calls", note="newest first"), class_="stack"),
            el("div", _kill(place, facts), _limits(facts.explained), _about(place, run), class_="stack"),
            class_="columns",
        ),
    )


def _trail(place: Place, run: Run) -> Html:
    items = (el("li", el("a", "Runs", href=place.url("runs"))), el("li", run.name, aria_current="page"))
    return el("nav", el("ol", items), class_="trail", aria_label="Breadcrumb")


def _flash(facts: RunFacts) -> Html | None:
    if facts.wrong:
        return el("p", facts.wrong, class_="flash bad", role="alert")
    if facts.done == "killed":
        words = "The run is stopped: it takes no more calls, and its open streams end within a second."
        return el("p", words, class_="flash good", role="status")
    return None


def _headline(run: Run) -> Html:
    return tiles(
        tile("Cost", usd_html(Nano(run.cost_nano)), _unpriced(run), "bad" if run.unpriced_calls else ""),
        tile("Calls", count(run.calls), f"{count(run.refused_calls)} refused"),
        tile("Tool calls", count(run.tool_calls), "asked for by the models"),
        tile("Tokens", count(tokens_of(run)), "in and out"),
        tile("Took", took(run), "first call to last"),
    )


def _unpriced(run: Run) -> str:
    if run.unpriced_calls:
        return f"without {count(run.unpriced_calls)} calls of unknown price"
    return f"about {usd(Nano(run.cost_nano // run.calls // 100_000 * 100_000))} a call" if run.calls else ""


def _kill(place: Place, facts: RunFacts) -> Html | None:
    run = facts.explained.run
    if run.state == "killed":
        words = "Somebody stopped this run. It takes no more calls."
        return card("Stopped", el("p", words, class_="hint"), name="kill")
    if not facts.may_kill or place.session is None:
        return None
    form = el(
        "form",
        form_token(place.session),
        el(
            "div",
            el("label", "Why", for_="reason"),
            el("input", type="text", name="reason", id="reason", maxlength=1000, autocomplete="off"),
            class_="field",
        ),
        el("button", "Kill this run", type="submit", class_="danger"),
        method="post",
        action=place.url(f"runs/{run.id}/kill"),
        class_="change",
    )
    words = "It takes no more calls from then on, and its open streams end within a second. This cannot be undone."
    return card("Stop it", el("p", words, class_="hint"), form, name="kill")


def _limits(explained: RunExplained) -> Html:
    if not explained.limits:
        words = "None holds for this run. Add some under runs.limits in flyball.yaml."
        return card("Limits", el("p", words, class_="hint"), name="limits")
    return card("Limits", el("ul", [_limit(one) for one in explained.limits], class_="budgets"), name="limits")


def _limit(one: RunLimit) -> Html:
    limit, used, held = (_amount(one, name) for name in ("limit", "used", "held"))
    whole = permille(used, limit) if limit else 1000
    part = min(1000 - whole, permille(held, limit))
    tone = "full" if used + held >= limit else "near" if whole + part >= 800 else ""
    bar = el(
        "svg",
        el("rect", width="100%", height="100%", class_="track"),
        el("rect", width=f"{whole / 10:.1f}%", height="100%", class_="spent"),
        el("rect", x=f"{whole / 10:.1f}%", width=f"{part / 10:.1f}%", height="100%", class_="held") if part else None,
        class_=f"meter {tone}".strip(),
        role="img",
        aria_label=f"{share(used, limit)} used",
        width="100%",
        height=10,
    )
    agent = f" of agent {one.agent}" if one.agent else ""
    held_words = el("span", f" + {_told(one, held)} held") if held else None
    return el(
        "li",
        el("div", el("b", _WORDS[one.what]), el("span", f"{one.said_of}{agent}", class_="chip"), class_="budget-name"),
        bar,
        el("p", el("b", _told(one, used)), held_words, " of ", el("b", _told(one, limit)), class_="budget-sum"),
        class_=f"budget {tone}".strip(),
    )


def _amount(one: RunLimit, name: str) -> int:
    found = getattr(one, f"{name}_nano" if one.what == "usd" else name)
    return found if isinstance(found, int) else 0


def _told(one: RunLimit, amount: int) -> str:
    return usd(Nano(amount)) if one.what == "usd" else count(amount)


def _calls(place: Place, explained: RunExplained) -> Html:
    if not explained.last_calls:
        return el("p", "None has ended yet.", class_="hint")
    columns = (
        ("When (UTC)", ""),
        ("Outcome", ""),
        ("Agent", ""),
        ("Model", ""),
        ("Tokens", "num"),
        ("Cost", "num"),
        ("Took", "num"),
    )
    head = el("tr", [el("th", words, scope="col", class_=kind or None) for words, kind in columns])
    rows = [_call(place, one) for one in explained.last_calls]
    caption = el("caption", "The run's last calls, newest first", class_="unseen")
    return scroller(el("table", caption, el("thead", head), el("tbody", rows), class_="recent"), "Calls of the run")


def _call(place: Place, one: Operation) -> Html:
    cost = None if one.cost_nano is None else Nano(one.cost_nano)
    return el(
        "tr",
        el(
            "th",
            el("a", _when(one), href=place.url(f"operations/{one.id}"), title=one.id),
            scope="row",
        ),
        el("td", badge(one.outcome), el("span", f" {one.code}", class_="muted code") if one.code else None),
        el("td", one.agent, class_="name"),
        el("td", one.model or one.requested_model, class_="name"),
        el("td", count(sum(one.tokens.values())), class_="num"),
        el("td", cost_of(cost, one.outcome), class_="num"),
        el("td", duration(one.duration_ms), class_="num"),
    )


def _about(place: Place, run: Run) -> Html:
    outcomes = ", ".join(f"{count(number)} {name.replace('_', ' ')}" for name, number in run.outcomes.items())
    parent = el("a", run.parent, href=place.url("runs", name=run.parent)) if run.parent else None
    pairs: list[tuple[str, Child]] = [
        ("Org", run.org),
        ("Team", run.team),
        ("Key", join(run.key, " ", el("code", run.key_id, class_="muted"))),
        ("Agents", ", ".join(run.agents)),
        ("Named by", run.source),
        ("Parent", parent),
        ("Depth", str(run.depth) if run.depth else ""),
        ("Outcomes", outcomes),
        ("Last refusal", el("code", run.last_code) if run.last_code else None),
        ("Last call", moment(run.last_at) if run.last_at else None),
        ("Id", el("code", run.id)),
    ]
    rows = [el("div", el("dt", name), el("dd", value)) for name, value in pairs if value]
    return card("About", el("dl", rows, class_="facts"), name="about")


def _when(one: Operation) -> str:
    return one.charged_at[:19].replace("T", " ")
