"""A server of bundles as OPA's bundle service API has it: ETags, a bearer token, and faults by script."""

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

TOKEN: Final = "bundle-token"


class BundleServer:
    """Serves `bundle` at any path; `seen` has each request's headers and `answers` what was answered."""

    def __init__(self, bundle: bytes) -> None:
        self.bundle = bundle
        self.status = 0
        self.location = ""
        self.slow_s = 0.0
        self.seen: list[Mapping[str, str]] = []
        self.answers: list[int] = []
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(headers)
        etag = f'"{hashlib.sha256(self.bundle).hexdigest()[:16]}"'
        status = self.status or (304 if headers.get("if-none-match") == etag else 200)
        self.answers.append(status)
        body = self.bundle if status == 200 else b""
        request.send_response(status)
        request.send_header("etag", etag)
        request.send_header("content-length", str(len(body)))
        if self.location:
            request.send_header("location", self.location)
        request.end_headers()
        if self.slow_s:
            request.wfile.write(body[:10])
            request.wfile.flush()
            time.sleep(self.slow_s)
            body = body[10:]
        request.wfile.write(body)


@contextmanager
def bundle_server(bundle: bytes, port: int = 0) -> Iterator[BundleServer]:
    """A server of this bundle on this host."""
    served = BundleServer(bundle)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                served.answer(self)
            except (BrokenPipeError, ConnectionResetError):  # whoever asked went away
                return

        def log_message(self, format: str, *args: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", port), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}/bundles/flyball.tar.gz"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
