"""The collector process: ships the spool, and is ClickHouse where no server is set."""

import argparse
import asyncio
import logging
import signal
from typing import Final

import uvloop

from proxy.app.decision_log import DecisionLog
from proxy.config import Config
from proxy.processes.duty import repeated
from proxy.processes.folder import StateFolder
from proxy.processes.log_status import write_log_status
from proxy.processes.parent import Parent
from proxy.telemetry import Endpoints, run_collector

REPORT_S: Final = 1.0
log = logging.getLogger("flyball.collector")


def run(config: Config, options: argparse.Namespace, parent: Parent) -> None:
    """Ship until SIGTERM."""
    uvloop.run(CollectorProcess(config, parent).run())


class CollectorProcess:
    """Runs the collector until SIGTERM, then ships what is sealed."""

    def __init__(self, config: Config, parent: Parent) -> None:
        self._config = config
        self._parent = parent

    async def run(self) -> None:
        """Serve and ship."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self._parent.stop_with_it()
        settings = self._config.settings
        if settings.policy.decision_log.url is None:
            await run_collector(settings.telemetry, self._config.home, self._ready, stop)
        else:
            await self._run_with(DecisionLog(settings.policy.decision_log), stop)

    async def _run_with(self, decision_log: DecisionLog, stop: asyncio.Event) -> None:
        """The same, and send on what was decided."""
        run = StateFolder(self._config.home).run

        async def report() -> None:
            await asyncio.to_thread(write_log_status, run, decision_log.figures)

        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(decision_log.run()), loop.create_task(repeated(report, REPORT_S))]
        try:
            settings = self._config.settings.telemetry
            await run_collector(settings, self._config.home, self._ready, stop, decision_log.take)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await report()

    def _ready(self, endpoints: Endpoints) -> None:
        for note in endpoints.notes:
            log.warning("%s", note)
        self._parent.say_ready({"clickhouse": endpoints.url, "embedded": endpoints.embedded})
