"""The caches: what may be answered from memory, and what that would have saved (docs/cache.md)."""

from proxy.cache.answer import CachedAnswer
from proxy.cache.cache import Cache
from proxy.cache.flights import Flight
from proxy.cache.purges import NO_PURGES, BadPurge, Purge, Purges, PurgeStore
from proxy.cache.rules import CacheRule, CacheRules
from proxy.cache.settings import CacheSettings

__all__ = [
    "NO_PURGES",
    "BadPurge",
    "Cache",
    "CacheRule",
    "CacheRules",
    "CacheSettings",
    "CachedAnswer",
    "Flight",
    "Purge",
    "PurgeStore",
    "Purges",
]
