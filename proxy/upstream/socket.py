"""The door to providers for sessions over WebSocket: one connection, messages both ways, each waiting for the other."""

from typing import NamedTuple, Protocol, TypeAlias

from msgspec import Struct, field

from proxy.upstream.headers import RawHeader
from proxy.upstream.provider import Provider

Message: TypeAlias = str | bytes
"""A text message or a binary one, whole."""


class SocketRequest(Struct):
    """One session to be opened.

    `path`, `query` and `headers` are those of an `UpstreamRequest`; `subprotocols` are offered in this order. A message
    of more than `most_bytes` breaks the session.
    """

    provider: Provider
    path: str
    query: bytes = b""
    headers: list[RawHeader] = field(default_factory=list)
    subprotocols: tuple[str, ...] = ()
    most_bytes: int = 16 * 1024 * 1024


class Closed(NamedTuple):
    """How the provider ended the session: its close code (1006 where it sent none) and its reason."""

    code: int
    reason: str = ""


class HandshakeRefused(Exception):
    """The provider answered the handshake with something else than a session; `body` is cut at 64 KB."""

    def __init__(self, status: int, headers: list[RawHeader], body: bytes) -> None:
        super().__init__(f"the provider answered the handshake with {status}")
        self.status = status
        self.headers = headers
        self.body = body


class UpstreamSocket(Protocol):
    """An open session."""

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the provider chose."""
        ...

    @property
    def headers(self) -> list[RawHeader]:
        """The handshake's answer, names in lower case."""
        ...

    async def receive(self) -> Message | Closed:
        """The next message; how it ended once there are none. While nobody asks, the provider is made to wait."""
        ...

    async def send(self, message: Message) -> None:
        """Send a message; waits while the provider reads more slowly than we write.

        Raises:
            UpstreamFailed: the session is over.
        """
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End it with a close frame, within a bounded time; safe at any time and repeatedly."""
        ...

    def abort(self) -> None:
        """Drop the connection at once."""
        ...


class Sockets(Protocol):
    """Opens sessions at providers."""

    async def open(self, request: SocketRequest) -> UpstreamSocket:
        """Open a session.

        Raises:
            HandshakeRefused: the provider answered, and not with a session: nothing was billed.
            UpstreamFailed: no answer.
        """
        ...
