"""Telling the other workers and hosts, beside the calls: twice a second, one exchange at a time, none waited for."""

import asyncio
import logging
from typing import Final

from proxy.routing.health.health import Health
from proxy.routing.health.store import HealthStore, HealthUnavailable

HEALTH_EVERY_S: Final = 0.5
_MISSED: Final = 2
"""So many exchanges in a row that fail are told: one may only have met a lock."""
_FORGET_AFTER: Final = 10
log = logging.getLogger("flyball.health")


class Sharing:
    """One worker's exchange with the others. While the store is away each worker goes by what it sees itself."""

    def __init__(self, health: Health, store: HealthStore) -> None:
        self._health = health
        self._store = store
        self._left = b""
        self._missed = 0

    @property
    def is_away(self) -> bool:
        """Whether others cannot be heard."""
        return self._missed >= _MISSED

    async def turn(self) -> None:
        """Tell what is new and hear what the others know."""
        report = self._health.report()
        news = b"" if report == self._left else report
        try:
            told = await asyncio.to_thread(self._store.exchange, self._health.worker, news)
        except HealthUnavailable as error:
            self._miss(error)
            return
        if self.is_away:
            log.info("the health of targets is shared again")
        self._left, self._missed = report, 0
        self._health.hear(told)

    def _miss(self, error: HealthUnavailable) -> None:
        self._missed += 1
        self._left = b""
        if self._missed == _MISSED:
            log.warning("the health of targets is not shared: each worker goes by its own", extra={"error": str(error)})
        if self._missed == _FORGET_AFTER:
            self._health.hear(())
