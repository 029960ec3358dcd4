"""Trace context on its way through a worker: to the provider and into the rows; with OpenTelemetry off as it came."""

import subprocess
import sys
from pathlib import Path

import pytest

from proxy.journey.tracing import Tracing
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, Upstream, chat, config, one_worker

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = [(b"traceparent", f"00-{TRACE}-{SPAN}-01".encode()), (b"tracestate", b"vendor=1")]
BODY = b'{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}'


async def sent_on(worker: OneWorker, headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers that the provider got."""
    client = await worker.call(Client(chat(), headers=headers), Answer(BODY, headers=JSON_HEADERS))
    assert client.status == 200
    assert isinstance(worker.rooms.transport, Upstream)
    return dict(worker.rooms.transport.seen[0].headers)


async def test_off_a_clients_context_passes_as_it_is_and_nothing_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with one_worker(tmp_path) as worker:
        assert worker.rooms.tracing is None
        passed = await sent_on(worker, HEADERS)
        assert [passed[name] for name, _ in HEADERS] == [value for _, value in HEADERS]
        assert b"traceparent" not in await sent_on(worker, [])
        assert not {"trace_id", "span_id", "trace_flags"} & worker.rows()[0].keys()


async def test_on_the_provider_is_a_child_of_the_attempt_and_the_rows_say_so(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more='telemetry: {otel: "on"}')) as worker:
        passed = await sent_on(worker, HEADERS)
        (call,), (attempt,) = worker.rows(), worker.rows("attempts")
        assert passed[b"traceparent"] == f"00-{TRACE}-{attempt['span_id']}-01".encode()
        assert passed[b"tracestate"] == b"vendor=1"
        assert (call["trace_id"], call["parent_span_id"], call["trace_flags"]) == (TRACE, SPAN, 1)
        assert (attempt["trace_id"], attempt["parent_span_id"]) == (TRACE, call["span_id"])
        assert len({call["span_id"], attempt["span_id"], SPAN}) == 3
        passed = await sent_on(worker, HEADERS[1:])
        assert b"tracestate" not in passed and passed[b"traceparent"].endswith(b"-01")
        # What is refused has a span too, of its own.
        refused = await worker.call(Client(chat(model="none"), headers=HEADERS))
        assert refused.status == 404 and worker.rows()[-1]["trace_id"] == TRACE


async def test_what_is_not_recorded_is_passed_on_as_such(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more='telemetry: {otel: "on"}')) as worker:
        worker.rooms.tracing = Tracing("always_off")
        assert (await sent_on(worker, HEADERS))[b"traceparent"].endswith(b"-00")
        assert "trace_flags" not in worker.rows()[0]


def test_nothing_of_opentelemetry_is_loaded_where_it_is_off() -> None:
    code = (
        "import sys, proxy.processes.worker, proxy.processes.collector, proxy.processes.admin, proxy.cli;"
        "found = [name for name in sys.modules if name.startswith('opentelemetry')];"
        "sys.exit(found or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
