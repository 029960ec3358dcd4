"""An OTLP receiver: takes spans and metrics over HTTP as protobuf, and remembers them as a backend would read them."""

import gzip
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class OtlpReceiver:
    """Listens on a free port of the loopback until the block ends; answers `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.heads: list[dict[str, str]] = []
        self.paths: set[str] = set()
        self.spans: list[dict[str, Any]] = []
        self.metrics: dict[str, str] = {}
        self.resource: dict[str, Any] = {}
        self.url = ""

    def __enter__(self) -> Self:
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # http.server's own name
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                ours.heads.append({name.lower(): value for name, value in self.headers.items()})
                ours.paths.add(self.path)
                if ours.status == 200:
                    ours.take(self.path, body)
                self.send_response(ours.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def take(self, path: str, body: bytes) -> None:
        """Read one request; what is no such protobuf raises."""
        if path.endswith("/traces"):
            for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = _attributes(sent.resource)
                self.spans += [_span(span) for scope in sent.scope_spans for span in scope.spans]
        else:
            for told in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for metric in (each for scope in told.scope_metrics for each in scope.metrics):
                    self.metrics[metric.name] = metric.unit

    def wait_for(self, holds: Callable[[], bool], within_s: float = 60) -> None:
        """Wait until that is so."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, (self.spans, sorted(self.metrics))
            time.sleep(0.05)


def _span(span: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": span.kind,
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "status": span.status.code,
        "attributes": _attributes(span),
    }


def _attributes(of: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in of.attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        found[each.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found
