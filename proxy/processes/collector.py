"""The collector process: ships the spool, and is ClickHouse where no server is set."""

import argparse
import asyncio
import logging
import signal
from dataclasses import asdict
from typing import Final

import uvloop

from proxy.app.configuration import environment
from proxy.app.decision_log import DecisionLog
from proxy.app.otel import open_export
from proxy.config import Config
from proxy.processes.duty import repeated
from proxy.processes.folder import StateFolder
from proxy.processes.log_status import write_log_status
from proxy.processes.metrics import OTEL_FILE, note_spans
from proxy.processes.parent import Parent
from proxy.telemetry import Endpoints, otel_is_on, run_collector

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
        settings, run = self._config.settings, StateFolder(self._config.home).run
        (run / OTEL_FILE).unlink(missing_ok=True)
        log_settings = settings.policy.decision_log
        decision_log = None if log_settings.url is None else DecisionLog(log_settings)
        export = open_export(self._config, environment()) if otel_is_on(settings.telemetry, environment()) else None

        async def report() -> None:
            if decision_log is not None:
                await asyncio.to_thread(write_log_status, run, decision_log.figures)
            if export is not None:
                await asyncio.to_thread(note_spans, run, asdict(export.figures))

        tasks = [loop.create_task(repeated(report, REPORT_S))]
        if decision_log is not None:
            tasks.append(loop.create_task(decision_log.run()))
        decided = None if decision_log is None else decision_log.take
        shipped = None if export is None else export.take
        try:
            await run_collector(settings.telemetry, self._config.home, self._ready, stop, decided, shipped)
        finally:
            if export is not None:
                await asyncio.to_thread(export.stop)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await report()

    def _ready(self, endpoints: Endpoints) -> None:
        for note in endpoints.notes:
            log.warning("%s", note)
        self._parent.say_ready({"clickhouse": endpoints.url, "embedded": endpoints.embedded})
