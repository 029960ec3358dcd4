"""The client's end of a realtime session, over ASGI: a call that can still be refused, then a socket."""

from collections.abc import Callable
from typing import Final

from proxy.edge.exchange import Receive, Scope, Send
from proxy.edge.realtime_key import without_key
from proxy.journey.call import Headers
from proxy.journey.realtime.client import ClientSocket
from proxy.upstream import Message

NORMAL: Final = 1000
MOST_REASON_BYTES: Final = 120


class AsgiSocket:
    """Reads and writes whole messages; the server reads on only while somebody asks, and waits for a slow client."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = False
        self.accepted = False
        self.close_code = 0
        self.subprotocols: tuple[str, ...] = without_key(scope["subprotocols"])
        self._receive = receive
        self._send = send

    # until it is accepted

    async def body(self) -> bytes:
        """A handshake has none."""
        return b""

    async def start(self, status: int, headers: Headers) -> None:
        """Refuse the handshake."""
        self.started = True
        await self._send({"type": "websocket.http.response.start", "status": status, "headers": headers})

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Refuse the handshake with a whole answer."""
        await self.start(status, headers)
        await self.finish(body)

    def write(self, chunk: bytes) -> bool:
        """Never at once."""
        return False

    async def send(self, chunk: bytes) -> None:
        """A part of the refusal's body."""
        await self._send({"type": "websocket.http.response.body", "body": chunk, "more_body": True})

    async def finish(self, chunk: bytes = b"") -> None:
        """The last part of it."""
        await self._send({"type": "websocket.http.response.body", "body": chunk, "more_body": False})

    def gone(self) -> bool:
        """Whether the client has left, as far as it is known."""
        return self.close_code != 0

    def watch(self, when_gone: Callable[[], None]) -> None:
        """Nothing: a session that is being opened does not wait for long, and one that runs is read."""

    # from then on

    async def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Let the client in."""
        self.started = self.accepted = True
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers})

    async def receive(self) -> Message | None:
        """The next message; None once the client is gone."""
        while not self.close_code:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self.close_code = int(message.get("code") or 1006)
            elif message["type"] == "websocket.receive":
                text = message.get("text")
                told: Message = text if text is not None else message["bytes"]
                return told
        return None

    async def tell(self, message: Message) -> None:
        """Send a message; nothing, once the client is gone."""
        kind = "text" if isinstance(message, str) else "bytes"
        try:
            if not self.close_code:
                await self._send({"type": "websocket.send", kind: message})
        except OSError:  # uvicorn's ClientDisconnected
            self.close_code = self.close_code or 1006

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close it; nothing, once the client is gone."""
        try:
            if not self.close_code:
                self.close_code = code
                short = reason.encode()[:MOST_REASON_BYTES].decode("utf-8", "ignore")
                await self._send({"type": "websocket.close", "code": code, "reason": short})
        except (OSError, RuntimeError):
            return


_: type[ClientSocket] = AsgiSocket
