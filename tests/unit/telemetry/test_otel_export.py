"""The export never makes anybody wait: what a receiver is too slow for is dropped and counted."""

import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.telemetry import AttemptRow, OtelExport, Table, TelemetrySettings
from proxy.telemetry.otel.export import MOST_BYTES, MOST_PARCELS
from proxy.telemetry.rows import encode
from tests.harness.otlp_receiver import OtlpReceiver


def attempt(**more: Any) -> bytes:
    values: dict[str, Any] = {
        **{"attempt_id": "att_1", "operation_id": "op_1", "started_at": "2026-11-20 10:00:00.123", "provider": "p"},
        **{"org": "acme", "team": "support", "key_id": "key_1", "key_name": "bot", "outcome": "ok"},
        **{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "trace_flags": 1},
    }
    return encode(AttemptRow(**{**values, **more}))


@pytest.fixture
def silent() -> Iterator[str]:
    """A receiver that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def exporting(monkeypatch: pytest.MonkeyPatch, url: str, **more: str) -> OtelExport:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_TIMEOUT": "1", **more}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return OtelExport(TelemetrySettings(), {}, dict(os.environ))


def test_a_silent_receiver_holds_nobody_up(monkeypatch: pytest.MonkeyPatch, silent: str) -> None:
    export = exporting(monkeypatch, silent, OTEL_METRICS_EXPORTER="none")
    began = time.monotonic()
    for _ in range(2 * MOST_PARCELS):
        export.take(Table.ATTEMPTS, attempt())
    export.take(Table.DECISIONS, b"not ours\n")
    assert time.monotonic() - began < 1
    assert MOST_PARCELS - 2 <= export.figures.dropped <= MOST_PARCELS
    export.stop()


def test_what_waits_is_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch, silent: str) -> None:
    export = exporting(monkeypatch, silent, OTEL_METRICS_EXPORTER="none")
    half = attempt(raw_usage="x" * (MOST_BYTES // 2))
    for _ in range(4):
        export.take(Table.ATTEMPTS, half)
    assert 2 <= export.figures.dropped <= 3
    export.stop()


def test_what_cannot_be_read_does_not_end_the_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    with OtlpReceiver() as receiver:
        export = exporting(monkeypatch, receiver.url)
        export.take(Table.ATTEMPTS, b"no row\n")
        export.take(Table.ATTEMPTS, attempt() + attempt(trace_flags=0))
        export.stop()
        assert [span["name"] for span in receiver.spans] and export.figures.sent == 1
        assert "gen_ai.client.operation.duration" in receiver.metrics, "what waited was sent at the end"


def test_traces_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with OtlpReceiver() as receiver:
        export = exporting(monkeypatch, receiver.url, OTEL_TRACES_EXPORTER="none")
        export.take(Table.ATTEMPTS, attempt())
        export.stop()
        assert not receiver.spans and receiver.metrics
