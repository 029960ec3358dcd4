"""copies: what a client was answered is asked of other targets too, beside its call, to compare the two."""

from collections.abc import Iterator
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from proxy.core.outcome import Outcome, Purpose
from proxy.journey.call import Headers
from proxy.journey.errands.errand import Errand, start_errand
from proxy.journey.errands.likeness import opening_of
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.routing import Candidate, ShadowSettings

MOST_BODY: Final = 1_048_576
_LOTS: Final = 2**64
_OF_THE_DIALECT: Final = (b"anthropic-", b"openai-beta", b"content-type")


def send_copies(journey: Journey, rooms: Rooms) -> None:
    """Begin the copies of an answered call that its route wants; nobody waits for them.

    Never copied is what would do or keep something at a provider, or leans on what one keeps.
    """
    resolution = journey.resolution
    if resolution is None or not resolution.plan.shadows or not _may_be_copied(journey):
        return
    for shadow in _drawn(resolution.plan.shadows, journey.call.operation):
        if start_errand(_errand(journey, shadow), rooms) is None:
            rooms.counters.errand(Purpose.SHADOW, "no_room")


def _may_be_copied(journey: Journey) -> bool:
    call, facts = journey.call, journey.request
    return (
        journey.outcome is Outcome.OK
        and call.endpoint.has_output
        and not (facts.stateful or facts.stores or facts.in_background or facts.hosted_tools)
        and len(journey.body) <= MOST_BODY
        and bool(journey.attempts)
    )


def _drawn(shadows: tuple[ShadowSettings, ...], operation: str) -> Iterator[ShadowSettings]:
    for shadow in shadows:
        number = int.from_bytes(blake2b(operation.encode(), digest_size=8, key=shadow.variant.encode()[:64]).digest())
        if Decimal(number) < shadow.share * _LOTS:
            yield shadow


def _errand(journey: Journey, shadow: ShadowSettings) -> Errand:
    call = journey.call
    headers: Headers = [pair for pair in call.raw_headers if pair[0].startswith(_OF_THE_DIALECT)]
    return Errand(
        purpose=Purpose.SHADOW,
        org=journey.principal.org,
        candidate=Candidate(shadow.provider, shadow.model or journey.attempts[-1].sent_model),
        endpoint=call.endpoint,
        body=journey.body,
        dialect=call.dialect,
        path=call.path,
        query=call.query,
        headers=headers,
        beside=journey,
        variant=shadow.variant,
        likened=opening_of(journey.attempts[-1].said),
    )
