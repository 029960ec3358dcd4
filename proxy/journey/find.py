"""findings: what detectors see in the call's texts, where a rule asks about it."""

import asyncio
from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Finder, Found, PolicyUnavailable, Said
from proxy.wire.dialects import dialect_of
from proxy.wire.endpoint import Endpoint
from proxy.wire.texts import said

INLINE_BYTES: Final = 4096
"""A body up to this size is looked through on the loop, in a fifth of a millisecond; longer ones are in a thread."""


async def find(journey: Journey, rooms: Rooms) -> None:
    """Look through the call's texts, once, and only where a rule reads what was found.

    Raises:
        Refused: DEPENDENCY_UNAVAILABLE where a detector failed.
    """
    snapshot = journey.snapshot
    if not snapshot.reads_findings or journey.found is not None:
        return
    try:
        journey.found = await looked_through(snapshot.finder, journey.call.endpoint, journey.body)
    except PolicyUnavailable as error:
        raise undetected(error) from error
    for finding in journey.found.findings:
        rooms.counters.finding(finding.kind, finding.count)
    journey.mark("findings", rooms.clock.monotonic_ns())


async def looked_through(finder: Finder, endpoint: Endpoint, body: bytes) -> Found:
    """What is found in a body that has passed `read_request`. Raises PolicyUnavailable."""
    if is_quick(finder, body):
        return _look(finder, endpoint, body)
    return await asyncio.to_thread(_look, finder, endpoint, body)


def is_quick(finder: Finder, body: bytes) -> bool:
    """Whether a body is looked through on the loop."""
    return len(body) <= INLINE_BYTES and not finder.is_slow


def undetected(error: PolicyUnavailable) -> Refused:
    """The answer when a detector failed: what it was to find may be there, so nothing passes."""
    return Refused(
        Refusal.DEPENDENCY_UNAVAILABLE,
        "The request could not be looked through, so it may not pass; try again shortly.",
        facts={"dependency": "policy", "detail": error.reason},
        retry_after_s=1,
    )


def _look(finder: Finder, endpoint: Endpoint, body: bytes) -> Found:
    texts = dialect_of(endpoint).texts_in(endpoint, body)
    return finder.look((Said(text.role, text.number, said(body, text)) for text in texts.parts), texts.unread)
