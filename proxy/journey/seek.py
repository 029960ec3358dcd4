"""cache: look whether a question of the same meaning was answered before, and see how right its answer would be."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from proxy.cache import SemanticAlike, SemanticEntry
from proxy.core.money import ZERO
from proxy.core.refusal import Refusal, Refused
from proxy.journey.cache_never import is_clean
from proxy.journey.question import question_of
from proxy.journey.rooms import Rooms
from proxy.journey.sought import Sought
from proxy.journey.state import Journey
from proxy.wire.cache_control import NOTHING_SAID, read_cache_control

if TYPE_CHECKING:
    from proxy.cache import SemanticCache

HEADER: Final = b"x-flyball-similarity"
log = logging.getLogger("flyball.cache")
_CONTROL: Final = b"cache-control"
_DISABLED: Final = "disabled"
_MS: Final = 1000
_S: Final = 1_000_000_000


def seek(journey: Journey, rooms: Rooms) -> None:
    """Have it looked for beside everything else, where the call has a semantic cache.

    Raises:
        Refused: INVALID_REQUEST where the client's own threshold is none.
    """
    if journey.sought is not None and journey.sought.body is journey.body:
        return  # it was looked for already, to be served
    journey.sought = None
    semantic, resolution = rooms.semantic, journey.resolution
    if semantic is None or resolution is None or journey.recalled is not None:
        return
    org = journey.principal.org
    said = journey.call.headers.get(_CONTROL)
    control = NOTHING_SAID if said is None else read_cache_control(said)
    mode = journey.snapshot.caching.semantic_of(org, resolution.route)
    if mode == _DISABLED or control.no_store or control.no_cache:
        return
    asked = _asked(journey)
    question = question_of(journey, semantic.embedder.name, semantic.settings.share)
    if question is None:
        return
    threshold = max(asked, semantic.audits.threshold(org, resolution.route, semantic.settings.threshold))
    looking = semantic.look(question.partition, question.text, threshold, journey.call.arrived_ns)
    journey.sought = Sought(question.partition, question.text, journey.body, mode, looking)


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


def _asked(journey: Journey) -> float:
    """How alike the client wants texts to be at least; nothing where it says nothing.

    Raises:
        Refused: INVALID_REQUEST.
    """
    said = journey.call.headers.get(HEADER)
    if said is None:
        return 0.0
    try:
        asked = float(said)
    except ValueError:
        asked = -1.0
    if not 0 <= asked <= 1:
        raise Refused(
            Refusal.INVALID_REQUEST,
            "`x-flyball-similarity` must be a number from 0 to 1; it raises the threshold for this call.",
            param="x-flyball-similarity",
        )
    return asked
