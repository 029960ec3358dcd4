"""An upstream that answers with given bytes and breaks the connection where it is told to."""

import asyncio
import socket
import struct
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self

KEY: Final = "idempotency-key"
"""The header that tells which break is wanted; Flyball passes it on."""

_DELIVERY_S: Final = 0.03

How = Literal["reset", "close", "stall"]


@dataclass(frozen=True, kw_only=True)
class Break:
    """`wire` is sent as it stands, head and framing included; then the connection is treated as `how` says."""

    wire: bytes
    how: How = "reset"


def as_stream(events: bytes) -> bytes:
    """A stream on the wire, each event in a chunk of its own."""
    parts = [event + b"\n\n" for event in events.split(b"\n\n") if event]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    framing = b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    return head + framing + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def as_whole(body: bytes) -> bytes:
    """A JSON answer on the wire."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % len(body) + body


@dataclass
class BreakingUpstream:
    """An HTTP/1.1 server in a thread, for as long as the `with` lasts; `asked` counts requests by their key."""

    breaks: dict[str, Break] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    url: str = ""

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="breaking", daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0, backlog=512)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            await reader.readexactly(int(lines["content-length"]))
            self.asked[lines[KEY]] += 1
            await self._answer(self.breaks[lines[KEY]], reader, writer)
        writer.close()

    async def _answer(self, wanted: Break, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wanted.wire)
        await writer.drain()
        if wanted.how == "stall":
            await reader.read()  # until the other side gives up
        elif wanted.how == "reset":
            await asyncio.sleep(_DELIVERY_S)  # what was sent before is to arrive
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
