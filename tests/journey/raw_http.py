"""HTTP by hand: exactly these bytes to a port, and whatever comes back."""

import http.client
import json
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

PATIENCE_S: Final = 30.0


@dataclass(frozen=True)
class Answer:
    """One answer: its status, headers by lower-case name, body, and how long it took in seconds."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    took_s: float = 0.0

    @property
    def error(self) -> dict[str, Any]:
        """The error object in OpenAI's words; an assertion error when the body has no dialect's shape."""
        told = json.loads(self.body)
        if told.get("type") == "error":
            told = {"error": _in_openais_words(told)}
        elif isinstance(told["error"].get("details"), list):
            told = {"error": _googles_in_openais_words(told["error"])}
        assert set(told) == {"error"}, told
        error: dict[str, Any] = told["error"]
        assert {"message", "type", "param", "code"} <= set(error), error
        assert isinstance(error["message"], str), error
        assert error["message"], error
        return error


def _googles_in_openais_words(error: dict[str, Any]) -> dict[str, Any]:
    """An error of Google's shape."""
    info, ours = error["details"][:2]
    said = {"message": error["message"], "type": error["status"], "param": info["metadata"].get("param")}
    return {**said, "code": info["metadata"]["code"], **ours["value"]}


def _in_openais_words(told: dict[str, Any]) -> dict[str, Any]:
    """An error of Anthropic's shape."""
    assert set(told) == {"type", "error", "request_id"}, told
    error = told["error"]
    details = error["details"]
    said = {"message": error["message"], "type": error["type"], "param": details.get("param")}
    return {**said, "code": details["error_code"], "flyball": details["flyball"]}


def connect(url: str) -> socket.socket:
    """A connection to the host and port of a URL."""
    parts = urlsplit(url)
    made = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def read_answer(connection: socket.socket, method: str = "POST") -> Answer | None:
    """The next answer on a connection; None when it was closed without one."""
    began = time.monotonic()
    response = http.client.HTTPResponse(connection, method=method)
    # One byte ahead at most: what is read beyond this answer is the next one's, and would be thrown away.
    response.fp.close()
    response.fp = connection.makefile("rb", 1)
    try:
        response.begin()
        body = response.read()
    except (http.client.BadStatusLine, ConnectionError):
        return None
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, body, time.monotonic() - began)


def exchange(url: str, pieces: bytes | Iterable[bytes]) -> Answer | None:
    """Send these bytes on a connection of their own and read one answer; the peer may stop listening before that."""
    with connect(url) as connection:
        try:
            for piece in (pieces,) if isinstance(pieces, bytes) else pieces:
                connection.sendall(piece)
        except ConnectionError:
            pass
        return read_answer(connection)


def request(
    body: bytes = b"",
    *,
    method: str = "POST",
    target: str = "/v1/chat/completions",
    key: str | None = None,
    host: str | None = "localhost",
    headers: Iterable[tuple[str, str]] = (),
    version: str = "1.1",
    length: int | None = None,
) -> bytes:
    """The bytes of one request with a content-length, unless a header says how it is framed."""
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    lines += [f"{name}: {value}" for name, value in headers]
    if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
