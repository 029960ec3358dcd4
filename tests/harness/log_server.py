"""A server of decision logs: remembers what it is posted, and answers as it is told to."""

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class LogServer:
    """Listens on a free port of the loopback until the block ends. `statuses` are answered first, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.heads: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.raw: list[bytes] = []
        self.entries: list[dict[str, Any]] = []
        self.url = ""

    def __enter__(self) -> Self:
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # http.server's own name
                body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
                status = ours.statuses.pop(0) if ours.statuses else 200
                ours.heads.append({name.lower(): value for name, value in self.headers.items()})
                ours.paths.append(self.path)
                ours.raw.append(body)
                if status == 200:
                    ours.entries += json.loads(body)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/flyball"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def wait_for(self, count: int, within_s: float = 30) -> list[dict[str, Any]]:
        """The entries taken, once there are so many."""
        deadline = time.monotonic() + within_s
        while len(self.entries) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.entries) >= count, self.entries
        return self.entries
