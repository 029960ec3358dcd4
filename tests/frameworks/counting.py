"""A relay of sockets that counts the HTTP requests which pass it: what a client really sends, whatever it says."""

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httptools

_STARTED_S: Final = 10


@dataclass
class CountingRelay:
    """Passes connections on to `target` (a URL) for as long as the `with` lasts. `asked`: method and path of each."""

    target: str
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="counting relay", daemon=True)
        self._thread.start()
        assert self._ready.wait(_STARTED_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_STARTED_S)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        split = urlsplit(self.target)
        with suppress(ConnectionError, asyncio.CancelledError):
            there, back = await asyncio.open_connection(split.hostname, split.port)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_pump(reader, back, _Counter(self.asked)))
                ways.create_task(_pump(there, writer, None))
        writer.close()


class _Counter:
    """Reads the requests of one connection; one counts as soon as its head is whole."""

    def __init__(self, asked: list[str]) -> None:
        self._asked = asked
        self._path = b""
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Bytes as they came from the client."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._path = b""

    def on_url(self, url: bytes) -> None:
        """Called by the parser, perhaps with a part of it."""
        self._path += url

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._asked.append(f"{self._parser.get_method().decode()} {self._path.decode('latin-1')}")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counter: _Counter | None) -> None:
    with suppress(ConnectionError):
        while part := await reader.read(65536):
            if counter is not None:
                counter.feed(part)
            writer.write(part)
            await writer.drain()
    writer.close()
