"""The HTTP parser with bounds: heads of any size, clients of any slowness and what is no HTTP end in a clear answer.

Everything here comes before a key is known, so nothing of it is logged: whoever can connect could fill the disk.
"""

import asyncio
import base64
from typing import Any, Final, Literal, cast

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEADERS: Final = 128
MAX_HEAD_BYTES: Final = 65_536
MAX_URL_BYTES: Final = 16_384
MAX_FRAMING_PER_BYTE: Final = 16
"""Bytes of chunk framing per byte of body; chunks of one byte each take five."""
MAX_UNREAD_BYTES: Final = 256 * 1024 * 1024
"""How much of a body is taken and thrown away after its request was answered: most clients read only then."""
HEAD_S: Final = 30.0
SILENCE_S: Final = 60.0
UNREAD_S: Final = 120.0
LOOK_S: Final = 10.0
NONCE_BYTES: Final = 16
VERSIONS: Final = frozenset({"1.1", "1.0"})
REALTIME: Final = frozenset({b"/v1/realtime", b"/realtime", b"/openai/v1/realtime"})
"""Where a request may become a socket; anywhere else it is served as if it had not asked."""
UPGRADING: Final = frozenset({b"upgrade", b"connection", b"http2-settings"})


def _answer(status: str, code: str, message: str) -> bytes:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    body = msgspec.json.encode({"error": error})
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (
        status.encode(),
        len(body),
        body,
    )


NOT_HTTP: Final = _answer(
    "400 Bad Request",
    "invalid_http",
    "This is not a well-formed HTTP/1.1 request. This port speaks plain HTTP, without TLS and without HTTP/2.",
)
TOO_LARGE: Final = _answer(
    "431 Request Header Fields Too Large",
    "headers_too_large",
    f"The request head is too large: at most {MAX_HEADERS} headers, {MAX_HEAD_BYTES} bytes, "
    f"{MAX_URL_BYTES} of them in the URL.",
)
TOO_SLOW: Final = _answer("408 Request Timeout", "request_timeout", f"The request head took longer than {HEAD_S:g} s.")
OTHER_VERSION: Final = _answer(
    "505 HTTP Version Not Supported", "http_version_not_supported", "This port speaks HTTP/1.1 and HTTP/1.0."
)


class _Refused(Exception):
    """Raised inside the parser's callbacks to end a request; the answer is in `_refusal`."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's httptools protocol that counts what a request takes and looks at the clock."""

    _head_bytes = 0
    _head_count = 0
    _framing_bytes = 0
    _body_bytes = 0
    _state: Literal["idle", "head", "body"] = "idle"
    _since = 0.0
    _heard = 0.0
    _refusal = NOT_HTTP
    _is_over = False
    _timer: asyncio.TimerHandle | None = None

    # the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client: it has its time to say something."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of the connection; a head or chunk framing that never ends is refused before it takes memory."""
        if self._is_over:
            return
        if self._framing_bytes > MAX_HEAD_BYTES + MAX_FRAMING_PER_BYTE * self._body_bytes:
            self._refuse(TOO_LARGE if self._state == "head" else NOT_HTTP)
            return
        self._framing_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[cast(int, upgrade.args[0]) :]
            if self._opens_a_session():
                self._become_a_socket(rest)
                return
            self._go_on_without_upgrade(rest)
        except httptools.HttpParserError:
            self._refuse(self._refusal)
        if self._state != "idle":
            self._heard = self.loop.time()
            if self._timer is None:
                self._look_later()

    # the parser's callbacks

    def on_message_begin(self) -> None:
        """A new request: count from nothing."""
        self._head_bytes = self._head_count = self._body_bytes = 0
        self._state = "head"
        self._since = self.loop.time()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        self._head_bytes += len(url)
        self._require(self._head_bytes <= MAX_URL_BYTES, TOO_LARGE)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line, or a trailer."""
        self._head_count += 1
        self._head_bytes += len(name) + len(value)
        if self._head_count > MAX_HEADERS or self._head_bytes > MAX_HEAD_BYTES:
            self._require(False, TOO_LARGE)
        if self._state != "head":
            return
        # As uvicorn does it, without a call to it: a dozen times in each request.
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole; what follows is body."""
        self._require(self.parser.get_http_version() in VERSIONS, OTHER_VERSION)
        if self.parser.should_upgrade():
            # The parser stops here, without the body; `data_received` goes on with it.
            self._require(self.parser.get_method() != b"CONNECT", NOT_HTTP)
            return
        self._state = "body"
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body; a client that was answered need not send all of it, and cannot send for ever."""
        self._body_bytes += len(body)
        self._framing_bytes -= len(body)
        if self._body_bytes > MAX_UNREAD_BYTES and self.cycle.response_complete:
            self._close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; what follows is the next one's head."""
        if self._state == "head":
            return
        self._state = "idle"
        self._framing_bytes = 0
        super().on_message_complete()

    # refusing

    def send_400_response(self, msg: str) -> None:
        """What uvicorn itself finds wrong."""
        self._refuse(NOT_HTTP)

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Serve a request that would rather speak another protocol as if it had not said so (RFC 9110 §7.8)."""
        head = [b"%b %b HTTP/1.1" % (self.parser.get_method(), self.url)]
        head += [b"%b: %b" % pair for pair in self.headers if pair[0] not in UPGRADING]
        self.parser = httptools.HttpRequestParser(self)
        self._framing_bytes = 0
        self.data_received(b"\r\n".join([*head, b"", b""]) + rest)

    def _opens_a_session(self) -> bool:
        """Whether it is the one kind of request that becomes a socket here."""
        asked = self.url.partition(b"?")[0] in REALTIME and self.parser.get_method() == b"GET"
        return asked and self._should_upgrade() and _is_whole_handshake(dict(self.headers))

    def _become_a_socket(self, rest: bytes) -> None:
        """Hand the connection over; who speaks before it was answered (RFC 6455 §4.1) speaks no WebSocket."""
        if rest or self.ws_protocol_class is None:
            self._refuse(NOT_HTTP)
            return
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self.connections.discard(self)
        head = [b"GET %b HTTP/1.1" % self.url, *(b"%b: %b" % pair for pair in self.headers)]
        made: Any = self.ws_protocol_class
        socket = made(config=self.config, server_state=self.server_state, app_state=self.app_state)
        socket.connection_made(self.transport)
        self.transport.set_protocol(socket)
        socket.data_received(b"\r\n".join([*head, b"", b""]))

    def _require(self, holds: bool, refusal: bytes) -> None:
        if not holds:
            self._refusal = refusal
            raise _Refused

    def _refuse(self, refusal: bytes) -> None:
        if not self._is_over:
            self.transport.write(refusal)
            self._close()

    def _close(self) -> None:
        self._is_over = True
        self.transport.close()

    # the clock

    def _look_later(self) -> None:
        self._timer = self.loop.call_later(LOOK_S, self._look)

    def _look(self) -> None:
        """Look at a request that did not come in one piece, or at a connection that has said nothing yet."""
        self._timer = None
        answered = self._is_answered()
        if self._is_over or (self._state == "idle" and answered is not None):
            return
        now = self.loop.time()
        if self._state == "body":
            silent = now - self._heard >= SILENCE_S and not self.flow.read_paused
            too_slow = now - self._since >= UNREAD_S if answered else silent
        else:
            too_slow = now - self._since >= HEAD_S and answered is not False
        if not too_slow:
            self._look_later()
        elif self._state == "head":
            self._refuse(TOO_SLOW)
        else:
            self._close()

    def _is_answered(self) -> bool | None:
        """Whether the latest request whose head is whole was answered; None when there was none."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn starts without one
        return None if cycle is None else cycle.response_complete


def _is_whole_handshake(headers: dict[bytes, bytes]) -> bool:
    """Whether a client says all that opens a WebSocket (RFC 6455 §4.2.1); anything less is an ordinary request."""
    try:
        key = base64.b64decode(headers.get(b"sec-websocket-key", b"").strip(), validate=True)
    except ValueError:
        return False
    return len(key) == NONCE_BYTES and headers.get(b"sec-websocket-version", b"").strip() == b"13"
