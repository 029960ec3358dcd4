"""The admin process: admin API, console and metrics on a port of their own."""

import argparse
import asyncio
import logging
import signal

import uvloop

from proxy.admin.console import FirstCall
from proxy.app.admin import AdminParts
from proxy.app.configuration import environment
from proxy.app.following_reader import FollowingReader
from proxy.app.policy_status import read_status
from proxy.app.stores import Stores
from proxy.config import BadConfig, Config, load_config
from proxy.core.clock import SystemClock
from proxy.processes.duty import repeated
from proxy.processes.folder import StateFolder
from proxy.processes.metrics import render
from proxy.processes.parent import Parent
from proxy.processes.policy_notes import policy_notes
from proxy.processes.refusals import refusals
from proxy.processes.server import adopt, http_server

SHUTDOWN_S = 5
SWEEP_APPROVALS_S = 5.0
log = logging.getLogger("flyball.admin")


def run(config: Config, options: argparse.Namespace, parent: Parent) -> None:
    """Serve until SIGTERM."""
    uvloop.run(AdminProcess(config, options.sim_url, parent).run(options.socket_fd))


class AdminProcess:
    """Serves the admin port until SIGTERM."""

    def __init__(self, config: Config, sim_url: str, parent: Parent) -> None:
        self._parent = parent
        self._config_path = config.path
        self._folder = StateFolder(config.home)
        stores = Stores.open(config, self._folder.ledger, SystemClock())
        reader = FollowingReader(config.settings.telemetry, config.home, self._folder.clickhouse)
        first_call = FirstCall(
            base_url=f"http://{config.settings.server.listen}/v1",
            model="sim-small" if sim_url else "gpt-5-mini",
            key=f"$(cat {config.home / 'first-key'})",
        )
        run = self._folder.run
        self._parts = AdminParts(
            config,
            stores,
            reader,
            lambda: render(run),
            first_call,
            lambda: refusals(run),
            lambda: policy_notes(run),
            lambda: read_status(run),
        )
        self._server = http_server(self._parts.port, SHUTDOWN_S, lambda: parent.say_ready({}))

    async def run(self, descriptor: int) -> None:
        """Serve on the supervisor's socket. What it shows is read anew each time, but for what the file says."""
        self._parent.stop_with_it()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        tasks = [
            loop.create_task(self._parts.alerts.alerting.run()),
            loop.create_task(repeated(self._parts.sweep_approvals, SWEEP_APPROVALS_S)),
        ]
        try:
            await self._server.serve(sockets=[adopt(descriptor)])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._parts.close()

    def _reload(self) -> None:
        # In a thread: the whole file is checked, prices and all.
        asyncio.get_running_loop().run_in_executor(None, self._take_file)

    def _take_file(self) -> None:
        """Take a new file; the supervisor has already found it valid, so a fault here only keeps the old one."""
        try:
            text = self._folder.taken_config.read_text("utf-8")
            policy = self._folder.taken_policy
            self._parts.follow(load_config(self._config_path, environment(), text=text, taken_policy=policy))
        except (BadConfig, OSError) as error:
            log.error("configuration not taken by the admin port", extra={"error": str(error)})
