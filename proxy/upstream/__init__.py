"""Reaching providers: who they are, what passes to and from them, and one door to send calls through."""

from proxy.upstream.addresses import GuardedResolver as GuardedResolver
from proxy.upstream.aiohttp_transport import AiohttpTransport as AiohttpTransport
from proxy.upstream.bad_provider import BadProvider as BadProvider
from proxy.upstream.failure import FailureKind as FailureKind
from proxy.upstream.failure import UpstreamFailed
from proxy.upstream.headers import forwardable, relayable
from proxy.upstream.provider import Provider
from proxy.upstream.settings import ProviderSettings as ProviderSettings
from proxy.upstream.settings import UpstreamSettings as UpstreamSettings
from proxy.upstream.socket import Closed as Closed
from proxy.upstream.socket import HandshakeRefused as HandshakeRefused
from proxy.upstream.socket import Message as Message
from proxy.upstream.socket import SocketRequest as SocketRequest
from proxy.upstream.socket import Sockets as Sockets
from proxy.upstream.socket import UpstreamSocket as UpstreamSocket
from proxy.upstream.transport import Transport, UpstreamRequest, UpstreamResponse

# What a call needs; the class behind the door and the settings are for whoever puts the process together.
__all__ = ["Provider", "Transport", "UpstreamFailed", "UpstreamRequest", "UpstreamResponse", "forwardable", "relayable"]
