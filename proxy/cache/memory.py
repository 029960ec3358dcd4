"""Sealed answers in this process, bounded by bytes: what was not asked for the longest goes first."""

from collections import OrderedDict
from typing import Final

from proxy.cache.store import AnswerStore

OVERHEAD: Final = 320
"""What an entry takes beside its sealed bytes: its key, moment, tuple and place in the table, rounded up."""


class MemoryStore:
    """See AnswerStore."""

    is_shared: Final = False

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()
        self.size = 0

    async def find(self, key: bytes, now_ns: int) -> bytes | None:
        """See AnswerStore.find."""
        found = self._kept.get(key)
        if found is None:
            return None
        if now_ns >= found[0]:
            self._take_out(key)
            return None
        self._kept.move_to_end(key)
        return found[1]

    async def put(self, key: bytes, sealed: bytes, now_ns: int, until_ns: int) -> bool:
        """See AnswerStore.put."""
        self._take_out(key)
        takes = len(sealed) + OVERHEAD
        if takes > self._max_bytes or until_ns <= now_ns:
            return False
        self._kept[key] = (until_ns, sealed)
        self.size += takes
        while self.size > self._max_bytes:
            _, (_, oldest) = self._kept.popitem(last=False)
            self.size -= len(oldest) + OVERHEAD
        return True

    async def drop(self, key: bytes) -> None:
        """See AnswerStore.drop."""
        self._take_out(key)

    async def claim(self, key: bytes, token: bytes, for_s: float) -> bool:
        """See AnswerStore.claim. Requests under way in one worker are told apart without it."""
        return True

    async def is_claimed(self, key: bytes) -> bool:
        """See AnswerStore.is_claimed."""
        return False

    async def renew(self, key: bytes, token: bytes, for_s: float) -> None:
        """See AnswerStore.renew."""

    async def resign(self, key: bytes, token: bytes) -> None:
        """See AnswerStore.resign."""

    async def close(self) -> None:
        """See AnswerStore.close."""
        self._kept.clear()
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def _take_out(self, key: bytes) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self.size -= len(found[1]) + OVERHEAD


_: type[AnswerStore] = MemoryStore
