"""The caches: what may be answered from memory, and what that would have saved (docs/cache.md)."""

from typing import TYPE_CHECKING

from proxy.cache.answer import CachedAnswer
from proxy.cache.cache import Cache
from proxy.cache.flights import Flight
from proxy.cache.purges import NO_PURGES, BadPurge, Purge, Purges, PurgeStore
from proxy.cache.rules import CacheRule, CacheRules
from proxy.cache.semantic.entry import SemanticAlike as SemanticAlike
from proxy.cache.semantic.entry import SemanticEntry as SemanticEntry
from proxy.cache.semantic.entry import SemanticSight as SemanticSight
from proxy.cache.settings import CacheSettings
from proxy.cache.settings import cache_problems as cache_problems

if TYPE_CHECKING:
    from proxy.cache.semantic.cache import SemanticCache as SemanticCache
else:

    def __getattr__(name: str) -> object:
        """`SemanticCache`, when first asked for: what it needs is optional, and slow to import."""
        if name != "SemanticCache":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from proxy.cache.semantic.cache import SemanticCache  # noqa: PLC0415 - see above

        return SemanticCache


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
