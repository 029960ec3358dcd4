"""cache: look whether the request was answered before, and note that it was (DESIGN §2)."""

from typing import Final

from proxy.core.money import ZERO
from proxy.journey.cache_key import CACHEABLE, cache_key
from proxy.journey.cache_never import is_clean, is_kept_from, is_said_never
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey, Looked

_DISABLED: Final = "disabled"


def look(journey: Journey, rooms: Rooms) -> None:
    """Look whether the request, as it is after the policy's obligations, was answered before."""
    journey.looked = None
    resolution = journey.resolution
    if resolution is None or journey.call.endpoint not in CACHEABLE or journey.recalled is not None:
        return
    rule = journey.snapshot.caching.of(journey.principal.org, resolution.route)
    if rule.exact == _DISABLED or is_kept_from(journey):
        return
    key = cache_key(journey)
    journey.looked = Looked(key, journey.body, rule, rooms.cache.shadow.is_fresh(key, journey.call.arrived_ns))


def note_shadow(journey: Journey, looked: Looked, rooms: Rooms) -> None:
    """After the answer: what a cache would have saved of it, and that it would be kept from now on."""
    if journey.body is not looked.body or journey.no_cache or not is_clean(journey):
        return
    cache, run = rooms.cache, journey.claims.run
    is_repeat = bool(run) and cache.repeats.has(looked.key, run)
    if looked.is_known and not is_repeat and not is_said_never(journey.call.endpoint, looked.body):
        looked.status = "would_hit"
        looked.would_save = journey.cost or ZERO
    if run:
        cache.repeats.note(looked.key, run)
    cache.shadow.note(looked.key, journey.call.arrived_ns + looked.rule.ttl_ns)
