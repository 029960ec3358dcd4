"""aiohttp's connector, made to hold connections that know whether they may be used for the next call."""

import functools
import select
import socket
import ssl
from asyncio import BaseTransport
from typing import Final

from aiohttp import TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import AddrInfoType

from proxy.upstream.addresses import GuardedResolver, LookUp
from proxy.upstream.provider import Provider
from proxy.upstream.settings import UpstreamSettings

_KEEPALIVE_IDLE_S: Final = 45
_UNTOLD: Final = BaseException()


class Wire(ResponseHandler):
    """One connection."""

    used = False
    _pending: select.poll

    def connection_made(self, transport: BaseTransport) -> None:
        """Made ready to be asked about the kernel's view of it."""
        super().connection_made(transport)
        self._pending = select.poll()
        self._pending.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def is_stale(self) -> bool:
        """Whether a kept connection has ended, or holds bytes nobody asked for, which must not answer the next call."""
        if not self.used:
            # A new TLS connection rightly holds session tickets.
            self.used = True
            return False
        # The loop may not have come round to an end that the kernel already knows of.
        return self.transport is None or self.should_close or bool(self._pending.poll(0))

    def resume_reading(self, resume_parser: bool = True) -> None:
        """aiohttp calls this after every read; unless reading had been paused there is nothing to do."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def set_exception(self, exc: BaseException, exc_cause: BaseException = _UNTOLD) -> None:
        """Tell the reader of the body too: after a broken chunk aiohttp would leave it waiting for ever."""
        payload = self._payload
        super().set_exception(exc, exc if exc_cause is _UNTOLD else exc_cause)
        if payload is not None and not payload.is_eof():
            payload.set_exception(exc)


class Pool(TCPConnector):
    """The connections to one provider."""

    def __init__(
        self, provider: Provider, settings: UpstreamSettings, look_up: LookUp | None, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(
            resolver=GuardedResolver(allow_private=provider.allow_private, look_up=look_up),
            ttl_dns_cache=settings.dns_ttl_s,
            keepalive_timeout=settings.keep_alive_s,
            limit=provider.max_connections,
            ssl=_trust(provider, context),
            socket_factory=_socket,
        )
        kind: type[ResponseHandler] = Wire
        self._factory = functools.partial(kind, loop=self._loop)


def _trust(provider: Provider, context: ssl.SSLContext | None) -> ssl.SSLContext | bool:
    client = provider.egress.client
    if provider.ca_file is not None or client is not None:
        context = ssl.create_default_context(cafile=provider.ca_file)
        context.set_alpn_protocols(["http/1.1"])
        if client is not None:
            client.load_into(context)
    return context or True


def _socket(info: AddrInfoType) -> socket.socket:
    """A socket that notices a vanished peer behind a long silence, and keeps middleboxes awake meanwhile."""
    made = socket.socket(info[0], info[1], info[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S)
    return made
