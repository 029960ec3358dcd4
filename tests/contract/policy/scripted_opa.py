"""A server in the place of OPA's that answers as it is told, byte for byte."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Reply: TypeAlias = bytes | Callable[[], Awaitable[bytes]]


def answer(body: Any, status: int = 200, kind: str = "application/json") -> bytes:
    """A whole HTTP answer; what is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


GRANT = answer({"result": {"allow": True}})


@dataclass
class Scripted:
    """`reply` is what every question is answered with; empty bytes hang up. `asked` holds the questions."""

    url: str = ""
    reply: Reply = GRANT
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.asked.append((first.split()[1], headers, json.loads(body)))
                reply = self.reply if isinstance(self.reply, bytes) else await self.reply()
                if not reply:
                    break
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    """One that listens."""
    found = Scripted()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
