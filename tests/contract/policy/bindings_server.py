"""OPA's library behind `/v1/data/…`, as its own server answers: `bindings_server.py FOLDER_OF_THE_LIBRARY POLICIES`.

Run in a process of its own: Go's runtime has no place in that of the tests. Prints its port.
"""

import importlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

DATA: Final = "/v1/data/"


def loaded(policies: dict[str, Any]) -> tuple[Any, type[Exception], type[Exception]]:
    """An engine with these modules and data, its kinds of errors: undefined, and all."""
    bindings = importlib.import_module("opa_bindings.engine")
    engine = bindings.OpaEngine()
    for path, text in policies["modules"].items():
        engine.add_policy(path, text)
    if policies["data"]:
        engine.add_data(policies["data"])
    return engine, bindings.OpaUndefinedError, bindings.OpaError


class Server(ThreadingHTTPServer):
    """Answers questions about documents."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, policies: dict[str, Any]) -> None:
        self.engine, self.undefined, self.error = loaded(policies)
        super().__init__(("127.0.0.1", 0), Handler)

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        try:
            facts = json.loads(body).get("input")
            return 200, {"result": self.engine.eval_document(path.replace("/", "."), facts)}
        except self.undefined:
            return 200, {}
        except self.error as error:
            return 500, {"code": "internal_error", "message": str(error)}
        except ValueError as error:
            return 400, {"code": "invalid_parameter", "message": str(error)}


class Handler(BaseHTTPRequestHandler):
    """One connection, kept open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        """A question with its input."""
        body = self.rfile.read(int(self.headers["content-length"]))
        path = self.path.partition("?")[0].removeprefix(DATA)
        status, told = self.server.answer(path, body)
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    server = Server(json.loads(Path(sys.argv[2]).read_text()))
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
