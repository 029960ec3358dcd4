"""A provider that does exactly what a test tells it to, byte by byte and moment by moment."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass
class Received:
    """One request as it stood on the wire."""

    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The value of a header by its lower-case name, None when absent."""
        found = [value for each, value in self.headers if each.lower() == name]
        assert len(found) <= 1, f"{name!r} was sent {len(found)} times"
        return found[0] if found else None


class Conversation:
    """One accepted connection."""

    def __init__(self, seen: list[Received], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.ended = asyncio.Event()
        self._seen = seen

    async def request(self) -> Received:
        """The next request, whole."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        line, *rest = head[:-4].split(b"\r\n")
        headers = [(name, value.strip()) for name, _, value in (each.partition(b":") for each in rest)]
        received = Received(line, headers, b"")
        received.body = await self.reader.readexactly(int(received.header(b"content-length") or 0))
        self._seen.append(received)
        return received

    async def send(self, *pieces: bytes, gap_s: float = 0.0) -> None:
        """Send pieces as they are, waiting between them."""
        for at, piece in enumerate(pieces):
            if at and gap_s:
                await asyncio.sleep(gap_s)
            self.writer.write(piece)
            await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the other side has closed or reset the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        """End the connection in good order."""
        self.writer.close()


Script: TypeAlias = Callable[[Conversation], Awaitable[None]]


@dataclass
class ScriptedUpstream:
    """A listening server; `conversations` are the connections it accepted, `received` the requests."""

    script: Script
    tls: ssl.SSLContext | None = None
    conversations: list[Conversation] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    port: int = 0
    host: str = "127.0.0.1"
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> "ScriptedUpstream":
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self.tls, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for conversation in self.conversations:
            conversation.writer.transport.abort()

    @property
    def base_url(self) -> str:
        """What a provider's base_url is set to."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(self.received, reader, writer)
        self.conversations.append(conversation)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.script(conversation)
        conversation.ended.set()


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole answer with its length told."""
    lines = b"".join(line + b"\r\n" for line in headers)
    return b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, lines, len(body), body)


def chunked(*pieces: bytes) -> bytes:
    """The chunked coding of pieces, without the last chunk."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def always(*pieces: bytes, gap_s: float = 0.0) -> Script:
    """A script that answers every request on a connection with the same bytes."""

    async def script(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.send(*pieces, gap_s=gap_s)

    return script


def once(*pieces: bytes, gap_s: float = 0.0, reset: bool = False) -> Script:
    """A script that answers one request and ends the connection."""

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(*pieces, gap_s=gap_s)
        if reset:
            conversation.reset()
        else:
            conversation.close()

    return script
