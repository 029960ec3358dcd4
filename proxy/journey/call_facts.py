"""What a route's condition may look at: who calls, as what, how much and when."""

import asyncio
from typing import Final

from proxy.core.tenant import Principal
from proxy.journey.dearest import MEDIA_MARKS
from proxy.journey.state import Journey
from proxy.routing import CallFacts, Capability
from proxy.wire.endpoint import Endpoint

INLINE_BYTES: Final = 32 * 1024
NOTHING: Final[frozenset[Capability]] = frozenset()
_MARKS: Final = (*MEDIA_MARKS, b"document")
_TOOLS: Final[frozenset[Capability]] = frozenset({"tools"})


def call_facts(journey: Journey) -> CallFacts:
    """The facts of one call."""
    principal, claims = journey.principal, journey.claims
    return CallFacts(
        org=principal.org,
        team=principal.team,
        agent=claims.agent or principal.key_name,
        step=claims.step,
        tags=principal.tags,
        claimed_tags=claims.tags,
        request_bytes=len(journey.body),
        at_ns=journey.call.arrived_ns,
        asks=asks_of(journey),
    )


def caller_facts(principal: Principal) -> CallFacts:
    """What is known of every call of a key."""
    return CallFacts(org=principal.org, team=principal.team, tags=principal.tags)


def asks_of(journey: Journey) -> frozenset[Capability]:
    """What the request asks of a model, where somebody needs to know."""
    if journey.request.has_tools and journey.call.endpoint is not Endpoint.REALTIME:
        return journey.asks | _TOOLS
    return journey.asks


async def find_asks(journey: Journey) -> None:
    """Find out what the request asks of a model beside tools: pictures, sound, files, an answer of some form."""
    endpoint = journey.call.endpoint
    if endpoint.is_media or endpoint.is_carried or not journey.request.is_object:
        return
    if len(journey.body) <= INLINE_BYTES:
        journey.asks = _asks(journey)
    else:
        journey.asks = await asyncio.to_thread(_asks, journey)


def _asks(journey: Journey) -> frozenset[Capability]:
    call, body = journey.call, journey.body
    asks: set[Capability] = {"structured_output"} if call.dialect.asks_for_form(body) else set()
    if not any(mark in body for mark in _MARKS):
        return frozenset(asks)
    given = call.dialect.read_countable(call.endpoint, body)
    if given.images:
        asks.add("images")
    if given.audio_bytes:
        asks.add("audio")
    if given.file_bytes or given.files:
        asks.add("files")
    return frozenset(asks)
