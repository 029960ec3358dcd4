"""clamp: a call that does not fit is given less output, where its budget says so and the answer is worth as much."""

from typing import Final

from msgspec.structs import replace

from proxy.budget import Balance, LedgerUnavailable, fitted
from proxy.core.money import Nano
from proxy.journey.estimate import worst
from proxy.journey.refusals import fitting_output
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.wire.endpoint import Endpoint

LEAST_TOKENS: Final = 256
LEAST_PART: Final = 4
"""Not less than this part of what was asked: more would be another answer."""
NEW_NAMES: Final = {Endpoint.COMPLETIONS: "max_tokens", Endpoint.RESPONSES: "max_output_tokens"}
NEWER: Final = frozenset({"openai", "azure"})
"""Whose chats take `max_completion_tokens`, and for reasoning models nothing else; the others know `max_tokens`."""


async def clamp(journey: Journey, rooms: Rooms) -> bool:
    """Lower the call's output limit to what fits; whether it is to be held again.

    That is tried once. Where the clamped call does not fit either it is held again as it was, so that it is refused
    by the numbers of what was asked.
    """
    measures = journey.measured
    if measures.unclamped is not None:
        return _unclamp(journey)
    if not _may_end_early(journey):
        return False
    try:
        limit, name = await _fitting(journey, rooms)
    except LedgerUnavailable:
        return False
    if not limit:
        return False
    facts, made = journey.request, journey.estimate
    measures.unclamped, measures.clamped_to = (journey.body, facts, made, journey.reason), limit
    call = journey.call
    journey.body = call.dialect.with_output_limit(call.endpoint, journey.body, limit, new_name=limit_name(journey))
    journey.facts = replace(facts, max_output_tokens=limit)
    journey.estimate = worst(journey, made.input_tokens, rooms)
    journey.say(f"clamped to {limit} output tokens: budget {name}")
    return True


def _unclamp(journey: Journey) -> bool:
    measures = journey.measured
    if measures.unclamped is None or not measures.clamped_to:
        return False
    journey.body, journey.facts, journey.estimate, journey.reason = measures.unclamped
    measures.clamped_to = 0
    return True


def _may_end_early(journey: Journey) -> bool:
    """Whether less of the answer is still an answer, and the limit's name is known for certain."""
    if not journey.call.endpoint.has_output or journey.request.has_tools:
        return False
    known = all(price is not None for price in journey.prices.values())
    if journey.request.max_output_tokens is None and not known:
        return False
    return not journey.call.dialect.asks_for_form(journey.body)


async def _fitting(journey: Journey, rooms: Rooms) -> tuple[int, str]:
    """The output limit of each choice that fits every line, and whose line it is; 0 where none or too little does."""
    made, choices = journey.estimate, journey.request.choices
    fits = [
        (_left_for(journey, balance), balance.line.name)
        for balance in await rooms.ledger.balances(fitted(journey.lines, made.input_tokens, made.output_tokens))
        if _is_short(journey, balance)
    ]
    limit, name = min(fits, default=(0, ""))
    least = max(LEAST_TOKENS, -(-made.output_tokens // choices // LEAST_PART))
    return (limit, name) if limit >= least else (0, "")


def _is_short(journey: Journey, balance: Balance) -> bool:
    line = balance.line
    wanted = journey.estimate.amount if line.amount is None else line.amount
    return line.hard and balance.spent + balance.held + wanted > line.limit


def _left_for(journey: Journey, balance: Balance) -> int:
    line, spent, held = balance
    left = line.limit - spent - held
    return (fitting_output(journey, line, Nano(left)) or 0) if line.clamp and left > 0 else 0


def limit_name(journey: Journey) -> str:
    """What the output limit is called at the provider that will most likely serve the call."""
    endpoint, resolution = journey.call.endpoint, journey.resolution
    if endpoint in NEW_NAMES or resolution is None:
        return NEW_NAMES.get(endpoint, "max_tokens")
    provider = journey.snapshot.providers[resolution.candidates[0].provider]
    return "max_completion_tokens" if provider.profile.name in NEWER else "max_tokens"
