"""What is kept of an answer for a cache that serves, once it has come whole and clean."""

import re
from typing import Final

from proxy.cache import CachedAnswer
from proxy.core.outcome import Outcome
from proxy.journey.caching.looked import Looked
from proxy.journey.caching.never import is_clean
from proxy.journey.judge_answer import is_judged
from proxy.journey.policy_facts import response_facts
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey

# A refusal as a member, never as what somebody wrote: there its quotes have backslashes.
_REFUSAL: Final = re.compile(rb'"refusal"\s*:\s*(?!null)|:\s*"refusal"')


class Keeping:
    """The bytes of one answer as its client gets them, no more than a cache takes."""

    __slots__ = ("_most", "_parts", "_size")

    def __init__(self, most: int) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._most = most

    def add(self, chunk: bytes) -> None:
        """A further part."""
        self._size += len(chunk)
        if self._size <= self._most:
            self._parts.append(chunk)
        else:
            self._parts.clear()

    @property
    def body(self) -> bytes:
        """All of it; empty where it was too much."""
        return b"".join(self._parts)


def keeping_of(journey: Journey, rooms: Rooms) -> Keeping | None:
    """Where an answer is gathered that a cache may keep; None where none may."""
    looked = journey.looked
    if looked is None or not looked.serves or not looked.key or journey.body is not looked.body:
        return None
    return Keeping(rooms.cache.exact.max_answer_bytes)


async def keep(journey: Journey, body: bytes, content_type: bytes, rooms: Rooms) -> None:
    """Keep an answer that came whole, and give it to those who wait for it; nothing where it is nobody else's."""
    looked = journey.looked
    if looked is None or not looked.serves or not looked.key:
        return
    answer = _answer(journey, looked, body, content_type, rooms) if _may_be_kept(journey, looked, body) else None
    if looked.flight is not None:
        looked.flight.land(answer, is_unfit=answer is None and _was_made(journey))
    if answer is None:
        return
    exact, now_ns = rooms.cache.exact, answer.made_ns
    if journey.claims.run:
        await exact.note_had(looked.key, journey.claims.run, now_ns, answer.until_ns)
    await exact.keep(answer, now_ns)
    await exact.resign(looked.key, journey.call.operation.encode())


async def leave_flight(journey: Journey, looked: Looked, rooms: Rooms) -> None:
    """The call is over, or goes another way: whoever still waits for its answer is told that there is none."""
    if looked.flight is not None:
        looked.flight.land(None, is_unfit=_was_made(journey))
        await rooms.cache.exact.resign(looked.key, journey.call.operation.encode())


def is_awaited(journey: Journey) -> bool:
    """Whether other calls wait for the answer to this one."""
    return journey.looked is not None and journey.looked.flight is not None and journey.looked.flight.waiters > 0


def _was_made(journey: Journey) -> bool:
    """Whether a provider answered: then another call would get no better one to share."""
    return bool(journey.attempts) and journey.attempts[-1].outcome is Outcome.OK


def _may_be_kept(journey: Journey, looked: Looked, body: bytes) -> bool:
    if not body or journey.no_cache or journey.body is not looked.body or _REFUSAL.search(body):
        return False
    has_left = journey.outcome is Outcome.CANCELLED
    if has_left and is_judged(journey):
        return False  # no rule has seen it to its end
    return is_clean(journey)


def _answer(journey: Journey, looked: Looked, body: bytes, content_type: bytes, rooms: Rooms) -> CachedAnswer:
    now_ns, attempt, cost = rooms.clock.now_ns(), journey.attempts[-1], journey.cost
    return CachedAnswer(
        org=journey.principal.org,
        key=looked.key,
        entry=journey.call.operation,
        made_ns=now_ns,
        until_ns=now_ns + looked.rule.ttl_ns,
        provider=attempt.provider.name,
        sent_model=attempt.sent_model,
        model=(attempt.model or attempt.sent_model)[:200],
        body=body,
        content_type=content_type.decode("latin-1"),
        streamed=journey.request.streamed,
        finish_reason=attempt.finish_reason,
        cost_nano=-1 if cost is None else cost,
        revision=journey.snapshot.policy.revision,
        tags=dict(journey.claims.tags),
        told=response_facts(journey) if is_judged(journey) else {},
    )
