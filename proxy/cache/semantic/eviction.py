"""What goes when there is too much: the entries that were used longest ago."""

from collections.abc import Callable, Sequence
from typing import Final

from gptcache.manager.eviction.base import EvictionBase

from proxy.cache.semantic.payloads import SqlitePayloads

_EVERY: Final = 64


class BytesEviction(EvictionBase):
    """See gptcache's EvictionBase: bounded by bytes, and by all workers of the host together."""

    def __init__(
        self, payloads: SqlitePayloads, max_bytes: int, ttl_s: int, on_evict: Callable[[Sequence[int]], None]
    ) -> None:
        self._payloads = payloads
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._on_evict = on_evict
        self._put = 0

    def put(self, objs: Sequence[int]) -> None:
        """See EvictionBase: these were added; now and then it is looked whether there are too many."""
        self._put += len(objs)
        if self._put >= _EVERY:
            self._put = 0
            self.tidy()

    def tidy(self) -> None:
        """Have those go that are too old, and those that are too many."""
        for gone in (self._payloads.older_than(self._ttl_s), self._payloads.oldest_beyond(self._max_bytes)):
            if gone:
                self._on_evict(gone)

    def get(self, obj: int) -> bool:
        """See EvictionBase: this one was used."""
        self._payloads.touch([obj])
        return True

    @property
    def policy(self) -> str:
        """See EvictionBase."""
        return "LRU"
