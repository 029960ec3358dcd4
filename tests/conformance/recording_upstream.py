"""An upstream that writes down what comes and answers anything: JSON, now and then compressed, streams, nothing."""

import gzip
import json
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

ANSWER: Final = {
    "id": "an id",
    "object": "thing",
    "data": [{"id": "one", "object": "thing", "index": 0, "embedding": [0.5]}],
    "has_more": False,
    "model": "a-model",
    "choices": [],
    "output": [],
    "a number": 1.0,
    "text": "h\u00e9",
}
EVENTS: Final = (
    b'event: thing.created\ndata: {"type":"thing.created","id":"an id","choices":[]}\n\n'
    b': a comment\n\nevent: thing.done\r\ndata: {"type":"thing.done","choices":[]}\r\n\r\ndata: [DONE]\n\n'
)
MESSAGE: Final = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"an id","type":"message","role":"assistant",'
    b'"model":"claude","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":'
    b'{"output_tokens":1}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
BOUNDARY: Final = re.compile(rb"boundary=([^;\s]+)")


@dataclass(frozen=True)
class Seen:
    """One request, its form's random boundary taken out."""

    method: str
    target: str
    content_type: bytes
    body: bytes


class RecordingUpstream:
    """Listens for as long as its `with` block lasts; `seen` are the requests so far."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        handler = type("Handler", (_Handler,), {"seen": self.seen})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> list[Seen]:
        """What came since the last time."""
        found, self.seen[:] = list(self.seen), []
        return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[Seen]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""

    def _answer(self) -> None:
        body = self._body()
        kind = self.headers.get("content-type", "").encode()
        if (found := BOUNDARY.search(kind)) is not None:
            kind, body = kind.replace(found[1], b"-"), body.replace(found[1], b"-")
        self.seen.append(Seen(self.command, self.path, kind, body))
        if self.headers.get("x-stainless-answer") == "nothing" or (self.command == "DELETE" and len(self.path) % 2):
            self.send_response(204)
            self.end_headers()
        elif self._is_streamed(body):
            self._send(MESSAGE if "/messages" in self.path else EVENTS, "text/event-stream")
        else:
            self._send(json.dumps(ANSWER, ensure_ascii=False).encode(), "application/json")

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _is_streamed(self, body: bytes) -> bool:
        return b'"stream":true' in body or "stream=true" in self.path or b'name="stream"\r\n\r\ntrue' in body

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        if len(self.path) % 3 == 0 and "gzip" in self.headers.get("accept-encoding", ""):
            body = gzip.compress(body)
            self.send_header("content-encoding", "gzip")
        self.send_header("x-request-id", "req_1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
