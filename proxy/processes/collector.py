"""The collector process: ships the spool, and is ClickHouse where no server is set."""

import argparse
import asyncio
import logging
import signal

import uvloop

from proxy.config import Config
from proxy.processes.parent import Parent
from proxy.telemetry import Endpoints, run_collector

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
        await run_collector(self._config.settings.telemetry, self._config.home, self._ready, stop)

    def _ready(self, endpoints: Endpoints) -> None:
        for note in endpoints.notes:
            log.warning("%s", note)
        self._parent.say_ready({"clickhouse": endpoints.url, "embedded": endpoints.embedded})
