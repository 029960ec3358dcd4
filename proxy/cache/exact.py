"""The exact cache that serves: sealed answers in a store, and requests under way."""

import logging
from typing import Final

from proxy.cache.answer import CachedAnswer
from proxy.cache.flights import Flights
from proxy.cache.purges import NO_PURGES, Purges
from proxy.cache.sealing import AnswerSeal, Unreadable
from proxy.cache.store import AnswerStore, StoreAway

log = logging.getLogger("flyball.cache")


class ExactCache:
    """Answers to whole requests. A store that fails, or hands out what is not asked for, is a miss."""

    def __init__(self, store: AnswerStore, seal: AnswerSeal, *, max_answer_bytes: int) -> None:
        self._store = store
        self._seal = seal
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

    async def close(self) -> None:
        """Let go of the store."""
        await self._store.close()
