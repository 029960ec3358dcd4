"""cache: an answer to another question that asks the same, and whether that was right (docs/cache.md)."""

import asyncio
import random
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from msgspec import structs

from proxy.cache import CachedAnswer
from proxy.core.outcome import Purpose
from proxy.journey.caching.looked import Looked
from proxy.journey.caching.seek import seek
from proxy.journey.caching.sought import Sought
from proxy.journey.errands.errand import Errand, start_errand
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.routing import Candidate

if TYPE_CHECKING:
    from proxy.cache import SemanticSight

_FORWARDED: Final = (b"openai-", b"anthropic-")
_S: Final = 1_000_000_000
_MS: Final = 1000


async def alike_answer(journey: Journey, looked: Looked, rooms: Rooms) -> CachedAnswer | None:
    """The kept answer to a question that asks the same, where the call may be served one; else none, in its time.

    Raises:
        Refused: INVALID_REQUEST where the client's own threshold is none.
    """
    semantic = rooms.semantic
    if semantic is None:
        return None
    seek(journey, rooms)
    sought, org = journey.sought, journey.principal.org
    if sought is None or sought.mode != "serve":
        return None
    sight = await _sight(sought, semantic.settings.deadline_ms / _MS)
    if sight is None or sight.alike is None:
        return None
    entry, run = sight.alike.entry, journey.claims.run
    if entry.org != org or not entry.key or semantic.audits.is_off(org, entry.route):
        return None
    if run and await rooms.cache.exact.has_had(entry.key, run, rooms.clock.now_ns()):
        return None
    now_ns = rooms.clock.now_ns()
    answer = await rooms.cache.exact.find(org, entry.key, now_ns, rooms.snapshot().purges)
    if answer is not None:
        sought.status, sought.entry, sought.similarity = "hit", entry.operation, sight.alike.similarity
        sought.age_s = answer.age_s(now_ns)
        looked.similarity = sight.alike.similarity
    return answer


def note_missed(journey: Journey, looked: Looked) -> None:
    """It was not given after all."""
    looked.similarity = 0.0
    if journey.sought is not None:
        journey.sought.status = ""


def audit(journey: Journey, looked: Looked, answer: CachedAnswer, rooms: Rooms) -> None:
    """Of a share of the hits: have the question asked again beside it, so that the answers are compared."""
    semantic, sought = rooms.semantic, journey.sought
    if semantic is None or sought is None or random.random() >= semantic.settings.audit_share:
        return
    asked_again = structs.replace(sought, mode="audit", status="", said=())
    call = journey.call
    headers = [pair for pair in call.raw_headers if pair[0] == b"content-type" or pair[0].startswith(_FORWARDED)]
    errand = Errand(
        purpose=Purpose.CACHE_AUDIT,
        org=journey.principal.org,
        candidate=Candidate(answer.provider, answer.sent_model),
        endpoint=call.endpoint,
        body=journey.body,
        dialect=call.dialect,
        path=call.path,
        headers=headers,
        beside=journey,
        sought=asked_again,
    )
    start_errand(errand, rooms)


async def _sight(sought: Sought, within_s: float) -> "SemanticSight | None":
    looking: Future[SemanticSight | None] = sought.looking
    if not looking.done():
        await asyncio.wait({asyncio.wrap_future(looking)}, timeout=within_s)
    return looking.result() if looking.done() else None
