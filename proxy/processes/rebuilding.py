"""Seeing to it that a ledger which is new, or has forgotten everything, is made anew from the rows of calls."""

import asyncio
import logging
from typing import Final

from proxy.app.following_reader import FollowingReader
from proxy.app.ledgers import rebuildable_book
from proxy.app.rebuild import rebuild
from proxy.app.stores import Stores
from proxy.budget import LedgerUnavailable, SqliteCounterBook
from proxy.config import Config
from proxy.processes.folder import StateFolder
from proxy.telemetry import TelemetryUnavailable

SHIPPED_S: Final = 15.0
LOOK_S: Final = 0.1
SAY_EVERY_S: Final = 30.0
log = logging.getLogger("flyball.rebuild")


class Rebuilding:
    """Lives in the supervisor of the workers; the workers' gates stay shut until it has done its work."""

    def __init__(self, config: Config, stores: Stores, folder: StateFolder) -> None:
        self._stores = stores
        self._folder = folder
        self._shared = config.settings.ledger.redis is not None
        self._embedded = config.settings.telemetry.url is None
        self._book = rebuildable_book(config, stores.state)
        self._reader = FollowingReader(config.settings.telemetry, config.home, folder.clickhouse)
        self._done = False
        self._said = float("-inf")

    def prepare(self) -> None:
        """At start, before anything is counted: where there are no rows, or an older version counted, all is well."""
        if self._book.is_rebuilt():
            return
        counted = isinstance(self._book, SqliteCounterBook) and not self._book.is_new()
        rowless = self._embedded and not (self._folder.home / "clickhouse").exists() and not self._unshipped()
        if counted or rowless:
            self._book.mark_rebuilt()

    async def look(self) -> None:
        """Make the counters anew if they must be; done again and again, since a Redis can forget."""
        if self._done:
            return
        try:
            if not await asyncio.to_thread(self._book.is_rebuilt):
                await self._rebuild()
        except LedgerUnavailable:
            return  # the workers say so
        except TelemetryUnavailable as error:
            now = asyncio.get_running_loop().time()
            if now - self._said >= SAY_EVERY_S:
                self._said = now
                log.warning(
                    "the ledger is new, and no call is taken until the telemetry store can tell what was spent",
                    extra={"error": error.message},
                )
            return
        self._done = not self._shared

    async def close(self) -> None:
        """Let go of what is open."""
        await self._reader.close()

    async def _rebuild(self) -> None:
        """After what lies in the spool has been shipped, as far as that goes soon."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SHIPPED_S
        while await asyncio.to_thread(self._unshipped) and loop.time() < until:  # noqa: ASYNC110 - by another process
            await asyncio.sleep(LOOK_S)
        counters = await rebuild(self._stores, self._book, self._reader)
        log.warning("the ledger was new: its counters are what the rows say", extra={"counters": counters})

    def _unshipped(self) -> bool:
        sealed = self._folder.spool / "sealed"
        return sealed.is_dir() and any(sealed.iterdir())
