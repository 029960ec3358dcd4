"""explain: how a call's target was chosen, and what the model that was asked for would have cost, for its row."""

from typing import Final

import msgspec

from proxy.core.money import Nano
from proxy.core.refusal import Refused
from proxy.core.usage import UsageSource
from proxy.journey.call_facts import call_facts
from proxy.journey.state import Journey
from proxy.pricing import price
from proxy.routing import Candidate, as_listed

_LONGEST: Final = 200
_MOST: Final = 32
"""Of a longer list the first are told: a row is no place for hundreds."""
_encode: Final = msgspec.json.Encoder().encode


class ToldCandidate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A candidate as a row tells of it; the lower its score the better, None for one that was left out."""

    provider: str
    model: str
    why: str
    score: int | None = None


class ToldRouting(msgspec.Struct, frozen=True):
    """How a target was chosen: the candidates best first, and those that were left out."""

    strategy: str
    candidates: tuple[ToldCandidate, ...]
    left_out: tuple[ToldCandidate, ...]


def told_routing(journey: Journey) -> str:
    """The choice as JSON; empty where there was but one candidate from the beginning."""
    if journey.ranking is None and not journey.left_out:
        return ""
    told = routing_of(journey)
    return "" if told is None else _encode(told).decode()


def routing_of(journey: Journey) -> ToldRouting | None:
    """How the target was chosen, as far as that went; None where no route was found."""
    resolution, ranking = journey.resolution, journey.ranking
    if resolution is None:
        return None
    left_out = journey.left_out if ranking is None else ranking.left_out
    order = as_listed(resolution.candidates).order if ranking is None else ranking.order
    return ToldRouting(
        strategy=resolution.plan.strategy,
        candidates=tuple(
            ToldCandidate(each.candidate.provider, each.candidate.model[:_LONGEST], each.why, each.score)
            for each in order[:_MOST]
        ),
        left_out=tuple(
            ToldCandidate(each.candidate.provider, each.candidate.model[:_LONGEST], each.why)
            for each in left_out[:_MOST]
        ),
    )


def asked_cost(journey: Journey) -> Nano | None:
    """What the usage of the attempt that served would have cost at the first target of the model that the client named,
    as its route lists them; None where just that one served, where nothing was used, and where it has no price."""
    if not journey.attempts or not journey.request.model:
        return None
    last = journey.attempts[-1]
    usage = last.usage
    if usage.source is UsageSource.NONE:
        return None
    asked = _asked(journey)
    if asked is None or (asked.provider, asked.model) == (last.provider.name, last.sent_model):
        return None
    profile = journey.snapshot.providers[asked.provider].profile
    names = (asked.model, journey.request.model)
    entry = journey.snapshot.prices.find(profile.price_provider, names, journey.at)
    return None if entry is None else price(usage, entry, journey.at).cost


def _asked(journey: Journey) -> Candidate | None:
    try:
        found = journey.snapshot.router.resolve(journey.request.model, facts=lambda: call_facts(journey))
    except Refused:
        return None
    return found.candidates[0]
