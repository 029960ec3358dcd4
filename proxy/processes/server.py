"""uvicorn as we run it: our sockets, our parser, no headers or access lines of its own."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from proxy.edge import MAX_MESSAGE_BYTES, BoundedHttpProtocol, RealtimeSocketProtocol

KEEP_ALIVE_S = 75


class Server(uvicorn.Server):
    """uvicorn's server that says when it has begun to accept."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGTERM without uvicorn's raising it again, which would kill us before our rows are on disk."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        yield

    def _end(self) -> None:
        self.should_exit = True

    async def last_calls(self, deadline_s: float) -> None:
        """Wait for calls that were cancelled at the end of their time: they still write their rows and settle."""
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=deadline_s)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, then say so."""
        await super().startup(sockets)
        self._on_started()


def http_server(
    app: Callable[..., Any], shutdown_s: int, on_started: Callable[[], None], *, sockets: bool = False
) -> Server:
    """A server for an ASGI app; on SIGTERM it stops accepting and gives running calls `shutdown_s` seconds.

    With `sockets` it takes WebSockets where realtime sessions are opened.
    """
    return Server(
        uvicorn.Config(
            app,
            http=BoundedHttpProtocol,
            ws=RealtimeSocketProtocol if sockets else "none",
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=shutdown_s,
        ),
        on_started,
    )


def adopt(descriptor: int) -> socket.socket:
    """A listening socket that the supervisor opened for us."""
    return socket.socket(fileno=descriptor)
