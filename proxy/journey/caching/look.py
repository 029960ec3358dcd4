"""cache: what the request is known by, whether a cache may have it, and what a cache that only watches says of it."""

from typing import Final

from proxy.core.money import ZERO
from proxy.core.refusal import Refusal, Refused
from proxy.journey.caching.key import CACHEABLE, cache_key
from proxy.journey.caching.looked import Looked
from proxy.journey.caching.never import is_clean, kept_from, said_never
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.wire.cache_control import NOTHING_SAID, CacheControl, read_cache_control

_CONTROL: Final = b"cache-control"
_DISABLED: Final = "disabled"
_SERVE: Final = "serve"


def look(journey: Journey, rooms: Rooms) -> None:
    """Find out whether a cache may answer the request as it is after the policy's obligations.

    Raises:
        Refused: CACHE_MISS where the client wants a cached answer or none, and no cache may have one.
    """
    said = journey.call.headers.get(_CONTROL)
    control = NOTHING_SAID if said is None else read_cache_control(said)
    journey.looked = looked = _looked(journey, rooms, control)
    if control.only_if_cached and (looked is None or not looked.serves):
        raise missed(journey)


def missed(journey: Journey) -> Refused:
    """The answer to `only-if-cached` where there is none."""
    return Refused(
        Refusal.CACHE_MISS,
        "`cache-control: only-if-cached` asks for an answer from memory, and there is none for this request.",
        facts={"model": journey.model[:200]},
    )


def note_shadow(journey: Journey, looked: Looked, rooms: Rooms) -> None:
    """After the answer: what a cache would have saved of it, and that it would be kept from now on."""
    if looked.serves or journey.body is not looked.body or journey.no_cache or not is_clean(journey):
        return
    cache, run = rooms.cache, journey.claims.run
    is_repeat = bool(run) and cache.repeats.has(looked.key, run)
    if looked.is_known and not is_repeat and cache.shadow.may_be_kept(looked.key, lambda: _says_nothing_odd(journey)):
        looked.status = "would_hit"
        looked.would_save = journey.cost or ZERO
    if run:
        cache.repeats.note(looked.key, run)
    cache.shadow.note(looked.key, journey.call.arrived_ns + looked.rule.ttl_ns)


def _says_nothing_odd(journey: Journey) -> bool:
    return not said_never(journey.call.endpoint, journey.body)


def _looked(journey: Journey, rooms: Rooms, control: CacheControl) -> Looked | None:
    resolution, endpoint = journey.resolution, journey.call.endpoint
    if resolution is None or endpoint not in CACHEABLE or journey.recalled is not None:
        return None
    rule = journey.snapshot.caching.of(journey.principal.org, resolution.route)
    if rule.exact == _DISABLED:
        return None
    serves = rule.exact == _SERVE
    why = "no_store" if control.no_store else kept_from(journey)
    if serves:
        why = why or said_never(endpoint, journey.body)
        if why:
            return Looked(b"", journey.body, rule, True, control=control, status="bypass", why=why)
        return Looked(cache_key(journey), journey.body, rule, True, control=control, status="miss")
    if why:
        return None
    key = cache_key(journey)
    is_known = not control.no_cache and rooms.cache.shadow.is_fresh(key, journey.call.arrived_ns)
    return Looked(key, journey.body, rule, False, is_known)
