"""Transport over aiohttp's connection pool, resolver, TLS and parser (docs/adr/004 says why not its session)."""

import asyncio
import re
import ssl
from typing import Final
from urllib.parse import urlsplit

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientHttpProxyError,
    ClientProxyConnectionError,
    ClientRequest,
    ClientTimeout,
    InvalidURL,
    encode_basic_auth,
)
from aiohttp.connector import Connection
from yarl import URL

from proxy.core.secret import Secret
from proxy.upstream.addresses import ForbiddenAddress, LookUp
from proxy.upstream.aiohttp_answer import AiohttpAnswer
from proxy.upstream.aiohttp_pool import Pool, Wire
from proxy.upstream.aiohttp_socket import Way, open_socket
from proxy.upstream.failure import UpstreamFailed
from proxy.upstream.headers import RawHeader
from proxy.upstream.live_keys import KeyName, LiveKeys
from proxy.upstream.provider import Provider
from proxy.upstream.settings import UpstreamSettings
from proxy.upstream.socket import HandshakeRefused, SocketRequest, UpstreamSocket
from proxy.upstream.transport import UpstreamRequest, UpstreamResponse

_RAW_TARGET: Final = re.compile(rb"[\x21-\x7e]+\Z")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
# A kept connection found dead before use is thrown away and another taken; more often than this is not chance.
_TAKES: Final = 3


class AiohttpTransport:
    """Sends attempts to providers; one pool of connections per provider, all on one event loop."""

    def __init__(
        self,
        settings: UpstreamSettings,
        *,
        look_up: LookUp | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._look_up = look_up
        self._ssl_context = ssl_context
        self._lanes: dict[str, _Lane] = {}
        self._retired: set[_Lane] = set()

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send and wait for status and headers; raises UpstreamFailed."""
        lane = self._lanes.get(request.provider.name)
        if lane is None or lane.provider is not request.provider:
            lane = self._lane(request.provider)
        key = lane.keys.in_use
        answer = await lane.send(request, key)
        other = lane.keys.other(key, answer.status)
        if other is None or request.parts is not None:  # a body that was passed on as it came is gone
            return answer
        # A refused key is no use of the provider, so nothing is billed twice, and nothing of it is told to the client.
        answer.abort()
        answer = await lane.send(request, other)
        lane.keys.settle(other, answer.status)
        return answer

    def keys_in_use(self) -> dict[str, KeyName]:
        """Which of its two keys each provider that has two is called with."""
        return {name: lane.keys.in_use for name, lane in self._lanes.items() if lane.provider.api_key_next is not None}

    async def open(self, request: SocketRequest) -> UpstreamSocket:
        """Open a session; raises HandshakeRefused or UpstreamFailed."""
        lane = self._lane(request.provider)
        key = lane.keys.in_use
        try:
            return await lane.open(request, key)
        except HandshakeRefused as no:
            other = lane.keys.other(key, no.status)
            if other is None:
                raise
        try:
            socket = await lane.open(request, other)
        except HandshakeRefused as no:
            lane.keys.settle(other, no.status)
            raise
        lane.keys.settle(other, 101)
        return socket

    async def close(self) -> None:
        """Drop every connection."""
        lanes = [*self._lanes.values(), *self._retired]
        self._lanes.clear()
        self._retired.clear()
        for lane in lanes:
            await lane.connector.close()

    def _lane(self, provider: Provider) -> "_Lane":
        """The pool of a provider, made anew when its settings have changed; the old one lives as long as its calls."""
        known = self._lanes.get(provider.name)
        if known is not None and known.provider == provider:
            known.provider = provider
            return known
        if known is not None:
            self._retired = {lane for lane in self._retired if not lane.connector.closed}
            self._retired.add(known)
            known.retire()
        lane = self._lanes[provider.name] = _Lane(provider, self._settings, self._look_up, self._ssl_context)
        return lane


class _Lane:
    """The connections to one provider, and what every request to it begins with."""

    def __init__(
        self, provider: Provider, settings: UpstreamSettings, look_up: LookUp | None, context: ssl.SSLContext | None
    ) -> None:
        self.provider = provider
        self.loop = asyncio.get_running_loop()
        self.connector = Pool(provider, settings, look_up, context)
        url = URL(provider.base_url, encoded=True)
        # Only its destination is used: the connector asks a request where to connect.
        self._destination = _destination(provider, url, self.loop)
        self.keys = LiveKeys(provider.name, both=provider.api_key_next is not None)
        self._timeout = ClientTimeout(total=None, connect=min(provider.connect_s, provider.total_s))
        parts = urlsplit(provider.base_url)
        self._path = parts.path.encode("latin-1")
        self._origin = f"{parts.scheme}://{url.host_port_subcomponent}"
        self._fixed: dict[KeyName, bytes] = {
            "api_key": _fixed_head(provider, url, provider.api_key),
            "api_key_next": _fixed_head(provider, url, provider.api_key_next),
        }
        self._under_way = 0
        self._is_retired = False
        self._closing: asyncio.Task[None] | None = None

    async def send(self, request: UpstreamRequest, key: KeyName) -> AiohttpAnswer:
        """Send with one of the provider's keys, and wait for status and headers; raises UpstreamFailed."""
        started = self.loop.time()
        made = [] if self.provider.signer is None else await self._signed(request)
        head = self.head(request, key, made)
        connection, protocol = await self.connect()
        answer = AiohttpAnswer(connection, protocol, self, started)
        await answer.begin(head, request)
        return answer

    async def open(self, request: SocketRequest, key: KeyName) -> UpstreamSocket:
        """Open a session with one of the provider's keys; raises HandshakeRefused or UpstreamFailed."""
        provider, destination = self.provider, self._destination
        asked = UpstreamRequest(
            provider=provider, path=request.path, body=b"", query=request.query, headers=request.headers, method="GET"
        )
        way = Way(
            url=self._origin + self._target(asked).decode("latin-1"),
            headers=[*request.headers, *_own_headers(provider, key), *await self._signed(asked)],
            proxy=destination.proxy,
            proxy_headers=destination.proxy_headers,
        )
        self._under_way += 1
        try:
            return await open_socket(self.connector, request, way, self.left)
        except BaseException:
            self.left()
            raise

    def head(self, request: UpstreamRequest, key: KeyName, signed: list[RawHeader]) -> bytes:
        """The request up to and including the empty line."""
        target = self._target(request)
        headers = [*request.headers, *signed] if signed else request.headers
        if request.streamed:
            headers = [header for header in headers if header[0] != b"accept-encoding"]
            headers.append((b"accept-encoding", b"identity"))
        lines = b"\r\n".join([*map(b": ".join, headers), b""])
        if not _RAW_TARGET.match(target) or not _one_line_each(lines, headers):
            raise UpstreamFailed("protocol", "the request cannot be written as HTTP", sent=False)
        method = request.method.encode("latin-1")
        return b"%b %b%b%b%b\r\n" % (method, target, self._fixed[key], lines, _framing(request))

    async def _signed(self, request: UpstreamRequest) -> list[RawHeader]:
        """What identifies us in a request that is otherwise as it will be sent; raises UpstreamFailed."""
        signer = self.provider.signer
        if signer is None:
            return []
        url = self._origin + self._target(request).decode("latin-1")
        return await signer.sign(request.method, url, request.headers, request.body)

    def _target(self, request: UpstreamRequest) -> bytes:
        target = self._path + request.path.encode("latin-1")
        query = self.provider.query
        if request.query:
            query = query + b"&" + request.query if query else request.query
        return target + b"?" + query if query else target

    async def connect(self) -> tuple[Connection, Wire]:
        """A connection on which nothing is pending; raises UpstreamFailed, never sent."""
        for _ in range(_TAKES):
            connection = await self._take()
            wire = connection.protocol
            if isinstance(wire, Wire) and not wire.is_stale():
                self._under_way += 1
                return connection, wire
            connection.close()
        raise UpstreamFailed("refused", "connections are closed before anything is sent", sent=False)

    def left(self) -> None:
        """An attempt has given its connection back."""
        self._under_way -= 1
        if self._is_retired:
            self._close_when_idle()

    def retire(self) -> None:
        """No new calls; closes with the last one under way."""
        self._is_retired = True
        self._close_when_idle()

    def _close_when_idle(self) -> None:
        if self._under_way == 0 and not self.connector.closed:
            self._closing = self.loop.create_task(self.connector.close())

    async def _take(self) -> Connection:
        try:
            return await self.connector.connect(self._destination, [], self._timeout)
        except TimeoutError as error:
            raise UpstreamFailed(
                "connect_timeout", f"no connection within {self.provider.connect_s:g} s", sent=False
            ) from error
        except ClientConnectorDNSError as error:
            if isinstance(error.os_error, ForbiddenAddress):
                raise UpstreamFailed("forbidden_address", str(error.os_error), sent=False) from error
            raise UpstreamFailed(
                "dns", f"the provider's name was not resolved: {error.strerror}", sent=False
            ) from error
        except (ClientConnectorCertificateError, ClientConnectorSSLError) as error:
            raise UpstreamFailed("refused", f"TLS failed: {error}", sent=False) from error
        except InvalidURL as error:
            raise UpstreamFailed("forbidden_address", "the address is not written canonically", sent=False) from error
        except ClientHttpProxyError as error:
            raise UpstreamFailed("refused", f"the proxy answered {error.status} to CONNECT", sent=False) from error
        except ClientProxyConnectionError as error:
            raise UpstreamFailed("refused", f"no connection to the proxy: {error.strerror}", sent=False) from error
        except ClientConnectorError as error:
            raise UpstreamFailed("refused", f"no connection: {error.strerror}", sent=False) from error
        except (ClientError, OSError) as error:
            raise UpstreamFailed("refused", f"no connection: {type(error).__name__}", sent=False) from error


def _destination(provider: Provider, url: URL, loop: asyncio.AbstractEventLoop) -> ClientRequest:
    egress = provider.egress
    if egress.proxy_url is None:
        return ClientRequest("GET", url, loop=loop)
    # aiohttp adds the host at the first use; a connection is found again by these headers, so it stands here before.
    login = {"Host": url.host_port_subcomponent or ""}
    if egress.proxy_credentials is not None:
        user, _, password = egress.proxy_credentials.reveal().partition(":")
        login["Proxy-Authorization"] = encode_basic_auth(user, password, encoding="utf-8")
    return ClientRequest("GET", url, loop=loop, proxy=URL(egress.proxy_url), proxy_headers=login)


def _fixed_head(provider: Provider, url: URL, key: Secret | None) -> bytes:
    lines = [f" HTTP/1.1\r\nhost: {url.host_port_subcomponent}\r\n"]
    if key is not None:
        scheme = "authorization: Bearer " if provider.auth_header == "bearer" else f"{provider.auth_header}: "
        lines.append(f"{scheme}{key.reveal()}\r\n")
    lines.extend(f"{name}: {value}\r\n" for name, value in provider.extra_headers.items())
    return "".join(lines).encode("latin-1")


def _own_headers(provider: Provider, key: KeyName) -> list[RawHeader]:
    """What a session's handshake carries of the provider's own: its further headers, and its key."""
    told = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in provider.extra_headers.items()]
    secret = provider.api_key if key == "api_key" else provider.api_key_next
    if secret is not None:
        value = secret.reveal().encode("latin-1")
        bearer = provider.auth_header == "bearer"
        told.append((b"authorization", b"Bearer " + value) if bearer else (provider.auth_header.encode(), value))
    return told


def _framing(request: UpstreamRequest) -> bytes:
    """How long the body is; a request that has none by its method says nothing of it, as clients do."""
    if request.parts is not None:
        return (
            b"transfer-encoding: chunked\r\n" if request.length is None else b"content-length: %d\r\n" % request.length
        )
    if request.body or request.method in _WITH_BODY:
        return b"content-length: %d\r\n" % len(request.body)
    return b""


def _one_line_each(lines: bytes, headers: list[RawHeader]) -> bool:
    return lines.count(b"\r") == lines.count(b"\n") == len(headers) and b"\0" not in lines
