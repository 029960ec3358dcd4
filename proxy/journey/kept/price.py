"""price: what is held for a carried call, which tells no tokens beforehand."""

from typing import Final

from proxy.core.money import Nano, exact_usd
from proxy.core.refusal import Refusal, Refused
from proxy.journey.estimate import lines_of
from proxy.journey.kept.batch_worst import batch_worst, binding_lines
from proxy.journey.kept.passage import Passage
from proxy.journey.observe import named, refuse_unless_observed
from proxy.journey.rooms import Rooms
from proxy.journey.state import Estimate
from proxy.wire.place import Spends

LEAST: Final = Nano(1)
"""Held for what costs nothing: a budget that is used up lets nothing pass to a provider."""


async def price(passage: Passage, rooms: Rooms) -> None:
    """Say what the call is held for: next to nothing, or the ceiling where its price has no bound.

    Raises:
        Refused: CAPABILITY_MISSING where a hard budget needs a bound and none is configured.
    """
    journey = passage.journey
    journey.lines = lines_of(journey)
    amount = LEAST
    tokens_in = tokens_out = 0
    if passage.place.spends is Spends.BATCH and binding_lines(journey):
        amount, tokens_in, tokens_out = await batch_worst(passage, rooms)
    elif passage.place.spends is Spends.UNBOUNDED or journey.request.hosted_tools:
        amount = ceiling_for(passage, rooms)
    journey.estimate = Estimate(tokens_in, tokens_out, amount)
    journey.mark("estimate", rooms.clock.monotonic_ns())


def ceiling_for(passage: Passage, rooms: Rooms) -> Nano:
    """The configured ceiling under a budget that counts money or tokens; next to nothing where there is none."""
    journey, ceiling = passage.journey, rooms.settings.unbounded_ceiling_usd
    binding = binding_lines(journey)
    if not binding:
        return LEAST
    if ceiling is None:
        refused = Refused(
            Refusal.CAPABILITY_MISSING,
            f"What {journey.call.method} {journey.call.path[:100]} will cost cannot be bounded beforehand, so the hard "
            f"budget {binding[0].name!r} cannot cover it. Set limits.unbounded_ceiling_usd to allow it.",
            facts={"path": journey.call.path[:200]},
            by=named(binding[0]),
        )
        refuse_unless_observed(journey, refused, allowed=not any(line.hard for line in binding))
        return LEAST
    passage.holds_ceiling = True
    return exact_usd(ceiling)
