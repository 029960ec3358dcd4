"""A relay between a ledger and Redis that can be slow, or lose an answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class SlowRelay:
    """Passes bytes on in order; what a closed client had sent still arrives, as it does in a network."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.delay_s = 0.0
        self.answers_to_lose = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._writers.append(writer)
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        self._writers.append(to_server)
        back = self._keep(self._answers(from_server, writer))
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                self._keep(self._later(to_server, chunk))
        # The server's answers to what was sent late have nowhere to go.
        await asyncio.sleep(self.delay_s)
        back.cancel()
        to_server.close()

    async def close(self) -> None:
        """Nothing is passed on any more."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _later(self, to_server: asyncio.StreamWriter, chunk: bytes) -> None:
        await asyncio.sleep(self.delay_s)
        to_server.write(chunk)

    async def _answers(self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await from_server.read(65536):
                if self.answers_to_lose:
                    self.answers_to_lose -= 1
                    break
                writer.write(chunk)
        writer.close()

    def _keep(self, work: "asyncio._CoroutineLike[None]") -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


@contextlib.asynccontextmanager
async def relayed(port: int) -> AsyncIterator[SlowRelay]:
    """A relay to that port of this machine."""
    relay = SlowRelay(port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        await relay.close()
