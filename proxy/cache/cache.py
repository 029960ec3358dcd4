"""One worker's caches."""

from typing import Final

from proxy.cache.exact import ExactCache
from proxy.cache.memory import MemoryStore
from proxy.cache.repeats import Repeats
from proxy.cache.sealing import AnswerSeal
from proxy.cache.settings import CacheSettings
from proxy.cache.shadow import ShadowBook
from proxy.cache.store import AnswerStore

_KB: Final = 1024
_MB: Final = 1_048_576


class Cache:
    """What one of a host's `workers` keeps, within its share of what the host may keep: a quarter for hashes."""

    def __init__(self, settings: CacheSettings, *, body_key: bytes, workers: int = 1) -> None:
        share = settings.exact.max_mb * _MB // workers
        self.shadow: Final = ShadowBook(share // 4)
        self.repeats: Final = Repeats()
        self.exact: Final = ExactCache(
            _store(settings, share - share // 4),
            AnswerSeal(body_key),
            max_answer_bytes=settings.exact.max_answer_kb * _KB,
        )

    async def close(self) -> None:
        """Let go of what is open."""
        await self.exact.close()


def _store(settings: CacheSettings, max_bytes: int) -> AnswerStore:
    url = settings.exact.redis
    if url is None:
        return MemoryStore(max_bytes)
    from proxy.cache.redis import RedisStore  # noqa: PLC0415 - `redis` is an optional dependency, and slow to import

    return RedisStore(url)
