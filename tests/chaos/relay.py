"""A TCP relay that can be told to misbehave, put between Flyball and something it depends on."""

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

Mode = Literal["up", "refusing", "silent", "forgetful"]
"""up: passes everything; refusing: hangs up at once; silent: takes all and says nothing; forgetful: passes what is
asked and hangs up instead of passing the answer on."""


class Relay:
    """Passes connections on to `target` (a URL) for as long as the `with` lasts, in the mode of the moment."""

    def __init__(self, target: str, mode: Mode) -> None:
        split = urlsplit(target)
        self._host, self._port = split.hostname or "", split.port or 0
        self.mode: Mode = mode
        self.refused = 0
        self.forgotten = 0
        self.port = 0

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="relay", daemon=True)
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
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            if self.mode == "refusing":
                self.refused += 1
            else:
                there, back = await asyncio.open_connection(self._host, self._port)
                async with asyncio.TaskGroup() as ways:
                    ways.create_task(self._there(reader, back))
                    ways.create_task(self._back(there, writer))
        writer.close()

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while part := await reader.read(65536):
                if self.mode in ("up", "forgetful"):
                    writer.write(part)
                    await writer.drain()
        writer.close()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while part := await reader.read(65536):
                if self.mode == "forgetful":
                    self.forgotten += 1
                    break
                writer.write(part)
                await writer.drain()
        writer.close()
