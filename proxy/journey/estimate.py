"""estimate: the worst case this call could cost, so that it can be held before a token is bought."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from proxy.budget import BudgetSettings, HoldLine, LineKind, Rung, Unit, next_gate, regated
from proxy.core.money import ZERO, Nano, exact_usd, to_usd_text
from proxy.core.refusal import Refusal, Refused
from proxy.journey.dearest import worst_price as worst_price
from proxy.journey.errands.overhead import overhead_lines
from proxy.journey.fit import drop_too_small
from proxy.journey.media import text_tokens, worst_media
from proxy.journey.observe import named, refuse_unless_observed
from proxy.journey.rooms import JourneySettings, Rooms
from proxy.journey.state import Estimate, Journey
from proxy.pricing import Price
from proxy.routing import Candidate
from proxy.wire.endpoint import ONE_WINDOW
from proxy.wire.openai.stateful import NO_CONTEXT

ROUGH_BYTES_PER_TOKEN = 3
MOST = 10**18
"""Nano-dollars, a billion dollars: what a ledger takes as one amount."""
BOUND_BY_TOOLS = frozenset({Unit.USD, Unit.TOKENS, Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS})
"""What a call counts on that nobody has bounded, where a provider runs tools for it."""
FREE = Estimate(0, 0, Nano(1))
"""What costs nothing: as good as nothing is held, and yet who has no money left reaches no provider."""


async def estimate(journey: Journey, rooms: Rooms) -> None:
    """Price the call's worst case, highest over its candidates.

    Where no budget is in scope nothing is held, so the tokens are only roughly counted.

    Raises:
        Refused: UNPRICED_MODEL or CAPABILITY_MISSING where the worst case cannot be bounded and must be;
            INVALID_REQUEST where it is more than can be accounted for.
    """
    call = journey.call
    journey.lines = lines_of(journey)
    resolution = journey.resolution
    journey.prices.clear()
    if call.endpoint.is_free:
        journey.estimate = FREE
        journey.mark("estimate", rooms.clock.monotonic_ns())
        return
    if resolution is not None:
        find_prices(journey, resolution.candidates)
    input_tokens = await _input_tokens(journey, rooms)
    if resolution is not None and (len(resolution.candidates) > 1 or resolution.plan.is_choosy):
        await drop_too_small(journey, input_tokens, rooms)
    journey.estimate = worst(journey, input_tokens, rooms)
    journey.mark("estimate", rooms.clock.monotonic_ns())


async def worst_at(journey: Journey, candidate: Candidate, rooms: Rooms) -> Estimate:
    """The dearest that the call could be at one of its candidates.

    Raises:
        Refused: as `estimate` does.
    """
    if journey.call.endpoint.is_free:
        return FREE
    extra, price = hosted_tools_ceiling(journey, rooms.settings), journey.prices.get(candidate)
    return _bounded(_worst(journey, price, await _input_tokens(journey, rooms), extra, rooms))


async def _input_tokens(journey: Journey, rooms: Rooms) -> int:
    call = journey.call
    if call.endpoint.is_media:
        return await text_tokens(journey, rooms)
    if journey.lines:
        counted = await rooms.counter.count_input(journey.model, call.endpoint, journey.body)
        return counted.tokens
    return len(journey.body) // ROUGH_BYTES_PER_TOKEN


def worst(journey: Journey, input_tokens: int, rooms: Rooms) -> Estimate:
    """The dearest that a call of so much input could be at any of its candidates."""
    extra = hosted_tools_ceiling(journey, rooms.settings)
    estimates = [_worst(journey, price, input_tokens, extra, rooms) for price in journey.prices.values()]
    return _bounded(max(estimates, key=lambda each: each.amount))


def _bounded(worst: Estimate) -> Estimate:
    if worst.amount > MOST:
        raise Refused(
            Refusal.INVALID_REQUEST,
            f"This one call could cost {to_usd_text(worst.amount)} USD, more than can be accounted for; "
            "lower max_tokens, n or best_of, or send fewer prompts.",
            facts={"wanted_usd": to_usd_text(worst.amount)},
        )
    return worst


def lines_of(journey: Journey) -> tuple[HoldLine, ...]:
    """The budgets that the call falls under, by its key and by what it claims to belong to."""
    budgets, principal = journey.snapshot.budgets, journey.principal
    kinds = budgets.claimed.get(principal.org)
    scopes = (*principal.scopes, *journey.claims.scopes(principal.org, kinds)) if kinds else principal.scopes
    lines = budgets.lines_for(scopes, journey.call.arrived_ns, model=journey.model, key=principal.key_id)
    if journey.snapshot.runs.watches:
        lines += _lines_of_the_run(journey)
    if principal.is_overhead:
        lines = overhead_lines(lines, principal.org, journey.snapshot.overhead_per_day, journey.call.arrived_ns)
    return lines if journey.measures is None else above(lines, journey.measures.climbed)


def _lines_of_the_run(journey: Journey) -> tuple[HoldLine, ...]:
    runs, principal = journey.snapshot.runs, journey.principal
    journey.ticket = runs.ticket(principal, journey.claims)
    lines = runs.lines(principal, journey.claims, journey.call.arrived_ns)
    if not lines or not journey.snapshot.budgets.observes(principal.org):
        return lines
    return tuple(replace(line, hard=False, observed=True) for line in lines)


def above(lines: tuple[HoldLine, ...], climbed: Mapping[str, Collection[Rung]]) -> tuple[HoldLine, ...]:
    """The lines with their gates at the next rung that the call has not climbed yet."""
    return tuple(
        regated(line, next_gate(line, climbed[line.budget])) if line.budget in climbed else line for line in lines
    )


def find_prices(journey: Journey, candidates: Sequence[Candidate]) -> None:
    """The candidates' prices; one that has none and must have one is left out while others are left.

    Raises:
        Refused: UNPRICED_MODEL where none is left.
    """
    if len(candidates) == 1:
        journey.prices[candidates[0]] = find_price(journey, candidates[0])
        return
    refused: dict[Candidate, Refused] = {}
    for candidate in candidates:
        try:
            journey.prices[candidate] = find_price(journey, candidate)
        except Refused as no:
            refused[candidate] = no
    if refused:
        if not journey.prices:
            raise next(iter(refused.values()))
        journey.leave_out(dict.fromkeys(refused, "has no price, and must have one here"))


def find_price(journey: Journey, candidate: Candidate) -> Price | None:
    """The price of a candidate's model; None where it has none and may be served all the same."""
    provider = journey.snapshot.providers[candidate.provider]
    names = (candidate.model, journey.model)
    price = journey.snapshot.prices.find(provider.profile.price_provider, names, journey.at)
    if price is not None:
        return price
    binding = [line for line in journey.lines if (line.hard or line.observed) and line.unit is Unit.USD]
    denied = journey.snapshot.deny_unpriced
    if denied or binding:
        why = f"and the hard budget {binding[0].name!r} needs one" if binding else "and unpriced models are denied"
        refused = Refused(
            Refusal.UNPRICED_MODEL,
            f"The model {candidate.model[:200]!r} of provider {candidate.provider!r} has no price {why}. "
            "Add it to the price overlay, or set prices.assume_usd_per_mtok.",
            param="model",
            facts={"model": candidate.model[:200], "provider": candidate.provider},
            by=named(binding[0]) if binding else "prices.unpriced",
        )
        refuse_unless_observed(journey, refused, allowed=not denied and not any(line.hard for line in binding))
    return None


def hosted_tools_ceiling(journey: Journey, settings: JourneySettings) -> Nano:
    """What is held for tools that the provider runs and bills without a bound.

    Raises:
        Refused: CAPABILITY_MISSING under a hard budget when no ceiling is configured.
    """
    tools = journey.request.hosted_tools
    if not tools:
        return ZERO
    binding = [line for line in journey.lines if (line.hard or line.observed) and line.unit in BOUND_BY_TOOLS]
    # A rate that a tool's tokens pass is made up for by the calls after it.
    binding = [line for line in binding if line.kind is not LineKind.RATE]
    if not binding:
        return ZERO
    if settings.hosted_tools_ceiling_usd is None:
        refused = Refused(
            Refusal.CAPABILITY_MISSING,
            f"The provider-run tool {tools[0]!r} has no bounded price, so a hard budget cannot cover it. "
            "Set limits.hosted_tools_ceiling_usd to allow it.",
            param="tools",
            facts={"tools": list(tools)},
            by=named(binding[0]),
        )
        refuse_unless_observed(journey, refused, allowed=not any(line.hard for line in binding))
        return ZERO
    return exact_usd(settings.hosted_tools_ceiling_usd)


def output_bound(journey: Journey, price: Price | None, holding: BudgetSettings) -> int:
    """Output tokens the call is held for: what was asked, else the default, capped by the model, times its choices."""
    facts = journey.request
    asked = facts.max_output_tokens
    bound = holding.first_hold_output_tokens if asked is None else asked
    if asked is None and facts.in_background and price is not None and price.max_output is not None:
        bound = price.max_output  # no hold can grow with what nobody sees flow
    if price is not None and price.max_output is not None:
        bound = min(bound, price.max_output)
    return bound * facts.choices if journey.call.endpoint.has_output else 0


def leans_on_context(journey: Journey) -> bool:
    """Whether the call's prompt is longer than its body, by what the provider keeps."""
    return any(each not in NO_CONTEXT for each in journey.request.stateful)


def context_ceiling(journey: Journey, settings: JourneySettings) -> Nano:
    """What is held for a stored context of a model whose window is not known.

    Raises:
        Refused: CAPABILITY_MISSING under a hard budget when no ceiling is configured.
    """
    binding = [line for line in journey.lines if (line.hard or line.observed) and line.unit in BOUND_BY_TOOLS]
    binding = [line for line in binding if line.kind is not LineKind.RATE]
    if not binding:
        return ZERO
    if settings.unbounded_ceiling_usd is None:
        field = next(each for each in journey.request.stateful if each not in NO_CONTEXT)
        refused = Refused(
            Refusal.CAPABILITY_MISSING,
            f"What {field!r} adds to the prompt is kept by the provider, and the model's window is not known, so the "
            f"hard budget {binding[0].name!r} cannot cover it. Set limits.unbounded_ceiling_usd, or max_input_tokens "
            "in the price overlay.",
            param=field,
            by=named(binding[0]),
        )
        refuse_unless_observed(journey, refused, allowed=not any(line.hard for line in binding))
        return ZERO
    return exact_usd(settings.unbounded_ceiling_usd)


def _worst(journey: Journey, price: Price | None, tokens: int, extra: Nano, rooms: Rooms) -> Estimate:
    holding, settings = rooms.holding, rooms.settings
    if journey.request.media is not None:
        return worst_media(journey, price, tokens)
    output = output_bound(journey, price, holding)
    if journey.request.stateful and leans_on_context(journey):
        # What a provider keeps of a conversation fills at most the model's window.
        if price is not None and price.max_input is not None:
            tokens = price.max_input
        else:
            extra = Nano(extra + context_ceiling(journey, settings))
    if price is not None and price.max_input is not None and journey.call.endpoint in ONE_WINDOW:
        tokens = min(tokens, price.max_input)
    if price is None:
        return Estimate(tokens, output, extra)
    return Estimate(tokens, output, Nano(worst_price(journey, price, tokens, output) + extra))
