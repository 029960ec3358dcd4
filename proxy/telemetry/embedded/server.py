"""The embedded ClickHouse as a whole: the opened engine behind a listening port."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

import uvicorn

from proxy.core.secret import Secret
from proxy.telemetry.embedded.engine import Bounds, Engine
from proxy.telemetry.embedded.surface import Surface
from proxy.telemetry.settings import TelemetrySettings

_LOG: Final = logging.getLogger(__name__)
_MB: Final = 1024 * 1024
WRITER: Final = "flyball"
READER: Final = "grafana"


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling: the collector decides when to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class EmbeddedClickHouse:
    """ClickHouse's HTTP interface over chdb on loopback. Use as an async context manager."""

    def __init__(self, folder: Path, settings: TelemetrySettings, passwords: Mapping[str, Secret]) -> None:
        """`folder` holds the store; `passwords` has one for each of the users `flyball` and `grafana`."""
        self._folder = folder
        self._settings = settings
        self._passwords = passwords
        self.address = ("", 0)
        self.notes: list[str] = []
        """What the operator should know about how it started."""

    async def __aenter__(self) -> Self:
        """Open the store and answer requests.

        Raises:
            StoreUnavailable: the store cannot be opened; the message says why.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        loop = asyncio.get_running_loop()
        self._engine = await loop.run_in_executor(None, self._open)
        surface = Surface(self._engine, self._passwords, reader=READER, database=self._settings.database)
        listener = self._listen()
        self.address = listener.getsockname()[:2]
        config = uvicorn.Config(
            surface,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
        )
        self._server = _Server(config)
        self._serving = asyncio.ensure_future(self._server.serve(sockets=[listener]))
        await self._server.listening.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let running statements end, then give the store free."""
        self._server.should_exit = True
        await self._serving
        await asyncio.get_running_loop().run_in_executor(None, self._engine.close)

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self.address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def _open(self) -> Engine:
        return Engine(self._folder, self._bounds(), database=self._settings.database)

    def _bounds(self) -> Bounds:
        return Bounds(
            memory_bytes=self._settings.memory_mb * _MB,
            query_s=self._settings.query_timeout_s,
            result_bytes=self._settings.result_mb * _MB,
            threads=self._settings.threads,
        )

    def _listen(self) -> socket.socket:
        host, _, port = self._settings.listen.rpartition(":")
        host = host.strip("[]")
        try:
            return _bound(host, int(port))
        except OSError as taken:
            listener = _bound(host, 0)
            self.notes.append(
                f"{self._settings.listen} is not free ({taken.strerror}; perhaps a ClickHouse or another Flyball "
                f"answers there), so the embedded ClickHouse answers on port {listener.getsockname()[1]}; "
                "set telemetry.listen to choose"
            )
            _LOG.warning("%s", self.notes[-1])
            return listener


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only for sockets that say they are TCP: 40 ms an answer otherwise.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
