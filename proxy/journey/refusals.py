"""What a call is told that its budgets, limits or run do not let through: why, the numbers, and when to come again."""

from typing import Final

from proxy.budget import HoldLine, LineKind, Reached, Short, Stopped, Unit, figures, spoken
from proxy.core.clock import utc
from proxy.core.money import Nano
from proxy.core.refusal import MAX_RETRY_AFTER_S, JsonValue, Refusal, Refused
from proxy.core.tenant import run_scope
from proxy.journey.estimate import worst_price
from proxy.journey.limit_headers import limit_headers
from proxy.journey.observe import WHY, named
from proxy.journey.rooms import JourneySettings
from proxy.journey.state import Journey

NS: Final = 1_000_000_000
NAMED: Final = {LineKind.BUDGET: "budget", LineKind.RATE: "rate_limit", LineKind.RUN: "run_limit"}
"""Under which word a refusal names what is short."""
NOUNS: Final = {LineKind.BUDGET: "budget", LineKind.RATE: "rate limit", LineKind.RUN: "limit"}
DO_NOT_RETRY: Final = (b"x-should-retry", b"false")


def refusal_of(journey: Journey, verdict: Short, settings: JourneySettings, now_ns: int) -> Refused:
    """The answer to a call that does not fit, by what is short: a budget, a rate limit, or what its run may use."""
    kind = verdict.line.kind
    if kind is LineKind.RATE:
        return _too_fast(journey, verdict, now_ns)
    status = settings.budget_status if kind is LineKind.BUDGET else None
    said = _said(verdict, journey.claims.run if kind is LineKind.RUN else "")
    return Refused(WHY[kind], said, facts=facts_of(journey, verdict), status=status, by=named(verdict.line))


def cached_only(journey: Journey, reached: Reached, settings: JourneySettings) -> Refused:
    """The answer where a ladder lets only answers from memory through, and there are none."""
    line = reached.line
    left = spoken(line.unit, max(0, line.limit - reached.spent - reached.held))
    return Refused(
        Refusal.BUDGET_EXCEEDED,
        f"The {noun(line)} {line.name!r} of {line.scope} has {left} left, where its ladder lets only cached answers "
        "through, and none is at hand.",
        facts={**facts_of(journey, reached), "step": "cache_only"},
        status=settings.budget_status,
        by=named(line),
    )


def facts_of(journey: Journey, short: Short | Reached) -> dict[str, JsonValue]:
    """The numbers of what is short: those that headers, the admin API and the telemetry show, in its own unit."""
    line = short.line
    facts = standing(line, spent=short.spent, held=short.held, wanted=short.wanted)
    if line.kind is LineKind.RUN:
        facts["run"] = journey.claims.run
    facts["fits"] = {"max_tokens": fitting_output(journey, line, remaining_of(short)), "model": journey.model}
    return facts


def standing(line: HoldLine, **amounts: int) -> dict[str, JsonValue]:
    """A line and where it stands, as programs are told it."""
    return {
        "scope": line.scope,
        NAMED[line.kind]: line.name,
        "window": line.window,
        **figures(line, **amounts),
        "resets_at": resets_at(line),
    }


def resets_at(line: HoldLine) -> str | None:
    """When its window ends; None where it never does."""
    return None if line.resets_at_ns is None else utc(line.resets_at_ns).isoformat()


def remaining_of(short: Short | Reached) -> Nano:
    """What the line had left before the call, never less than nothing."""
    return Nano(max(0, short.line.limit - short.spent - short.held))


def _too_fast(journey: Journey, short: Short, now_ns: int) -> Refused:
    line = short.line
    wait_s = 1 if line.resets_at_ns is None else -(-(line.resets_at_ns - now_ns) // NS)
    never_fits = short.wanted > line.limit
    headers = limit_headers([(line, remaining_of(short))], now_ns)
    if never_fits:
        headers.append(DO_NOT_RETRY)
    return Refused(
        Refusal.RATE_LIMITED,
        _said(short) + (" It is more than the limit itself." if never_fits else ""),
        facts=facts_of(journey, short),
        retry_after_s=min(wait_s, MAX_RETRY_AFTER_S),
        headers=tuple(headers),
        by=named(line),
    )


def stopped(journey: Journey, stopped: Stopped) -> Refused:
    """The answer to a call whose run takes no more."""
    said = {
        "killed": "was stopped by an operator",
        "seconds": f"began {stopped.value} s ago and may take {stopped.limit} s",
        "depth": f"lies {stopped.value} deep, and runs may go {stopped.limit} deep",
    }[stopped.why]
    scope = run_scope(journey.principal.org, stopped.run)
    facts: dict[str, JsonValue] = {"scope": scope, "run": stopped.run, "why": stopped.why}
    if stopped.why != "killed":
        facts |= {f"limit_{stopped.why}": stopped.limit, f"spent_{stopped.why}": stopped.value}
    message = f"The run {stopped.run[:200]!r} {said}; it takes no more calls."
    return Refused(Refusal.RUN_STOPPED, message, facts=facts, by=f"{scope}/{stopped.why}")


def _said(short: Short, run: str = "") -> str:
    line, at = short.line, resets_at(short.line)
    left = spoken(line.unit, remaining_of(short))
    wanted = spoken(line.unit, short.wanted)
    if line.unit is Unit.SLOTS:
        return f"The rate limit {line.name!r} of {line.scope} lets {int(line.limit)} calls run at once, and they do."
    resets = f"; {'some of it may come back' if line.counted_from is not None else 'it resets'} at {at}" if at else ""
    where = "its rolling window" if line.counted_from is not None else line.window
    what = f"run {run[:200]!r} has" if run else f"{noun(line)} {line.name!r} of {line.scope} has"
    if run:
        where = f"what {line.name} may use"
    verb = "cost" if line.unit is Unit.USD else "take"
    return f"The {what} {left} left in {where}, and this call could {verb} {wanted}{resets}."


def noun(line: HoldLine) -> str:
    """What people call it."""
    return NOUNS[line.kind]


def fitting_output(journey: Journey, line: HoldLine, remaining: Nano) -> int | None:
    """The output limit that what is left would pay for, of each choice; None when not even the input fits."""
    if line.unit is not Unit.USD:
        return _fitting_tokens(journey, line.unit, remaining)
    estimate, prices = journey.estimate, [price for price in journey.prices.values() if price is not None]
    if not prices:
        return None
    input_cost = max(worst_price(journey, price, estimate.input_tokens, 0) for price in prices)
    left, output_cost = remaining - input_cost, estimate.amount - input_cost
    if left < 0 or estimate.output_tokens == 0 or output_cost <= 0:
        return None
    return left * estimate.output_tokens // output_cost // journey.request.choices


def _fitting_tokens(journey: Journey, unit: Unit, remaining: int) -> int | None:
    """The same where tokens are counted; None where output is not."""
    if unit not in (Unit.TOKENS, Unit.OUTPUT_TOKENS):
        return None
    left = remaining - (journey.estimate.input_tokens if unit is Unit.TOKENS else 0)
    return left // journey.request.choices if left >= 0 else None
