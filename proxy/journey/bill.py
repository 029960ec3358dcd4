"""bill: what an attempt used and cost, from the provider's own numbers where it gave them."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from proxy.core.money import ZERO
from proxy.core.usage import NO_USAGE, Bucket, ToolFee, Usage, UsageSource
from proxy.journey.media import in_its_buckets, media_usage, text_tokens
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt, Journey
from proxy.metering import estimated, usage_told
from proxy.pricing import Price, price

_UNTOLD: Final = UsageSource.NONE


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of an answer.

    `billable`: the provider charges for it. `complete`: all that was made was delivered to us; when it was not, the
    part we did not see is taken to be as large as the hold allowed.
    """

    raw_usage: bytes | None = None
    service_tier: str | None = None
    tool_calls: Mapping[ToolFee, int] = msgspec.field(default_factory=dict)
    delivered: Sequence[str] = ()
    output_chars: int = 0
    billable: bool = True
    complete: bool = True
    made: int = 0
    """Images that came."""


async def bill(journey: Journey, attempt: Attempt, evidence: Evidence, rooms: Rooms) -> None:
    """Set the attempt's usage and cost. An attempt without a price costs None, never zero; a free one costs zero."""
    if journey.sought is not None:
        journey.sought.said = evidence.delivered
    if journey.likened or (journey.resolution is not None and journey.resolution.plan.shadows):
        attempt.said = evidence.delivered
    if journey.call.endpoint.is_free:
        attempt.cost = attempt.list_cost = ZERO
        return
    charge(journey, attempt, await _usage(journey, attempt, evidence, rooms), rooms)


def charge(journey: Journey, attempt: Attempt, usage: Usage, rooms: Rooms) -> None:
    """Set the attempt's usage, and what it costs at the price of its model."""
    attempt.usage = usage
    if usage is NO_USAGE:
        attempt.cost = attempt.list_cost = ZERO
        return
    entry = _price_of(journey, attempt)
    if entry is None:
        rooms.counters.unpriced(attempt.sent_model)
        return
    priced = price(attempt.usage, entry, journey.at)
    attempt.priced = priced
    attempt.cost, attempt.list_cost = priced.cost, priced.list_cost
    attempt.price_source = entry.source


def is_made_later(journey: Journey, raw_usage: bytes | None) -> bool:
    """Whether the answer goes on to be made after this one: what it will be nobody knows, so it is billed as held."""
    return journey.request.in_background and raw_usage is None


async def bill_unanswered(journey: Journey, attempt: Attempt, rooms: Rooms) -> None:
    """Bill an attempt that got no whole answer: nothing if it was never sent or refused, else what its hold allowed."""
    billable = attempt.status < 400 and not attempt.error.endswith("(not sent)")
    await bill(journey, attempt, Evidence(billable=billable, complete=False), rooms)


async def _usage(journey: Journey, attempt: Attempt, evidence: Evidence, rooms: Rooms) -> Usage:
    told = NO_USAGE
    if attempt.translated is not None:
        metered = attempt.translated.metered
        evidence = replace(evidence, raw_usage=metered.usage, service_tier=metered.service_tier)
    if evidence.raw_usage is not None:
        attempt.raw_usage = evidence.raw_usage
        told = usage_told(
            attempt.provider.dialect,
            evidence.raw_usage,
            arithmetic=attempt.provider.profile.arithmetic,
            endpoint=journey.call.endpoint,
            service_tier=evidence.service_tier,
            tool_calls=evidence.tool_calls,
        )
    if told.lacks_output:
        output = await _output(journey, attempt, evidence, rooms)
        return told._replace(tokens={**told.tokens, Bucket.OUTPUT: output}, source=UsageSource.ESTIMATED)
    if told.source is not _UNTOLD or not evidence.billable:
        return told if journey.request.media is None else in_its_buckets(journey, told)
    if journey.request.media is not None:
        made = evidence.made if evidence.complete else journey.request.media.images
        return media_usage(journey, _price_of(journey, attempt), await text_tokens(journey, rooms), made)
    counted = await _estimated(journey, attempt, evidence, rooms)
    if evidence.tool_calls or told.flaws or evidence.service_tier:
        return counted._replace(tool_calls=evidence.tool_calls, flaws=told.flaws, service_tier=evidence.service_tier)
    return counted


async def _estimated(journey: Journey, attempt: Attempt, evidence: Evidence, rooms: Rooms) -> Usage:
    """Counted by us: the provider told nothing, or nothing that can be read."""
    counted = await rooms.counter.count_input(attempt.sent_model, journey.call.endpoint, journey.body)
    return estimated(counted.tokens, await _output(journey, attempt, evidence, rooms))


async def _output(journey: Journey, attempt: Attempt, evidence: Evidence, rooms: Rooms) -> int:
    if not evidence.complete:
        return journey.estimate.output_tokens
    return await rooms.counter.count_output(attempt.sent_model, evidence.delivered, evidence.output_chars)


def _price_of(journey: Journey, attempt: Attempt) -> Price | None:
    """The price of the model that answered, else of the one that was asked."""
    names = [name for name in (attempt.model, attempt.sent_model, journey.request.model) if name]
    provider = attempt.provider.profile.price_provider
    return journey.snapshot.prices.find(provider, names, journey.at)
