"""What was shipped goes on as OTLP, by OpenTelemetry's own SDK, from a thread that nobody waits for."""

import logging
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from proxy import __version__
from proxy.telemetry.otel.meters import Meters
from proxy.telemetry.otel.names import NAME_SETS, Server
from proxy.telemetry.otel.spans import SpanMaker
from proxy.telemetry.rows import AttemptRow, OperationRow, Table
from proxy.telemetry.settings import TelemetrySettings

MOST_PARCELS: Final = 256
MOST_BYTES: Final = 16 * 1024 * 1024
BATCH: Final = 512
STOP_S: Final = 5.0
LOOK_S: Final = 0.2
_OPERATION: Final = msgspec.json.Decoder(OperationRow)
_ATTEMPT: Final = msgspec.json.Decoder(AttemptRow)
log = logging.getLogger("flyball.otel")


@dataclass(slots=True)
class OtelFigures:
    """Spans that were sent, that the receiver did not take, and rows that were dropped since it was too slow."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0


class OtelExport:
    """Takes shipped rows and sends them on. Where to, with which headers, how often: the standard OTEL_* variables."""

    def __init__(
        self, settings: TelemetrySettings, servers: Mapping[str, Server], environment: Mapping[str, str]
    ) -> None:
        names = NAME_SETS[settings.otel_names]
        resource = _resource(environment)
        self.figures = OtelFigures()
        self._queue: queue.Queue[tuple[Table, bytes]] = queue.Queue(MOST_PARCELS)
        self._waiting = 0
        self._stop_by: float | None = None
        self._lock = threading.Lock()
        self._spans = None if environment.get("OTEL_TRACES_EXPORTER") == "none" else OTLPSpanExporter()
        self._maker = SpanMaker(resource, servers, names)
        is_metered = environment.get("OTEL_METRICS_EXPORTER") != "none"
        readers = [PeriodicExportingMetricReader(OTLPMetricExporter())] if is_metered else []
        self._provider = MeterProvider(readers, resource, shutdown_on_exit=False)
        self._meters = Meters(self._provider.get_meter("flyball", __version__), servers, names)
        self._complained = float("-inf")
        self._thread = threading.Thread(target=self._run, name="otel-export", daemon=True)
        self._thread.start()

    def take(self, table: Table, content: bytes) -> None:
        """Rows as they were spooled, once ClickHouse has them; never waits."""
        if table not in (Table.OPERATIONS, Table.ATTEMPTS):
            return
        with self._lock:
            has_room = self._waiting + len(content) <= MOST_BYTES
            if has_room:
                try:
                    self._queue.put_nowait((table, content))
                except queue.Full:
                    has_room = False
                else:
                    self._waiting += len(content)
            if not has_room:
                self.figures.dropped += content.count(b"\n")

    def stop(self) -> None:
        """Send what waits, for some seconds at most; what is left is dropped."""
        self._stop_by = time.monotonic() + STOP_S
        self._thread.join(STOP_S)
        self._provider.shutdown(timeout_millis=STOP_S * 1000)

    def _run(self) -> None:
        while not self._is_over():
            try:
                table, content = self._queue.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            try:
                self._pass_on(table, content)
            except Exception:  # noqa: BLE001 (crash boundary: what cannot be sent must not end the sending)
                self._complain()
            with self._lock:
                self._waiting -= len(content)
        if self._spans is not None:
            self._spans.shutdown()  # type: ignore[no-untyped-call]  # it says no types

    def _is_over(self) -> bool:
        return self._stop_by is not None and (self._queue.empty() or time.monotonic() >= self._stop_by)

    def _pass_on(self, table: Table, content: bytes) -> None:
        spans = self._noted(table, content.splitlines())
        while batch := list(islice(spans, BATCH)):
            if self._spans is None:
                continue
            if self._spans.export(batch) is SpanExportResult.SUCCESS:
                self.figures.sent += len(batch)
            else:
                self.figures.failed += len(batch)

    def _noted(self, table: Table, lines: Sequence[bytes]) -> Iterator[ReadableSpan]:
        """Count each row, and make a span of each that is in a trace that is recorded."""
        for line in lines:
            if table is Table.OPERATIONS:
                operation = _OPERATION.decode(line)
                self._meters.note_operation(operation)
                if operation.trace_flags & 1:
                    yield self._maker.of_operation(operation)
            else:
                attempt = _ATTEMPT.decode(line)
                self._meters.note_attempt(attempt)
                if attempt.trace_flags & 1:
                    yield self._maker.of_attempt(attempt)

    def _complain(self) -> None:
        if time.monotonic() - self._complained >= 60:
            self._complained = time.monotonic()
            log.exception("rows could not be passed on to OpenTelemetry")


def _resource(environment: Mapping[str, str]) -> Resource:
    """What the environment says of us; the name is ours where it gives none."""
    told = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    is_named = bool(environment.get("OTEL_SERVICE_NAME")) or "service.name=" in told
    own = {"service.version": __version__} if "service.version=" not in told else {}
    return Resource.create(own if is_named else {"service.name": "flyball", **own})
