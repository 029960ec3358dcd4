"""The bare relay we compare with: uvicorn, raw ASGI, aiohttp's client as its manual shows it, and nothing else.

`python -m tests.bench.relay PORT UNARY_URL STREAM_URL [--client=door]`; with `door` it uses our own transport instead.
"""

import gc
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import aiohttp
import uvicorn
from yarl import URL

from proxy.upstream import AiohttpTransport, Provider, UpstreamRequest, UpstreamSettings, forwardable, relayable

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

DROPPED = frozenset({b"host", b"content-length", b"connection", b"transfer-encoding", b"accept-encoding"})


async def read_body(receive: Receive) -> bytes:
    """The whole request body."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


class Lifespan(ABC):
    """The part of ASGI that both relays share; `/s/…` goes to the streaming provider."""

    def __init__(self, unary: str, stream: str) -> None:
        self._unary, self._stream = unary, stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await self.relay(scope, await read_body(receive), send)

    @abstractmethod
    async def relay(self, scope: Scope, body: bytes, send: Send) -> None:
        """Answer one call."""

    def target(self, scope: Scope) -> tuple[bool, str, bytes]:
        """Whether it streams, the path below the provider, and the raw query."""
        raw: bytes = scope["raw_path"]
        streamed = raw.startswith(b"/s/")
        return streamed, (raw[2:] if streamed else raw).decode(), scope["query_string"]


class PlainRelay(Lifespan):
    """aiohttp's session."""

    session: aiohttp.ClientSession | None = None

    async def relay(self, scope: Scope, body: bytes, send: Send) -> None:
        if self.session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self.session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout()
            )
        streamed, path, query = self.target(scope)
        url = URL(f"{self._stream if streamed else self._unary}{path}?{query.decode()}", encoded=True)
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"] if n not in DROPPED]
        async with self.session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            kept = [(n.lower(), v) for n, v in answer.raw_headers if n.lower() not in DROPPED]
            await send({"type": "http.response.start", "status": answer.status, "headers": kept})
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class DoorRelay(Lifespan):
    """Flyball's transport, with its header lists and timers."""

    transport: AiohttpTransport | None = None

    async def relay(self, scope: Scope, body: bytes, send: Send) -> None:
        if self.transport is None:
            self.transport = AiohttpTransport(UpstreamSettings())
            self.providers = [Provider(name=url, base_url=url) for url in (self._unary, self._stream)]
        streamed, path, query = self.target(scope)
        provider = self.providers[streamed]
        headers = forwardable(scope["headers"], provider)
        answer = await self.transport.send(UpstreamRequest(provider, path, body, streamed, query, headers))
        start = {"type": "http.response.start", "status": answer.status, "headers": relayable(answer.headers)}
        await send(start)
        while (chunk := await answer.chunk()) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await answer.close()
        await send({"type": "http.response.body", "body": b""})


def main(port: str, unary: str, stream: str, client: str = "") -> None:
    """Serve until told to end."""
    app = DoorRelay(unary, stream) if client == "--client=door" else PlainRelay(unary, stream)
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    uvicorn.run(
        app, host="127.0.0.1", port=int(port), loop="uvloop", http="httptools", ws="none", access_log=False,
        proxy_headers=False, server_header=False, date_header=False, log_level="warning", backlog=1024,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
