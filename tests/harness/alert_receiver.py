"""Someone who is told of alerts: a real HTTP server on a socket of its own that answers as it is told to.

It checks signatures by the published algorithm (standardwebhooks.com), without any code of the sender's.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

SECRET: Final = "whsec_" + base64.b64encode(b"a receiver's signing key").decode()


@dataclass(frozen=True)
class Told:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """What repetitions share."""
        return self.headers["webhook-id"]

    @property
    def said(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def is_signed_by(self, secret: str) -> bool:
        """Whether one of its signatures is that secret's, and its timestamp of now."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        at = self.headers["webhook-timestamp"]
        content = f"{self.id}.{at}.".encode() + self.body
        wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        given = self.headers.get("webhook-signature", "").split(" ")
        return abs(time.time() - int(at)) < 300 and any(hmac.compare_digest(wanted, each) for each in given)


class AlertReceiver:
    """Answers 204, or what `answer` says to the number of a request; `told` is what came, in order."""

    def __init__(self, answer: Callable[[int], int] = lambda _: 204, *, slow_s: float = 0) -> None:
        self.told: list[Told] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver._lock:
                    number = len(receiver.told)
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    receiver.told.append(Told(self.path, headers, body, time.monotonic()))
                time.sleep(slow_s)
                status = answer(number)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", f"{receiver.url}elsewhere")
                self.send_header("content-length", "0" if status == 204 else "5")
                self.end_headers()
                if status != 204:
                    self.wfile.write(b"thing")

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/"

    def wait_for(self, count: int, within_s: float) -> list[Told]:
        """What came once there is that much; an assertion error otherwise."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if len(self.told) >= count:
                return list(self.told)
            time.sleep(0.01)
        raise AssertionError(f"{len(self.told)} alerts after {within_s} s, not {count}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
