"""Transport over aiohttp's connection pool, resolver, TLS and parser (docs/adr/004 says why not its session)."""

import asyncio
import re
import select
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit
from weakref import WeakSet

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientRequest,
    ClientTimeout,
    InvalidURL,
    TCPConnector,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import AddrInfoType, Connection
from yarl import URL

from proxy.upstream.addresses import ForbiddenAddress, GuardedResolver, LookUp
from proxy.upstream.aiohttp_answer import AiohttpAnswer
from proxy.upstream.failure import UpstreamFailed
from proxy.upstream.headers import RawHeader
from proxy.upstream.provider import Provider
from proxy.upstream.settings import UpstreamSettings
from proxy.upstream.transport import UpstreamRequest, UpstreamResponse

_RAW_TARGET: Final = re.compile(rb"[\x21-\x7e]+\Z")
_KEEPALIVE_IDLE_S: Final = 45
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
        head = lane.head(request)
        started = lane.loop.time()
        connection, protocol = await lane.connect()
        answer = AiohttpAnswer(connection, protocol, lane, started)
        await answer.begin(head, request.body)
        return answer

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
        self.connector = TCPConnector(
            resolver=GuardedResolver(allow_private=provider.allow_private, look_up=look_up),
            ttl_dns_cache=settings.dns_ttl_s,
            keepalive_timeout=settings.keep_alive_s,
            limit=provider.max_connections,
            ssl=_trust(provider, context),
            socket_factory=_socket,
        )
        url = URL(provider.base_url, encoded=True)
        # Only its destination is used: the connector asks a request where to connect.
        self._destination = ClientRequest("GET", url, loop=self.loop)
        self._timeout = ClientTimeout(total=None, connect=min(provider.connect_s, provider.total_s))
        self._path = urlsplit(provider.base_url).path.encode("latin-1")
        self._fixed = _fixed_head(provider, url)
        self._used: WeakSet[ResponseHandler] = WeakSet()
        self._under_way = 0
        self._is_retired = False
        self._closing: asyncio.Task[None] | None = None

    def head(self, request: UpstreamRequest) -> bytes:
        """The request up to and including the empty line."""
        target = self._path + request.path.encode("latin-1")
        query = self.provider.query
        if request.query:
            query = query + b"&" + request.query if query else request.query
        if query:
            target += b"?" + query
        headers = request.headers
        if request.streamed:
            headers = [header for header in headers if header[0] != b"accept-encoding"]
            headers.append((b"accept-encoding", b"identity"))
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        if not _RAW_TARGET.match(target) or not _one_line_each(lines, headers):
            raise UpstreamFailed("protocol", "the request cannot be written as HTTP", sent=False)
        return b"POST %b%b%bcontent-length: %d\r\n\r\n" % (target, self._fixed, lines, len(request.body))

    async def connect(self) -> tuple[Connection, ResponseHandler]:
        """A connection on which nothing is pending; raises UpstreamFailed, never sent."""
        for _ in range(_TAKES):
            connection = await self._take()
            protocol = connection.protocol
            if protocol is not None and not self._is_stale(protocol):
                self._under_way += 1
                return connection, protocol
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

    def _is_stale(self, protocol: ResponseHandler) -> bool:
        """Whether a kept connection has ended, or holds bytes nobody asked for, which must not answer this call."""
        if protocol not in self._used:
            self._used.add(protocol)
            return False
        transport = protocol.transport
        if transport is None or protocol.should_close:
            return True
        # The loop may not have come round to an end that the kernel already knows of.
        pending = select.poll()
        pending.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(pending.poll(0))

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
        except ClientConnectorError as error:
            raise UpstreamFailed("refused", f"no connection: {error.strerror}", sent=False) from error
        except (ClientError, OSError) as error:
            raise UpstreamFailed("refused", f"no connection: {type(error).__name__}", sent=False) from error


def _fixed_head(provider: Provider, url: URL) -> bytes:
    lines = [f" HTTP/1.1\r\nhost: {url.host_port_subcomponent}\r\n"]
    if provider.api_key is not None:
        scheme = "authorization: Bearer " if provider.auth_header == "bearer" else "api-key: "
        lines.append(f"{scheme}{provider.api_key.reveal()}\r\n")
    lines.extend(f"{name}: {value}\r\n" for name, value in provider.extra_headers.items())
    return "".join(lines).encode("latin-1")


def _one_line_each(lines: bytes, headers: list[RawHeader]) -> bool:
    return lines.count(b"\r") == lines.count(b"\n") == len(headers) and b"\0" not in lines


def _trust(provider: Provider, context: ssl.SSLContext | None) -> ssl.SSLContext | bool:
    if provider.ca_file is not None:
        context = ssl.create_default_context(cafile=provider.ca_file)
        context.set_alpn_protocols(["http/1.1"])
    return context or True


def _socket(info: AddrInfoType) -> socket.socket:
    """A socket that notices a vanished peer behind a long silence, and keeps middleboxes awake meanwhile."""
    made = socket.socket(info[0], info[1], info[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S)
    return made
