"""The line to one client: what is sent on it, and the ways in which it breaks."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias

from proxy.sim.faults import Faults

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

TRANSPORT: Final = "flyball.sim.transport"
"""The ASGI extension under which our own server hands over the connection, so that it can be broken."""

_DELIVERY_S: Final = 0.02


class ClientLeft(Exception):
    """The client hung up before the answer was finished."""


class Broken(Exception):
    """The line was broken on purpose; nothing more can be sent."""


class TooLarge(Exception):
    """The request's body is larger than the limit."""


class Line:
    """One request's way back. Not for two tasks at once."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._transport = (scope.get("extensions") or {}).get(TRANSPORT, {}).get("transport")
        self._faults = Faults()
        self._sent = 0
        self._surplus = b""
        self._length: int | None = None
        self.status = 0

    async def body(self, limit: int) -> bytes:
        """The whole request body; raises TooLarge or ClientLeft."""
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise TooLarge
            more = message.get("more_body", False)
        return b"".join(parts)

    async def wait(self, seconds: float | None) -> None:
        """Let time pass, None meaning until the client leaves; raises ClientLeft as soon as it does."""
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return
        raise ClientLeft

    async def start(self, status: int, headers: Headers, faults: Faults, length: int | None = None) -> None:
        """Send the head; a known length goes with it, falsified if that is asked for."""
        self._faults = faults
        self.status = status
        sent = list(headers)
        if length is not None:
            self._length = max(0, length + faults.length_off_by)
            sent.append((b"content-length", str(self._length).encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": sent})

    async def write(self, data: bytes) -> None:
        """Send some of the body, or as much of it as there is to be before the line breaks."""
        end = self._breaks_at()
        if end is not None and self._sent + len(data) >= end:
            await self._pass(data[: end - self._sent])
            await self._break()
        await self._pass(data)

    async def end(self) -> None:
        """Finish the answer, unless its length was falsified: then hang up short of it, or say more than was said."""
        if self._length is not None and self._sent < self._length:
            await self._break()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        if self._surplus and self._transport is not None:
            self._transport.write(self._surplus)

    async def _pass(self, data: bytes) -> None:
        if self._length is not None and self._sent + len(data) > self._length:
            room = self._length - self._sent
            data, self._surplus = data[:room], self._surplus + data[room:]
        self._sent += len(data)
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def _breaks_at(self) -> int | None:
        ends = [end for end in (self._faults.cut_at, self._faults.close_at) if end is not None]
        return min(ends, default=None)

    async def _break(self) -> None:
        """Reset the connection (`cut_at`) or close it in the middle of the answer."""
        await asyncio.sleep(_DELIVERY_S)  # what was sent before the break is to arrive
        if self._transport is None:
            raise RuntimeError("an answer broken off on purpose")  # the server closes the connection on it
        if self._faults.cut_at is not None:
            _linger_not(self._transport)
            self._transport.abort()
        else:
            self._transport.close()
        await asyncio.sleep(0)
        raise Broken


def _linger_not(transport: asyncio.Transport) -> None:
    """Make the coming close a reset: the option belongs to the socket, so a copy of its descriptor can set it."""
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    with socket.socket(fileno=descriptor) as copy:
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
