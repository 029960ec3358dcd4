"""The page of one operation: its journey, what it used, what each upstream request cost and why, and who paid."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from proxy.admin.console.decision_page import decision_line
from proxy.admin.console.figures import count, duration, moment, permille, share, usd, usd_html
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.readings import AttemptSeen, CandidateSeen, OperationSeen, OperationStory, PriceLine
from proxy.admin.console.shell import Place, card, heading, page, tile, tiles
from proxy.admin.console.spend_page import scroller
from proxy.admin.console.timeline import timeline
from proxy.admin.shapes.decisions import Decision
from proxy.core.money import Nano, rounded_half_even

BUCKET_WORDS: Final = {
    "input": "Input, uncached",
    "cache_read": "Input read from cache",
    "cache_write": "Input written to cache",
    "cache_write_1h": "Input written to cache for 1 h",
    "output": "Output",
    "reasoning": "Reasoning",
    "audio_input": "Audio in",
    "audio_output": "Audio out",
    "image_input": "Images in",
    "image_output": "Images out",
}
FREE: Final = frozenset({"refused", "cached"})
"""Outcomes that need no price."""
_GOOD: Final = frozenset({"ok", "cached"})
_BAD: Final = frozenset({"refused", "upstream_error", "lost"})


def operation_page(place: Place, story: OperationStory, decisions: Sequence[Decision] = ()) -> str:
    """The whole page; `decisions` are what policy said on it, in that order."""
    one = story.operation
    trail = el(
        "nav",
        el(
            "ol",
            el("li", el("a", "Operations", href=place.url("operations"))),
            el("li", one.operation_id, aria_current="page"),
        ),
        class_="trail",
        aria_label="Breadcrumb",
    )
    title = join(one.model or one.requested_model or "Operation", " ", badge(one.outcome))
    head = heading(title, join(el("code", one.operation_id, id="operation-id"), " · ", moment(one.charged_at)))
    return page(
        place,
        f"Operation {one.operation_id}",
        trail,
        head,
        _headline(one),
        card("Journey", timeline(one, story.attempts, decisions), name="journey", note=_journey_note(one)),
        el(
            "div",
            el("div", _attempts(story.attempts), _usage(one), class_="stack"),
            el("div", _outcome(one), _routed(one), _decided(place, decisions), _who(one), class_="stack"),
            class_="columns",
        ),
    )


def badge(outcome: str) -> Html:
    """How it ended, as a word with a colour."""
    tone = "good" if outcome in _GOOD else "bad" if outcome in _BAD else "warn"
    return el("span", outcome.replace("_", " ") or "unknown", class_=f"badge {tone}")


def cost_of(cost: Nano | None, outcome: str) -> Html:
    """A cost, or why there is none: what was refused or cached needs no price, the rest has no known one."""
    if cost is not None:
        return usd_html(cost)
    return el("span", "–" if outcome in FREE else "unpriced", class_="muted" if outcome in FREE else "alarm")


def _headline(one: OperationSeen) -> Html:
    return tiles(
        tile("Cost", cost_of(one.cost, one.outcome), _cost_note(one), "bad" if _unpriced(one) else ""),
        tile("Duration", duration(one.duration_ms), "streamed" if one.streamed else "answered whole"),
        tile("First token", duration(one.ttft_ms), "after admission" if one.ttft_ms is not None else "none was seen"),
        tile("Our overhead", duration(one.overhead_ms), "everything but the provider"),
        tile(
            "Tokens",
            count(sum(one.tokens.values())),
            one.facts.get("usage_source", "") and f"told by: {one.facts['usage_source']}",
        ),
    )


def _unpriced(one: OperationSeen) -> bool:
    return one.cost is None and one.outcome not in FREE


def _cost_note(one: OperationSeen) -> str:
    if _unpriced(one):
        return "no price is known for this model"
    parts = [f"held {usd(one.held)}"] if one.held else []
    if one.list_cost is not None and one.list_cost != one.cost:
        parts.append(f"list {usd(one.list_cost)}")
    if one.asked_cost is not None:
        parts.append(f"as asked {usd(one.asked_cost)}")
    if one.stated_cost is not None:
        parts.append(f"provider says {usd(one.stated_cost)}")
    if one.overrun:
        parts.append(f"overrun {usd(one.overrun)}")
    return " · ".join(parts)


def _journey_note(one: OperationSeen) -> Html:
    return join("finished ", moment(one.finished_at))


def _facts(pairs: Sequence[tuple[str, Child]]) -> Html:
    rows = [el("div", el("dt", name), el("dd", value)) for name, value in pairs if value]
    return el("dl", rows, class_="facts")


def _outcome(one: OperationSeen) -> Html:
    told = one.facts
    pairs: list[tuple[str, Child]] = [
        ("Outcome", badge(one.outcome)),
        ("Status", str(one.status) if one.status else ""),
        ("Code", _code(told.get("code", ""))),
        ("Made by Flyball for", _code("" if told.get("purpose", "serve") == "serve" else told["purpose"])),
        ("Variant", _code(told.get("variant", ""))),
        ("Beside", _code(told.get("beside", ""))),
        ("Refused by", _code(told.get("refused_by", ""))),
        ("Would refuse with", _code(told.get("would_code", ""))),
        ("Would be refused by", _code(told.get("would_by", ""))),
        ("Reason", told.get("reason", "")),
        ("Error", told.get("error", "")),
        ("Cache", _cached(told)),
        ("Finish reason", _code(told.get("finish_reason", ""))),
        ("Endpoint", _code(one.endpoint)),
        ("Asked for", _code(one.requested_model)),
        ("Served", _code(f"{one.provider}/{one.model}" if one.model else "")),
        ("Route", told.get("route", "")),
        ("Policy decision", _code(told.get("decision", ""))),
        ("Price book", _code(told.get("price_version", ""))),
        ("Provider's id", _code(told.get("provider_request_id", ""))),
        ("Worker", _code(told.get("worker", ""))),
    ]
    return card("Outcome", _facts(pairs), name="outcome")


def _routed(one: OperationSeen) -> Html | None:
    """Who could have served, in which order and why, and who could not."""
    if one.routing is None:
        return None
    rows = [_candidate(each, str(at)) for at, each in enumerate(one.routing.candidates, 1)]
    rows += [_candidate(each, "–") for each in one.routing.left_out]
    head = el("tr", *(el("th", name, scope="col") for name in ("", "Target", "Why")))
    caption = el("caption", "Targets in their order, then those that were left out", class_="unseen")
    table = el("table", caption, el("thead", head), el("tbody", rows))
    return card("Routing", scroller(table, "Routing"), name="routing", note=one.routing.strategy.replace("_", " "))


def _candidate(one: CandidateSeen, place: str) -> Html:
    return el(
        "tr", el("th", place, scope="row"), el("td", el("code", f"{one.provider}/{one.model}")), el("td", one.why)
    )


def _decided(place: Place, decisions: Sequence[Decision]) -> Html | None:
    if not decisions:
        return None
    lines = el("ul", [decision_line(place, each) for each in decisions], class_="plain")
    return card("Policy", lines, name="policy", note=count(len(decisions)))


def _cached(told: Mapping[str, str]) -> Html | None:
    """What a cache did for the call; the operation whose answer it was given."""
    status, entry = told.get("cache_status", ""), told.get("cache_entry", "")
    if not status:
        return None
    words = f"{status.replace('_', ' ')} ({told.get('cache_kind', '')})"
    return join(words, " ", el("code", entry)) if entry else join(words)


def _code(text: str) -> Html | None:
    return el("code", text) if text else None


def _who(one: OperationSeen) -> Html:
    told = one.facts
    pairs: list[tuple[str, Child]] = [
        ("Org", one.org),
        ("Team", one.team),
        ("Key", join(one.key_name, " ", el("code", one.key_id, class_="muted"))),
        ("Agent", told.get("agent", "")),
        ("Run", _code(told.get("run", ""))),
        ("Step", told.get("step", "")),
        ("End user", told.get("end_user", "")),
        ("Cost center", told.get("cost_center", "")),
        ("Owner", told.get("owner", "")),
        ("Client", told.get("client", "")),
        ("Tags", _tags(one.tags)),
    ]
    return card("Who", _facts(pairs), name="who")


def _tags(tags: Mapping[str, str]) -> Html | None:
    return join(el("span", f"{name}={value}", class_="chip") for name, value in sorted(tags.items())) if tags else None


def _usage(one: OperationSeen) -> Html:
    told = [(bucket, number) for bucket, number in one.tokens.items() if number]
    fees = [(f"{name.replace('_', ' ')} calls", number) for name, number in one.tool_fees.items() if number]
    fees += [(name, number) for name, number in one.units.items() if number]
    if not told and not fees:
        return card("Usage", el("p", "No tokens were used.", class_="hint"), name="usage")
    most = max((number for _, number in told), default=0)
    rows = [_bucket(BUCKET_WORDS.get(bucket, bucket), number, most) for bucket, number in told]
    rows += [_bucket(name, number, 0) for name, number in fees]
    head = el(
        "tr", el("th", "Bucket", scope="col"), el("th", "", scope="col"), el("th", "Tokens", scope="col", class_="num")
    )
    table = el(
        "table", el("caption", "Tokens in disjoint buckets", class_="unseen"), el("thead", head), el("tbody", rows)
    )
    flaws = one.facts.get("usage_flaws", "")
    return card(
        "Usage", scroller(table, "Usage"), el("p", "Flagged: ", flaws, class_="alarm") if flaws else None, name="usage"
    )


def _bucket(name: str, number: int, most: int) -> Html:
    bar = el(
        "svg",
        el("rect", width=f"{permille(number, most) / 10:.1f}%", height="100%", class_="c0"),
        class_="share-bar",
        width=72,
        height=6,
        aria_hidden="true",
    )
    return el("tr", el("th", name, scope="row"), el("td", bar if most else None), el("td", count(number), class_="num"))


def _attempts(attempts: Sequence[AttemptSeen]) -> Html:
    if not attempts:
        return card("Upstream requests", el("p", "None: nothing left for a provider.", class_="hint"), name="attempts")
    return card("Upstream requests", [_attempt(one) for one in attempts], name="attempts", note=count(len(attempts)))


def _attempt(one: AttemptSeen) -> Html:
    name = el(
        "h3",
        f"#{one.number} {one.provider}",
        el("code", one.model or one.sent_model),
        badge(one.outcome),
        el("span", one.purpose, class_="chip") if one.purpose != "serve" else None,
    )
    pairs: list[tuple[str, Child]] = [
        ("Started", moment(one.started_at)),
        ("Status", str(one.status) if one.status else ""),
        ("Took", duration(one.duration_ms)),
        ("First token", duration(one.ttft_ms) if one.ttft_ms is not None else ""),
        ("Service tier", _code(one.service_tier)),
        ("Provider's id", _code(one.provider_request_id)),
        ("Error", one.error),
    ]
    return el("article", name, _facts(pairs), _price_table(one), class_="attempt")


def _price_table(one: AttemptSeen) -> Html:
    if one.cost is None:
        return el("p", "No price is known for this model: it is missing from every sum.", class_="alarm")
    if not one.price_lines:
        return el("p", "Nothing was charged.", class_="hint")
    columns = (("Price line", ""), ("Quantity", "num"), ("$ per million", "num"), ("USD", "num"), ("Share", "num"))
    head = el("tr", [el("th", words, scope="col", class_=kind or None) for words, kind in columns])
    foot = el(
        "tr",
        el("th", _sum_words(one, one.cost), scope="row", colspan=3),
        el("td", usd(one.cost), class_="num"),
        el("td", ""),
    )
    source = " · ".join(part for part in (one.price_source, one.price_version) if part)
    table = el(
        "table",
        el("caption", f"Price lines{', ' if source else ''}{source}"),
        el("thead", head),
        el("tbody", [_line(line, one.price_lines) for line in one.price_lines]),
        el("tfoot", foot),
    )
    return scroller(table, f"Price lines of request {one.number}")


def _sum_words(one: AttemptSeen, cost: Nano) -> str:
    """What was done to the lines to get the cost."""
    exact = sum((Decimal(line.usd) for line in one.price_lines), Decimal(0))
    if rounded_half_even(exact.scaleb(9)) == cost:
        return "Rounded once, half to even"
    return f"Charged, after adjustments of the lines' {exact} USD"


def _line(line: PriceLine, lines: Sequence[PriceLine]) -> Html:
    return el(
        "tr",
        el("th", BUCKET_WORDS.get(line.bucket, line.bucket.replace("_", " ")), scope="row"),
        el("td", count(line.quantity), class_="num"),
        el("td", line.usd_per_mtok, class_="num"),
        el("td", line.usd, class_="num"),
        el("td", share(line.weight, sum(each.weight for each in lines)), class_="num"),
    )
