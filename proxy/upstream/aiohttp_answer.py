"""One attempt over an aiohttp connection: the request written, the answer read, one timer for all its patience."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, Protocol

from aiohttp import ClientConnectionError, ClientError, ClientOSError
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from aiohttp.streams import EofStream, StreamReader

from proxy.upstream.failure import FailureKind, UpstreamFailed
from proxy.upstream.headers import RawHeader
from proxy.upstream.provider import Provider
from proxy.upstream.transport import UpstreamRequest

# aiohttp stops reading a connection when twice this is waiting; one read of the loop (256,000 bytes) may come on top.
READ_BUFFER: Final = 2 * 1024
# Bodies up to this go out in one write with their head; larger ones in pieces, so that others get their turn.
ONE_WRITE: Final = 64 * 1024
MAX_HEADER_BYTES: Final = 32 * 1024
MAX_HEADERS: Final = 256

# Looked for by leaving them out: a quarter of what an expression takes to go over the same bytes.
_CONTROLS: Final = bytes(code for code in (*range(0x20), 0x7F) if code != 0x09)
_IN_TOKENS: Final = b"!#$%&'*+.^_`|~-0123456789abcdefghijklmnopqrstuvwxyz"
_BROKEN: Final = (ClientError, HttpProcessingError, OSError, EofStream)


class Home(Protocol):
    """Where the connection came from and goes back to."""

    provider: Provider
    loop: asyncio.AbstractEventLoop

    def left(self) -> None:
        """The attempt has given its connection back."""
        ...


class AiohttpAnswer:
    """An UpstreamResponse over aiohttp's connection, parser and pool, without its session layers (docs/adr/004)."""

    __slots__ = (
        "_connection",
        "_failure",
        "_feeder",
        "_has_no_body",
        "_home",
        "_kind",
        "_limit",
        "_loop",
        "_over",
        "_payload",
        "_protocol",
        "_since",
        "_timer",
        "_total_at",
        "_until_close",
        "headers",
        "status",
    )

    def __init__(self, connection: Connection, protocol: ResponseHandler, home: Home, started: float) -> None:
        self.status = 0
        self.headers: list[RawHeader] = []
        self._connection: Connection | None = connection
        self._protocol = protocol
        self._home = home
        self._loop = home.loop
        self._payload: StreamReader | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._failure: UpstreamFailed | None = None
        self._over = False
        self._until_close = False
        self._has_no_body = False
        self._kind: FailureKind = "first_byte_timeout"
        self._limit = home.provider.first_byte_s
        # When the present wait began, on the loop's clock; 0 while nobody waits for the provider.
        self._since = self._loop.time()
        self._total_at = started + home.provider.total_s
        self._timer = self._look_again(self._since + self._limit, self._since)

    async def begin(self, head: bytes, request: UpstreamRequest) -> None:
        """Write the request, wait for status and headers; raises UpstreamFailed, always with `sent` true."""
        self._has_no_body = request.method == "HEAD"
        self._protocol.set_response_params(
            skip_payload=self._has_no_body,
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
        )
        try:
            self._write(head, request)
            message, payload = await self._protocol.read()
            while message.code < 200 and message.code != 101:
                message, payload = await self._protocol.read()
            self._accept(message)
        except _BROKEN as error:
            raise self._failed(error) from error
        except BaseException:
            # Ours (timer, abort, a head we refuse) and the caller's cancellation alike: nobody will close this answer.
            self._drop()
            raise
        self._payload = payload
        self._kind, self._limit, self._since = "idle_timeout", self._home.provider.idle_s, 0.0

    async def chunk(self) -> bytes | None:
        """The bytes that have come, waiting only when there are none; None at the clean end."""
        payload = self._payload
        if self._over or payload is None:
            return self._after_the_end()
        self._since = self._loop.time()
        try:
            data = await payload.readany()
        except _BROKEN as error:
            self._failed(error)
            return self._after_the_end()
        self._since = 0.0
        if data:
            return data
        self._finish()
        return self._after_the_end()

    def abort(self) -> None:
        """Drop the connection at once; a waiting `chunk` fails with `aborted`."""
        if not self._over:
            self._fail("aborted", "the attempt was aborted by us")

    async def close(self) -> None:
        """Done with it; what was not read to its end is dropped."""
        self.abort()

    def _write(self, head: bytes, request: UpstreamRequest) -> None:
        transport = self._protocol.transport
        if transport is None:
            raise ClientConnectionError("the connection closed")
        body = request.body
        if request.parts is not None:
            transport.write(head)
            self._feeder = self._loop.create_task(self._feed_parts(request.parts, chunked=request.length is None))
            return
        if len(body) <= ONE_WRITE:
            transport.write(head + body)
            return
        transport.write(head)
        # Beside the reading, because a provider may refuse a large body before it has taken it.
        self._feeder = self._loop.create_task(self._feed(body))

    async def _feed(self, body: bytes) -> None:
        writer = StreamWriter(self._protocol, self._loop)
        pieces = memoryview(body)
        # If the connection breaks here, the reading side tells.
        with suppress(ClientError, OSError):
            for start in range(0, len(body), ONE_WRITE):
                await writer.write(pieces[start : start + ONE_WRITE])
                await writer.drain()

    async def _feed_parts(self, parts: AsyncIterator[bytes], *, chunked: bool) -> None:
        """Write a body as it comes; while it comes the provider is not late."""
        writer = StreamWriter(self._protocol, self._loop)
        if chunked:
            writer.enable_chunking()
        try:
            async for part in parts:
                await writer.write(part)
                await writer.drain()
                if self._payload is None and self._since:
                    self._since = self._loop.time()
            await writer.write_eof()
        except UpstreamFailed as failure:
            if not self._over:
                self._fail(failure.kind, failure.message)
        except (ClientError, OSError):
            return  # the reading side tells

    def _accept(self, message: RawResponseMessage) -> None:
        """Take status and headers, or refuse an answer whose framing could be read in two ways."""
        lengths, codings = 0, 0
        for name, value in message.raw_headers:
            name = name.lower()
            if name == b"content-length":
                lengths += 1
                if not value.isdigit():
                    raise self._refused("its content-length is not a number")
            elif name == b"transfer-encoding":
                codings += 1
                if value.lower() != b"chunked":
                    raise self._refused("it uses a transfer coding other than chunked")
            self.headers.append((name, value))
        if lengths + codings > 1:
            raise self._refused("it tells its length twice")
        if not 200 <= message.code <= 599 or message.version.major != 1:
            raise self._refused(f"its status is {message.code}, its version {message.version.major}")
        values = b"".join([value for _, value in self.headers])
        if len(values.translate(None, _CONTROLS)) != len(values):
            raise self._refused("a header holds control characters")
        if b"".join([name for name, _ in self.headers]).translate(None, _IN_TOKENS):
            raise self._refused("a header's name is not a token")
        self.status = message.code
        self._until_close = lengths + codings == 0 and not self._has_no_body

    def _refused(self, why: str) -> UpstreamFailed:
        return UpstreamFailed("protocol", f"the provider's answer was not taken: {why}", sent=True)

    def _look_at_clock(self) -> None:
        """The one timer: it fires seldom and is set anew for what is then due, so that a chunk costs no timer."""
        now = self._loop.time()
        due = (self._since or now) + self._limit
        if now >= self._total_at:
            self._fail("total_timeout", f"the attempt took longer than {self._home.provider.total_s:g} s")
        elif now >= due:
            self._fail(self._kind, f"the provider was silent for {self._limit:g} s")
        else:
            self._timer = self._look_again(due, now)

    def _look_again(self, due: float, now: float) -> asyncio.TimerHandle:
        # Never later than one idle limit from now: the wait for the first byte may end, and the stream begin, earlier.
        return self._loop.call_at(min(due, self._total_at, now + self._home.provider.idle_s), self._look_at_clock)

    def _fail(self, kind: FailureKind, message: str) -> None:
        """End it from outside the reading task, and wake that task."""
        failure = self._failure = UpstreamFailed(kind, message, sent=True)
        payload = self._payload
        self._drop()
        if payload is None:
            self._protocol.set_exception(failure)
        else:
            payload.set_exception(failure)

    def _failed(self, error: BaseException) -> UpstreamFailed:
        """What the reading side's error means."""
        if isinstance(error, HttpProcessingError):
            failure = UpstreamFailed("protocol", f"the provider's answer is not HTTP: {error.message}", sent=True)
        else:
            failure = UpstreamFailed("reset", f"the connection broke: {_told(error)}", sent=True)
        self._failure = failure
        self._drop()
        return failure

    def _finish(self) -> None:
        """The clean end: the connection goes back to the pool, unless its state is in doubt."""
        if self._until_close and isinstance(self._protocol.exception(), ClientOSError):
            # Without a length, only a close ends the body; a reset is not a close.
            self._failure = UpstreamFailed("reset", "the connection was reset before the body's end", sent=True)
        if self._feeder is not None and not self._feeder.done():
            self._drop()
            return
        self._over = True
        self._timer.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()
            self._home.left()

    def _drop(self) -> None:
        self._over = True
        self._timer.cancel()
        if self._feeder is not None:
            self._feeder.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            transport = connection.transport
            if transport is not None:
                transport.abort()
            connection.close()
            self._home.left()

    def _after_the_end(self) -> bytes | None:
        failure = self._failure
        if failure is None:
            return None
        if failure.kind != "aborted" and (left := self._left_over()):
            return left
        raise failure

    def _left_over(self) -> bytes:
        """What had arrived unread before the connection broke; aiohttp itself would throw it away."""
        if self._payload is None:
            return b""
        # The only reach below aiohttp's surface: there is no public way to these bytes once the reader has failed.
        waiting = self._payload._buffer
        left = b"".join(waiting)
        waiting.clear()
        return left


def _told(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
