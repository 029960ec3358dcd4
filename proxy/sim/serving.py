"""Running the simulated provider: in this process, in a thread beside a test, or as a process of its own."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proxy.sim.line import TRANSPORT
from proxy.sim.provider import SimProvider

_BACKLOG: Final = 2048


class BreakableProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, with the connection handed to the application so that it can break it."""

    def on_message_begin(self) -> None:
        """A request begins: put the connection into its scope."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


class _Server(uvicorn.Server):
    """uvicorn's server, which ends in order on a signal where the original then dies of it."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop serving."""
        self.should_exit = True


def _server(provider: SimProvider) -> uvicorn.Server:
    return _Server(
        uvicorn.Config(
            provider,
            http=BreakableProtocol,
            loop="uvloop",
            lifespan="off",
            log_config=None,
            log_level="critical",  # broken answers are what it is for, not news
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )


def run_sim(provider: SimProvider, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until a signal says stop; port 0 takes a free one, `announce` is told the base URL."""
    with socket.create_server((host, port), backlog=_BACKLOG) as listening:
        announce(_base_url(listening))
        _server(provider).run(sockets=[listening])


class SimServer:
    """The simulated provider in a thread of its own, for as long as the `with` lasts; `url` ends in `/v1`."""

    def __init__(self, provider: SimProvider | None = None) -> None:
        self.provider = provider or SimProvider()
        self.url = ""
        self._server = _server(self.provider)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sim", daemon=True)

    def __enter__(self) -> Self:
        self.url = _base_url(self._listening)
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._listening.close()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        # The socket listens already: a request that comes before the server does waits in its queue.
        self._ready.set()
        await self._server.serve(sockets=[self._listening])


class SimProcess:
    """The simulated provider as a process that ends with this one; `url` ends in `/v1`."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, speed: float = 1.0, seed: int = 1) -> None:
        command = [sys.executable, "-m", "proxy.sim", "--host", host, "--port", str(port), "--until-stdin-closes"]
        command += ["--speed", str(speed), "--seed", str(seed)]
        # A session of its own: Ctrl-C in a terminal is for whoever started it, who then stops it.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        said = self._process.stdout.readline() if self._process.stdout else b""
        if not said:
            raise RuntimeError(f"the simulated provider did not start (exit code {self._process.wait()})")
        self.url: str = json.loads(said)["base_url"]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def stop(self) -> int:
        """End it and wait until it has ended; its exit code. A second time does nothing."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.terminate()
        return self._process.wait(10)


def _base_url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"
