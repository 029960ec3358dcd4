"""cache: what a semantic cache would have given, beside what the provider said, and what is kept for others."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from proxy.cache import SemanticAlike, SemanticEntry
from proxy.core.money import ZERO
from proxy.journey.caching.never import is_clean
from proxy.journey.caching.sought import Sought
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey

if TYPE_CHECKING:
    from proxy.cache import SemanticCache

log = logging.getLogger("flyball.cache")
_MS: Final = 1000
_S: Final = 1_000_000_000


async def watch(journey: Journey, sought: Sought, rooms: Rooms) -> None:
    """After the answer: what would have been given in its place and how alike that is, and what is kept for others."""
    semantic = rooms.semantic
    if semantic is None or journey.body is not sought.body or journey.no_cache or not is_clean(journey):
        return
    looked = sought.looking.result() if sought.looking.done() and not sought.looking.cancelled() else None
    said = "".join(sought.said)
    if looked is None or not said.strip():
        return
    if looked.alike is not None:
        await _compare(journey, sought, looked.alike, said, semantic)
    if sought.mode != "audit" and (looked.alike is None or not sought.agreement or sought.agreement < 1):
        entry = _entry(journey, sought, said, rooms, semantic.settings.ttl_s)
        semantic.keep(sought.partition, looked.vector, entry)


async def _compare(
    journey: Journey, sought: Sought, alike: SemanticAlike, said: str, semantic: "SemanticCache"
) -> None:
    """Note for the row what would have been given, and whether it is what the provider says now."""
    entry = alike.entry
    sought.entry, sought.similarity = entry.operation, alike.similarity
    sought.age_s = max(0, journey.call.arrived_ns - entry.made_ns) // _S
    if sought.mode == "audit":
        sought.status = "audit"
    else:
        sought.status, sought.would_save = "would_hit", journey.cost or ZERO
    comparing = asyncio.wrap_future(semantic.agreement(said, entry.said))
    done, _ = await asyncio.wait({comparing}, timeout=semantic.settings.deadline_ms / _MS)
    if not done or (agreement := comparing.result()) is None:
        return
    sought.agreement = agreement
    if semantic.audits.note(entry.org, entry.route, is_false=agreement < semantic.settings.agree_at):
        told = semantic.audits.standing(entry.org, entry.route)
        log.error(
            "the semantic cache is off for a route: too many of its hits were false",
            extra={"org": entry.org, "route": entry.route, "looked_at": told.looked_at, "false": told.false},
        )


def _entry(journey: Journey, sought: Sought, said: str, rooms: Rooms, ttl_s: int) -> SemanticEntry:
    now_ns = rooms.clock.now_ns()
    return SemanticEntry(
        org=journey.principal.org,
        route="" if journey.resolution is None else journey.resolution.route,
        text=sought.text,
        operation=journey.call.operation,
        made_ns=now_ns,
        until_ns=now_ns + ttl_s * _S,
        said=said,
        cost_nano=-1 if journey.cost is None else journey.cost,
        revision=journey.snapshot.policy.revision,
        model=journey.attempts[-1].sent_model,
        tags=dict(journey.claims.tags),
        key=journey.looked.key if journey.looked is not None and journey.looked.serves else b"",
    )
