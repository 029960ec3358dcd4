"""One worker: the data port on its own socket, and the small duties beside it."""

import argparse
import asyncio
import gc
import logging
import signal
from pathlib import Path
from typing import Final

import uvloop

from proxy.app.configuration import Configured, environment, with_sim
from proxy.app.following_reader import FollowingReader
from proxy.app.stores import Stores
from proxy.app.worker import WorkerParts
from proxy.budget import LedgerUnavailable
from proxy.config import BadConfig, Config, load_config
from proxy.core.clock import SystemClock
from proxy.processes.folder import StateFolder
from proxy.processes.metrics import WorkerCounters
from proxy.processes.parent import Parent
from proxy.processes.server import adopt, http_server

STATE_POLL_S: Final = 0.25
SEAL_POLL_S: Final = 0.25
REPORT_S: Final = 1.0
log = logging.getLogger("flyball.worker")


def run(config: Config, options: argparse.Namespace, parent: Parent) -> None:
    """Serve until SIGTERM."""
    uvloop.run(Worker(config, options.name, options.sim_url, parent).run(options.socket_fd))


class Worker:
    """Serves calls until SIGTERM; reloads on SIGHUP."""

    def __init__(self, config: Config, name: str, sim_url: str, parent: Parent) -> None:
        self._sim_url = sim_url
        self._parent = parent
        self._folder = StateFolder(config.home)
        self._counters = WorkerCounters()
        self._name = name
        config = with_sim(config, sim_url)
        stores = Stores.open(config.home, self._folder.ledger, SystemClock())
        reader = FollowingReader(config.settings.telemetry, config.home, self._folder.clickhouse)
        self._parts = WorkerParts(config, stores, self._folder.spool, name, self._counters, reader)
        self._configured: Configured = self._parts.configured
        self._server = http_server(
            self._parts.port, config.settings.server.shutdown_s, lambda: parent.say_ready({"name": name})
        )

    async def run(self, descriptor: int) -> None:
        """Serve on the supervisor's socket; returns after the last call has ended and everything is on disk."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._parent.stop_with_it()
        _calm_the_collector()
        duties = [self._watch_state, self._renew, self._seal, self._report, self._settle_late]
        tasks = [loop.create_task(duty()) for duty in duties]
        listener = adopt(descriptor)
        await self._parts.counter.warm()
        try:
            await self._server.serve(sockets=[listener])
        finally:
            self._parts.stopping = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._settle_now()
            self._write_counters()
            await self._parts.close()

    async def _watch_state(self) -> None:
        """Take changed keys and budgets within half a second."""
        state = self._parts.stores.state
        state.changed()
        while True:
            await asyncio.sleep(STATE_POLL_S)
            if state.changed():
                await asyncio.to_thread(self._configured.reload_state)

    async def _renew(self) -> None:
        """Keep this worker's holds alive."""
        rooms = self._parts.rooms
        lease_s = rooms.holding.lease_s
        while True:
            until = rooms.clock.now_ns() + lease_s * 1_000_000_000
            try:
                await rooms.ledger.renew(self._name, until)
            except LedgerUnavailable as error:
                log.warning("leases not renewed", extra={"error": str(error)})
            await asyncio.sleep(lease_s / 3)

    async def _seal(self) -> None:
        while True:
            await asyncio.sleep(SEAL_POLL_S)
            self._parts.spool.seal_due()

    async def _settle_late(self) -> None:
        """Settle what was recorded while the ledger was away."""
        while True:
            await asyncio.sleep(1.0)
            await self._settle_now()

    async def _settle_now(self) -> None:
        rooms = self._parts.rooms
        for operation, cost in list(rooms.unsettled.items()):
            try:
                await rooms.ledger.settle(operation, cost, rooms.clock.now_ns())
            except LedgerUnavailable:
                return
            del rooms.unsettled[operation]
            rooms.spool.settled(operation)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            self._write_counters()

    def _write_counters(self) -> None:
        dropped = {
            f'flyball_rows_dropped_total{{table="{table}",reason="{reason}"}}': count
            for (table, reason), count in self._parts.spool.dropped.items()
        }
        self._counters.write(self._folder.run / f"metrics-{self._name}.json", dropped)

    def _reload(self) -> None:
        """Take a new file; the supervisor has already found it valid, so a fault here only keeps the old one."""
        path: Path | None = self._configured.config.path
        try:
            self._configured.reload_file(with_sim(load_config(path, environment()), self._sim_url))
        except BadConfig as error:
            log.error("configuration not reloaded", extra={"errors": error.errors})
            return
        log.info("configuration reloaded", extra={"generation": self._configured.config.generation})


def _calm_the_collector() -> None:
    """Start-up's objects are never garbage: not looking at them again saves a tenth of each call (ADR 005)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
