"""The exact cache that serves: sealed answers in a store, and requests under way."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Final

from proxy.cache.answer import CachedAnswer
from proxy.cache.flights import Flights
from proxy.cache.purges import NO_PURGES, Purges
from proxy.cache.repeats import Repeats
from proxy.cache.sealing import AnswerSeal, Unreadable
from proxy.cache.store import AnswerStore, StoreAway

CLAIM_S: Final = 10.0
"""How long a claim holds that nobody renews, as its worker died."""
_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.1
_SEEN: Final = b"1"
log = logging.getLogger("flyball.cache")


class ExactCache:
    """Answers to whole requests. A store that fails, or hands out what is not asked for, is a miss."""

    def __init__(self, store: AnswerStore, seal: AnswerSeal, *, max_answer_bytes: int) -> None:
        self._store = store
        self.is_shared: Final = store.is_shared
        self._seal = seal
        self._repeats = Repeats()
        self._renewing: dict[tuple[bytes, bytes], asyncio.Task[None]] = {}
        self.max_answer_bytes: Final = max_answer_bytes
        self.flights: Final = Flights()

    async def find(self, org: str, key: bytes, now_ns: int, purges: Purges = NO_PURGES) -> CachedAnswer | None:
        """A fresh answer to an organisation's request; whose it is, is looked at again whatever the store says."""
        try:
            sealed = await self._store.find(key, now_ns)
            if sealed is None:
                return None
            answer = self._seal.open(key, sealed)
        except StoreAway as error:
            log.warning("a cache did not answer", extra={"error": str(error)})
            return None
        except Unreadable:
            return None
        if answer.org != org or now_ns >= answer.until_ns or purges.takes(answer):
            return None
        return answer

    async def keep(self, answer: CachedAnswer, now_ns: int) -> bool:
        """Keep an answer; whether it is kept now."""
        if len(answer.body) > self.max_answer_bytes:
            return False
        try:
            return await self._store.put(answer.key, self._seal.seal(answer), now_ns, answer.until_ns)
        except StoreAway as error:
            log.warning("an answer was not kept", extra={"error": str(error)})
            return False

    async def has_had(self, key: bytes, run: str, now_ns: int) -> bool:
        """Whether a run has had an answer to this request, from any worker that shares the store."""
        if self._repeats.has(key, run):
            return True
        if not self.is_shared:
            return False
        with contextlib.suppress(StoreAway):
            return await self._store.find(_of_run(key, run), now_ns) is not None
        return True  # not known: better asked anew

    async def note_had(self, key: bytes, run: str, now_ns: int, until_ns: int) -> None:
        """A run has had an answer to this request, which stays fresh until then."""
        self._repeats.note(key, run)
        if self.is_shared:
            with contextlib.suppress(StoreAway):
                await self._store.put(_of_run(key, run), _SEEN, now_ns, until_ns)

    async def claim(self, key: bytes, token: bytes) -> bool:
        """Whether this worker may ask a provider: no other that shares the store does. It holds until `resign`."""
        if not self.is_shared:
            return True
        try:
            if not await self._store.claim(key, token, CLAIM_S):
                return False
        except StoreAway:
            return True
        self._renewing[key, token] = asyncio.get_running_loop().create_task(self._renew(key, token))
        return True

    async def resign(self, key: bytes, token: bytes) -> None:
        """The answer is kept, or there is none: another may ask. Nothing where nothing was claimed."""
        renewing = self._renewing.pop((key, token), None)
        if renewing is not None:
            renewing.cancel()
            with contextlib.suppress(StoreAway):
                await self._store.resign(key, token)

    async def awaited(self, find: Callable[[], Awaitable[CachedAnswer | None]], key: bytes) -> CachedAnswer | None:
        """What another worker gets, once it has it; None when it has given up, or the store is away."""
        pause_s = _FIRST_PAUSE_S
        while True:
            await asyncio.sleep(pause_s)
            try:
                is_claimed = await self._store.is_claimed(key)
            except StoreAway:
                return None
            answer = await find()
            if answer is not None or not is_claimed:
                return answer
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    async def close(self) -> None:
        """Let go of the store."""
        for renewing in self._renewing.values():
            renewing.cancel()
        self._renewing.clear()
        await self._store.close()

    async def _renew(self, key: bytes, token: bytes) -> None:
        while True:
            await asyncio.sleep(CLAIM_S / 3)
            with contextlib.suppress(StoreAway):
                await self._store.renew(key, token, CLAIM_S)


def _of_run(key: bytes, run: str) -> bytes:
    return blake2b(run.encode("utf-8", "surrogatepass"), key=key, digest_size=32).digest()
