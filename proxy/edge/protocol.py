"""The HTTP parser with bounds: too many or too long headers are 431 (RFC 6585 §5) before they take memory."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADERS: Final = 128
MAX_HEAD_BYTES: Final = 65_536
MAX_URL_BYTES: Final = 16_384
BODY: Final = (
    b'{"error":{"message":"The request head is too large: at most 128 headers and 65536 bytes.",'
    b'"type":"invalid_request_error","param":null,"code":"headers_too_large"}}'
)
ANSWER: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%s" % (len(BODY), BODY)
)


class HeadTooLarge(Exception):
    """Raised inside the parser's callbacks to end a request whose head breaks a bound."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's httptools protocol that counts what a request's head takes."""

    _head_bytes = 0
    _head_count = 0
    _unparsed_bytes = 0
    _head_open = True
    _too_large = False

    def on_message_begin(self) -> None:
        """A new request: count from nothing."""
        self._head_bytes = 0
        self._head_count = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        self._head_bytes += len(url)
        self._check(self._head_bytes <= MAX_URL_BYTES)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        self._head_count += 1
        self._head_bytes += len(name) + len(value)
        self._check(self._head_count <= MAX_HEADERS and self._head_bytes <= MAX_HEAD_BYTES)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole; what follows is body."""
        self._head_open = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; what follows is the next one's head."""
        self._head_open = True
        self._unparsed_bytes = 0
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes of the connection; a head that never ends is refused before the parser hoards it."""
        if self._too_large:
            return
        if self._head_open:
            self._unparsed_bytes += len(data)
            if self._unparsed_bytes > MAX_HEAD_BYTES + len(data):
                self._refuse()
                return
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """The parser gave up: because of a bound of ours, or because this is not HTTP."""
        if self._too_large:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _check(self, within: bool) -> None:
        if not within:
            self._too_large = True
            raise HeadTooLarge

    def _refuse(self) -> None:
        self._too_large = True
        self.transport.write(ANSWER)
        self.transport.close()
