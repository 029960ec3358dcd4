"""The admin process: admin API, console and metrics on a port of their own."""

import argparse
import asyncio
import contextlib
import logging
import platform
import signal
import sqlite3

import uvloop

from proxy.admin.audit import StateAuditLog
from proxy.admin.console import FirstCall
from proxy.admin.forecasts import Forecasts
from proxy.admin.tables import Tables
from proxy.app.admin import AdminParts
from proxy.app.audit_post import AuditPost, Noticed
from proxy.app.budget_usage import BudgetUsage
from proxy.app.configuration import environment
from proxy.app.following_reader import FollowingReader
from proxy.app.outages import Outages
from proxy.app.policy_status import read_status
from proxy.app.price_post import PricePost
from proxy.app.states_post import StatesPost
from proxy.app.stores import Stores
from proxy.config import BadConfig, Config, load_config
from proxy.core.clock import SystemClock
from proxy.pricing import load_book
from proxy.processes.duty import repeated
from proxy.processes.folder import StateFolder
from proxy.processes.metrics import answered, render
from proxy.processes.parent import Parent
from proxy.processes.pipeline_state import pipeline_state
from proxy.processes.policy_notes import policy_notes
from proxy.processes.refusals import refusals
from proxy.processes.server import adopt, http_server
from proxy.processes.sockets import callable_at
from proxy.state import StateBusy
from proxy.telemetry import Spool

SHUTDOWN_S = 5
SWEEP_APPROVALS_S = 5.0
SHIP_AUDIT_S = 1.0
ANCHOR_S = 600.0
SHIP_STATES_S = 60.0
OUTAGES_S = 2.0
ROLLOUTS_S = 5.0
log = logging.getLogger("flyball.admin")


def run(config: Config, options: argparse.Namespace, parent: Parent) -> None:
    """Serve until SIGTERM."""
    uvloop.run(AdminProcess(config, options, parent).run(options.socket_fd))


class AdminProcess:
    """Serves the admin port until SIGTERM."""

    def __init__(self, config: Config, options: argparse.Namespace, parent: Parent) -> None:
        sim_url: str = options.sim_url
        self._parent = parent
        self._config = config
        self._folder = StateFolder(config.home)
        stores = Stores.open(config, self._folder.ledger, SystemClock())
        reader = FollowingReader(config.settings.telemetry, config.home, self._folder.clickhouse)
        host, _, port = config.settings.server.listen.rpartition(":")
        first_call = FirstCall(
            base_url=f"http://{callable_at(host.strip('[]'), port)}/v1",
            model="sim-small" if sim_url else "gpt-5-mini",
            key=f"$(cat {config.home / 'first-key'})",
        )
        run, usage = self._folder.run, BudgetUsage(stores.budgets)
        self._parts = AdminParts(
            config,
            stores,
            reader,
            lambda: render(run, self._folder.spool, usage.lines),
            first_call,
            lambda: refusals(run),
            lambda: policy_notes(run),
            lambda: read_status(run),
        )
        trail = StateAuditLog(Tables(stores.state))
        mark = self._folder.run / "audit-shipped.json"
        self._audit_post = AuditPost(trail, self._folder.spool, mark, config.settings.telemetry, options.name)
        self._states_post = self._posting_states(stores, reader, options.name)
        self._price_post = self._posting_prices(options.name)
        self._noticed = Noticed(trail, SystemClock())
        self._outages = Outages(self._noticed)
        self._server = http_server(self._parts.port, SHUTDOWN_S, lambda: parent.say_ready({}))

    async def run(self, descriptor: int) -> None:
        """Serve on the supervisor's socket. What it shows is read anew each time, but for what the file says."""
        self._parent.stop_with_it()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        tasks = [
            loop.create_task(self._parts.alerts.alerting.run()),
            loop.create_task(repeated(self._parts.sweep_approvals, SWEEP_APPROVALS_S)),
            loop.create_task(repeated(self._audit_post.ship, SHIP_AUDIT_S)),
            loop.create_task(repeated(self._parts.look_at_rollouts, ROLLOUTS_S)),
            loop.create_task(repeated(self._anchor, ANCHOR_S)),
            loop.create_task(repeated(self._states_post.ship, SHIP_STATES_S)),
            loop.create_task(repeated(self._look_for_outages, OUTAGES_S)),
            loop.create_task(asyncio.to_thread(self._note_config, self._config)),
        ]
        try:
            await self._server.serve(sockets=[adopt(descriptor)])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(StateBusy, OSError):  # the next start ships it
                await self._anchor()
                await self._audit_post.ship()
            await self._parts.close()

    async def _look_for_outages(self) -> None:
        now_s = asyncio.get_running_loop().time()
        await asyncio.to_thread(lambda: self._outages.look(now_s, answered(self._folder.run)))

    async def _anchor(self) -> None:
        """Name the head of the segments' chain in the audit chain."""
        await asyncio.to_thread(self._noticed.segments_end, self._folder.spool)

    def _posting_states(self, stores: Stores, reader: FollowingReader, name: str) -> StatesPost:
        folder, settings, clock, host = self._folder, self._config.settings.telemetry, SystemClock(), platform.node()
        return StatesPost(
            stores.budgets,
            Forecasts(reader, clock),
            lambda at: pipeline_state(folder.run, folder.spool, at, host),
            lambda: Spool(folder.spool, name, settings=settings),
            clock,
            host,
        )

    def _posting_prices(self, name: str) -> PricePost:
        folder, settings = self._folder, self._config.settings.telemetry
        store = (settings.url or "embedded").rpartition("@")[2]
        mark = folder.run / "prices-told.json"
        return PricePost(lambda: Spool(folder.spool, name, settings=settings), mark, store, SystemClock())

    def _reload(self) -> None:
        # In a thread: the whole file is checked, prices and all.
        asyncio.get_running_loop().run_in_executor(None, self._take_file)

    def _take_file(self) -> None:
        """Take a new file; the supervisor has already found it valid, so a fault here only keeps the old one."""
        try:
            text = self._folder.taken_config.read_text("utf-8")
            policy = self._folder.taken_policy
            config = load_config(self._config.path, environment(), text=text, taken_policy=policy)
        except (BadConfig, OSError) as error:
            log.error("configuration not taken by the admin port", extra={"error": str(error)})
            return
        self._parts.follow(config)
        self._note_config(config)

    def _note_config(self, config: Config) -> None:
        """Put into the trail what file and which prices are used from now on, where they are others than before."""
        try:
            self._noticed.now_is("config.take", "config", {"generation": config.generation})
            book = load_book(config.settings.prices)
            self._noticed.now_is("prices.take", "prices", {"version": book.version})
            self._price_post.tell(book)
        except (StateBusy, sqlite3.Error) as error:
            log.error("not noted in the audit trail", extra={"error": str(error)})
