"""The client's end of a realtime session."""

from typing import Protocol

from proxy.journey.call import Exchange, Headers
from proxy.upstream import Message


class ClientSocket(Exchange, Protocol):
    """An Exchange whose handshake can be refused like any call, and that is a socket once it was accepted."""

    subprotocols: tuple[str, ...]
    """What the client offers, without what holds a key."""

    async def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Let the client in."""
        ...

    async def receive(self) -> Message | None:
        """The client's next message; None once it is gone, then `close_code` says how."""
        ...

    async def tell(self, message: Message) -> None:
        """Send a message; waits while the client reads more slowly than we write. Nothing, once it is gone."""
        ...

    async def close(self, code: int, reason: str = "") -> None:
        """Close it; nothing, once it is gone."""
        ...

    @property
    def close_code(self) -> int:
        """How the client left: its close code, 1006 where it just went; 0 while it is there."""
        ...
