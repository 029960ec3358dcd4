"""Sealed answers in a Redis that workers and hosts share, and who of them asks a provider."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Final, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from proxy.cache.store import AnswerStore, StoreAway
from proxy.core.secret import Secret

DEADLINE_S: Final = 0.25
"""In which an answer must be there, connecting included."""
_STOOD_STILL_S: Final = 0.005
_GRACE_S: Final = 0.1
PAUSE_S: Final = 1.0
"""How long a Redis that failed is left alone: calls go on without it meanwhile."""
CONNECTIONS: Final = 16
_MS: Final = 1_000_000
_ANSWERS: Final = b"flyball:cache:answer:"
_CLAIMS: Final = b"flyball:cache:claim:"
_IF_OURS: Final = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
_RENEW: Final = _IF_OURS + "return redis.call('PEXPIRE', KEYS[1], ARGV[2])"
_RESIGN: Final = _IF_OURS + "return redis.call('DEL', KEYS[1])"
T = TypeVar("T")


class RedisStore:
    """See AnswerStore. What it keeps is bounded by Redis's own `maxmemory` and by the age of answers."""

    is_shared: Final = True

    def __init__(self, url: Secret, *, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._away_until = 0.0
        pool = BlockingConnectionPool.from_url(
            url.reveal(),
            max_connections=CONNECTIONS,
            timeout=None,  # the deadline is one for the whole question, kept by _within
            protocol=2,
            retry=Retry(NoBackoff(), 1),  # once more at once: a connection of before a restart shows when it is used
        )
        self._client: Redis = Redis(connection_pool=pool)

    async def find(self, key: bytes, now_ns: int) -> bytes | None:
        """See AnswerStore.find."""
        found = await self._asked(self._client.get(_ANSWERS + key))
        return found if isinstance(found, bytes) else None

    async def put(self, key: bytes, sealed: bytes, now_ns: int, until_ns: int) -> bool:
        """See AnswerStore.put."""
        if until_ns <= now_ns:
            return False
        left_ms = max(1, (until_ns - now_ns) // _MS)
        return bool(await self._asked(self._client.set(_ANSWERS + key, sealed, px=left_ms)))

    async def drop(self, key: bytes) -> None:
        """See AnswerStore.drop."""
        await self._asked(self._client.delete(_ANSWERS + key))

    async def claim(self, key: bytes, token: bytes, for_s: float) -> bool:
        """See AnswerStore.claim."""
        return bool(await self._asked(self._client.set(_CLAIMS + key, token, nx=True, px=round(for_s * 1000))))

    async def is_claimed(self, key: bytes) -> bool:
        """See AnswerStore.is_claimed."""
        return bool(await self._asked(self._client.exists(_CLAIMS + key)))

    async def renew(self, key: bytes, token: bytes, for_s: float) -> None:
        """See AnswerStore.renew."""
        await self._run(_RENEW, key, token, round(for_s * 1000))

    async def resign(self, key: bytes, token: bytes) -> None:
        """See AnswerStore.resign."""
        await self._run(_RESIGN, key, token)

    async def close(self) -> None:
        """See AnswerStore.close."""
        await self._client.aclose(close_connection_pool=True)

    async def _run(self, script: str, key: bytes, *arguments: Any) -> None:
        await self._asked(self._client.eval(script, 1, _CLAIMS + key, *arguments))

    async def _asked(self, question: Awaitable[T]) -> T:
        if time.monotonic() < self._away_until:
            _unasked(question)
            raise StoreAway("Redis is left alone since it failed")
        try:
            async with _within(self._deadline_s):
                return await question
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + PAUSE_S
            raise StoreAway(f"Redis: {str(error) or 'no answer in time'}") from error


@contextlib.asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """TimeoutError after that time; later if it was this process that stood still: the answer may be here."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as limit:

        def expire(due: float) -> None:
            nonlocal timer
            if loop.time() - due > _STOOD_STILL_S:
                timer = loop.call_later(_GRACE_S, expire, loop.time() + _GRACE_S)
            else:
                limit.reschedule(loop.time())

        timer = loop.call_later(seconds, expire, loop.time() + seconds)
        try:
            yield
        finally:
            timer.cancel()


def _unasked(question: Awaitable[Any]) -> None:
    """Let go of what was never sent."""
    close = getattr(question, "close", None)
    if close is not None:
        close()


_: type[AnswerStore] = RedisStore
