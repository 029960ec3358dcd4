"""Identical requests at the same time: one is asked, the others wait for its answer."""

import asyncio
from collections.abc import MutableMapping

from proxy.cache.answer import CachedAnswer


class Flight:
    """One request under way, and who waits for what comes of it."""

    __slots__ = ("_flights", "_key", "_landed", "answer", "is_unfit", "waiters")

    def __init__(self, key: bytes, flights: MutableMapping[bytes, "Flight"]) -> None:
        self._key = key
        self._flights = flights
        self._landed = asyncio.Event()
        self.answer: CachedAnswer | None = None
        self.is_unfit = False
        """Whether an answer came that is nobody else's: each who waits is to ask for one."""
        self.waiters = 0

    def land(self, answer: CachedAnswer | None, *, is_unfit: bool = False) -> None:
        """The leader has an answer, or has failed, so that another is to lead; only the first word counts."""
        if self._landed.is_set():
            return
        self.answer, self.is_unfit = answer, is_unfit
        if self._flights.get(self._key) is self:
            del self._flights[self._key]
        self._landed.set()

    async def wait(self) -> None:
        """Return once the leader has said how it went."""
        self.waiters += 1
        try:
            await self._landed.wait()
        finally:
            self.waiters -= 1


class Flights:
    """All requests under way that a cache may answer, by key."""

    def __init__(self) -> None:
        self._flights: dict[bytes, Flight] = {}

    def join(self, key: bytes) -> tuple[Flight, bool]:
        """The flight of this request, and whether the caller leads it: whoever does must have it land."""
        known = self._flights.get(key)
        if known is not None:
            return known, False
        made = self._flights[key] = Flight(key, self._flights)
        return made, True

    @property
    def waiters(self) -> int:
        """How many calls wait for another's answer."""
        return sum(each.waiters for each in self._flights.values())

    def __len__(self) -> int:
        return len(self._flights)
