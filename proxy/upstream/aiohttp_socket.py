"""Sessions over aiohttp's WebSocket client, on the same guarded connections as every other call (docs/realtime.md)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from aiohttp import (
    ClientError,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    ClientWSTimeout,
    DummyCookieJar,
    WSMsgType,
    WSServerHandshakeError,
)
from aiohttp.connector import BaseConnector
from aiohttp.typedefs import LooseHeaders
from yarl import URL

from proxy.upstream.failure import UpstreamFailed
from proxy.upstream.headers import RawHeader
from proxy.upstream.socket import Closed, HandshakeRefused, Message, SocketRequest

MAX_REFUSAL_BYTES: Final = 64 * 1024
CLOSE_S: Final = 2.0
PING_S: Final = 20.0
"""How often the provider is asked whether it is still there; it has half of that to say so."""
ABNORMAL: Final = 1006


class AiohttpSocket:
    """An UpstreamSocket."""

    def __init__(
        self, socket: ClientWebSocketResponse[bool], headers: list[RawHeader], when_over: Callable[[], None]
    ) -> None:
        self.headers = headers
        self._socket = socket
        self._when_over = when_over
        self._is_over = False

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the provider chose."""
        return self._socket.protocol

    async def receive(self) -> Message | Closed:
        """The next message, or how it ended; a broken connection ends with 1006."""
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            text: str = message.data
            return text
        if message.type is WSMsgType.BINARY:
            binary: bytes = message.data
            return binary
        if message.type is WSMsgType.CLOSE:
            return Closed(message.data or ABNORMAL, message.extra or "")
        return Closed(ABNORMAL)

    async def send(self, message: Message) -> None:
        """Send a message whole."""
        try:
            if isinstance(message, str):
                await self._socket.send_str(message)
            else:
                await self._socket.send_bytes(message)
        except (ClientError, OSError) as error:
            raise UpstreamFailed("reset", f"the session broke: {type(error).__name__}", sent=True) from error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame and wait a moment for the provider's."""
        with suppress(ClientError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close(code=code, message=reason.encode()[:120])
        self.abort()

    def abort(self) -> None:
        """Drop the connection."""
        if self._is_over:
            return
        self._is_over = True
        self._when_over()
        response = self._socket._response
        connection = response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        response.close()


class Way(NamedTuple):
    """Where a session is opened, as whom, and through which proxy."""

    url: str
    headers: list[RawHeader]
    proxy: URL | None
    proxy_headers: LooseHeaders | None


async def open_socket(
    connector: BaseConnector, request: SocketRequest, way: Way, when_over: Callable[[], None]
) -> AiohttpSocket:
    """Open a session on a connector, which stays its owner's; `when_over` is called once the session was dropped.

    Raises:
        HandshakeRefused, UpstreamFailed: as `Sockets.open`.
    """
    provider = request.provider
    session = ClientSession(
        connector=connector,
        connector_owner=False,
        cookie_jar=DummyCookieJar(),
        skip_auto_headers=("accept", "accept-encoding", "user-agent"),
        timeout=ClientTimeout(total=None, connect=provider.connect_s, sock_read=provider.first_byte_s),
        middlewares=(_only_this,),
    )
    try:
        socket = await session.ws_connect(
            URL(way.url, encoded=True),
            protocols=request.subprotocols,
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in way.headers],
            proxy=way.proxy,
            proxy_headers=way.proxy_headers,
            max_msg_size=request.most_bytes,
            autoclose=False,
            heartbeat=PING_S,
            timeout=ClientWSTimeout(ws_close=CLOSE_S),
        )
    except HandshakeRefused:
        raise
    except TimeoutError as error:
        raise UpstreamFailed("connect_timeout", "the provider did not answer the handshake", sent=True) from error
    except WSServerHandshakeError as error:
        raise UpstreamFailed("protocol", f"the handshake was not taken: {error.message}", sent=True) from error
    except (ClientError, OSError) as error:
        raise UpstreamFailed("refused", f"no session: {type(error).__name__}", sent=False) from error
    finally:
        session.detach()
    headers = [(name.lower(), value) for name, value in socket._response.raw_headers]
    return AiohttpSocket(socket, headers, when_over)


async def _only_this(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Take a session or nothing: what else is answered is read and told, and no redirect is followed."""
    response = await handler(request)
    if response.status == 101:
        return response
    body = b""
    with suppress(ClientError, OSError, TimeoutError):
        body = await response.content.read(MAX_REFUSAL_BYTES)
    headers = [(name.lower(), value) for name, value in response.raw_headers]
    response.close()
    raise HandshakeRefused(response.status, headers, body)
