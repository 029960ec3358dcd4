"""One worker: the data port on its own socket, and the small duties beside it."""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import uvloop

from proxy.app.configuration import Configured, environment, with_sim
from proxy.app.following_reader import FollowingReader
from proxy.app.ledgers import rebuildable_book
from proxy.app.policy_status import read_status
from proxy.app.stores import Stores
from proxy.app.worker import WorkerParts
from proxy.budget import LedgerUnavailable
from proxy.config import BadConfig, Config, load_config
from proxy.core.clock import SystemClock
from proxy.journey.ask import ask_shadows
from proxy.journey.kept.finish import look_after
from proxy.journey.running import end_killed
from proxy.journey.switched import end_switched
from proxy.processes.duty import repeated
from proxy.processes.folder import StateFolder
from proxy.processes.gate import Gate
from proxy.processes.metrics import Now, WorkerCounters
from proxy.processes.named_models import NamedModels
from proxy.processes.parent import Parent
from proxy.processes.server import adopt, http_server
from proxy.processes.tally import escaped
from proxy.routing import HEALTH_EVERY_S

STATE_POLL_S: Final = 0.25
SEAL_POLL_S: Final = 0.25
REPORT_S: Final = 1.0
SETTLE_LATE_S: Final = 1.0
KILLS_S: Final = 0.5
END_POLL_S: Final = 0.25
KNOCK_S: Final = 1.0
SHADOWS_S: Final = 0.1
UNFINISHED_S: Final = 15.0
UNFINISHED_AGAIN_NS: Final = 60_000_000_000
LAST_CALLS_S: Final = 3.0
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
        self._named = NamedModels()
        self._name = name
        self._is_stale = False
        self._policy_away = ""
        self._taking = asyncio.Lock()
        self._reloading: asyncio.Task[None] | None = None
        config = with_sim(config, sim_url)
        stores = Stores.open(config, self._folder.ledger, SystemClock())
        reader = FollowingReader(config.settings.telemetry, config.home, self._folder.clickhouse)
        self._parts = WorkerParts(config, stores, self._folder.spool, name, self._counters, reader)
        self._configured: Configured = self._parts.configured
        book = rebuildable_book(config, stores.state)
        self._gate = Gate(self._parts.rooms, book, may_forget=stores.state.shared is not None)
        self._server = http_server(
            self._parts.port,
            config.settings.server.shutdown_s,
            lambda: parent.say_ready({"name": name}),
            sockets=True,
        )

    async def run(self, descriptor: int) -> None:
        """Serve on the supervisor's socket; returns after the last call has ended and everything is on disk."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._parent.stop_with_it()
        _calm_the_collector()
        await self._gate.look()
        tasks = [loop.create_task(repeated(duty, every_s)) for duty, every_s in self._duties()]
        listener = adopt(descriptor)
        await self._parts.counter.warm()
        try:
            await self._server.serve(sockets=[listener])
        finally:
            self._parts.stopping = True
            await self._server.last_calls(LAST_CALLS_S)
            await self._parts.rooms.errands.close(LAST_CALLS_S)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._settle_now()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_CALLS_S):
                    await self._ask_shadows()
            with contextlib.suppress(OSError):
                self._write_counters()
            await self._parts.close()

    def _duties(self) -> list[tuple[Callable[[], Awaitable[None]], float]]:
        return [
            (self._watch_state, STATE_POLL_S),
            (self._renew, self._parts.rooms.holding.lease_s / 3),
            (self._knock, KNOCK_S),
            (self._knock_at_policy, KNOCK_S),
            (self._read_policy_status, KNOCK_S),
            (self._seal, SEAL_POLL_S),
            (self._report, REPORT_S),
            (self._settle_now, SETTLE_LATE_S),
            (self._end_killed, KILLS_S),
            (self._look_whether_to_end, END_POLL_S),
            (self._ask_shadows, SHADOWS_S),
            (self._parts.sharing.turn, HEALTH_EVERY_S),
            (self._look_after_unfinished, UNFINISHED_S),
        ]

    async def _watch_state(self) -> None:
        """Take changed keys and budgets within half a second; a change is looked for until it has been taken.

        Kill switches are taken first: reading all keys may take its time.
        """
        self._is_stale = self._parts.stores.state.changed() or self._is_stale
        if self._is_stale or self._configured.snapshot.switches.has_ended(self._parts.rooms.clock.now_ns()):
            await asyncio.to_thread(self._configured.reload_switches)
            end_switched(self._parts.rooms)
        if self._is_stale:
            async with self._taking:
                await asyncio.to_thread(self._configured.reload_state)
            self._is_stale = False

    async def _renew(self) -> None:
        """Keep this worker's holds alive."""
        rooms = self._parts.rooms
        try:
            await rooms.ledger.renew(self._name, rooms.clock.now_ns() + rooms.holding.lease_s * 1_000_000_000)
        except LedgerUnavailable as error:
            rooms.ledger_away = True
            log.warning("leases not renewed", extra={"error": str(error)})
        else:
            rooms.ledger_away = False

    async def _knock(self) -> None:
        """Look whether a ledger that was away is back: what is not ready gets no calls to find it out by."""
        await self._gate.look()
        if self._parts.rooms.ledger_away:
            await self._renew()

    async def _knock_at_policy(self) -> None:
        """The same for a policy server, told in the log when it goes and when it comes."""
        policy = self._parts.configured.snapshot.policy
        await self._parts.configured.close_replaced()
        was_away = policy.away
        await policy.knock()
        if policy.away and policy.away != self._policy_away:
            log.error("no policy decides, so no call passes", extra={"error": policy.away})
        elif was_away and not policy.away:
            log.info("a policy decides", extra={"revision": policy.revision})
        self._policy_away = policy.away

    async def _read_policy_status(self) -> None:
        """What the supervisor says of newer policies, for /readyz."""
        status = await asyncio.to_thread(read_status, self._folder.run)
        self._parts.policy_stale = status is not None and status.stale

    async def _seal(self) -> None:
        self._parts.spool.seal_due()

    async def _settle_now(self) -> None:
        """Settle what was recorded while the ledger was away."""
        rooms = self._parts.rooms
        for operation, due in list(rooms.unsettled.items()):
            try:
                settled = await rooms.ledger.settle(operation, due.cost, rooms.clock.now_ns(), used=due.used)
            except LedgerUnavailable:
                return
            if settled.by:
                rooms.spool.withdraw(operation)
            del rooms.unsettled[operation]
            rooms.open_holds -= 1
            rooms.spool.settled(operation)

    async def _end_killed(self) -> None:
        """End the streams of runs that were killed, here or elsewhere; while the ledger is away nobody can kill."""
        with contextlib.suppress(LedgerUnavailable):
            await end_killed(self._parts.rooms)

    async def _ask_shadows(self) -> None:
        """Ask the rules that are only tried about the calls that have gone on."""
        await ask_shadows(self._parts.rooms)

    async def _look_after_unfinished(self) -> None:
        """Ask providers about work that goes on there, and that no client has asked about for a minute."""
        await look_after(self._parts.rooms, UNFINISHED_AGAIN_NS)

    async def _look_whether_to_end(self) -> None:
        """After SIGTERM running calls go on for a while, but none waits for a person."""
        self._parts.rooms.stopping = self._server.should_exit

    async def _report(self) -> None:
        self._write_counters()

    def _write_counters(self) -> None:
        dropped = {
            f'flyball_rows_dropped_total{{table="{table}",reason="{reason}"}}': count
            for (table, reason), count in self._parts.spool.dropped.items()
        }
        rooms = self._parts.rooms
        keys = self._parts.transport.keys_in_use()
        dropped |= {
            f'flyball_breaker_openings_total{{provider="{escaped(name)}"}}': count
            for name, count in rooms.health.openings().items()
        }
        now = Now(
            not rooms.ledger_away,
            len(rooms.unsettled),
            len(rooms.streams),
            rooms.open_holds,
            keys,
            self._named.shown(rooms.health.standing(), rooms.snapshot(), self._configured.config.settings.routes),
            not self._parts.sharing.is_away,
        )
        self._counters.write(self._folder.run / f"metrics-{self._name}.json", dropped, now)

    def _reload(self) -> None:
        self._reloading = asyncio.get_running_loop().create_task(self._take_file())

    async def _take_file(self) -> None:
        """Take a new file; the supervisor has already found it valid, so a fault here only keeps the old one."""
        path: Path | None = self._configured.config.path
        try:
            async with self._taking:
                await asyncio.to_thread(self._take_text, path)
        except (BadConfig, OSError) as error:
            log.error("configuration not reloaded", extra={"error": str(error)})
            return
        snapshot = self._configured.snapshot
        log.info(
            "configuration reloaded",
            extra={"generation": snapshot.generation, "policy": snapshot.policy.revision},
        )

    def _take_text(self, path: Path | None) -> None:
        # In a thread: prices are read anew, which would hold streams up.
        text = self._folder.taken_config.read_text("utf-8")
        config = load_config(path, environment(), text=text, taken_policy=self._folder.taken_policy)
        self._configured.reload_file(with_sim(config, self._sim_url))


def _calm_the_collector() -> None:
    """Start-up's objects are never garbage: not looking at them again saves a tenth of each call (ADR 005)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
