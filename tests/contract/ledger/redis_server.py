"""A real redis-server of the tests' own, in a temporary folder, on a socket and a port."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

EXECUTABLE: Final = shutil.which("redis-server", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/sbin")
_SHARED_URL: Final = "FLYBALL_TEST_REDIS_URL"


class RedisServer:
    """One server that keeps its data in a folder, appended to a file with every write."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.port = _free_port()
        self.socket = folder / "redis.sock"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """By its socket."""
        return f"unix://{self.socket}"

    @property
    def tcp_url(self) -> str:
        """By its port."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pids(self) -> list[int]:
        """Its process, for who reads what it costs."""
        return [] if self._process is None else [self._process.pid]

    def start(self) -> None:
        """Start it, or start it again on the same data; returns once it answers."""
        assert EXECUTABLE is not None, "redis-server is missing: install Debian's package of that name"
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        arguments += ["--dir", str(self.folder), "--appendonly", "yes", "--save", "", "--enable-debug-command", "yes"]
        self._process = subprocess.Popen(
            [EXECUTABLE, *arguments, *self._options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if self.command("PING").startswith(b"+PONG"):
                    return
            time.sleep(0.01)
        raise AssertionError("redis-server did not start")

    def command(self, *parts: str) -> bytes:
        """Ask it something over a connection of its own; the raw reply, as far as it comes at once."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            encoded = [part.encode() for part in parts]
            connection.sendall(
                b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in encoded)
            )
            return connection.recv(1 << 20)

    def pause(self) -> None:
        """It stands still; its sockets still take what is sent."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It moves again."""
        self._signal(signal.SIGCONT)

    def stop(self, *, kill: bool = False) -> None:
        """End it, politely or not."""
        if self._process is None:
            return
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGKILL if kill else signal.SIGTERM)
        self._process.wait(20)
        self._process = None

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextlib.contextmanager
def served(*options: str) -> Iterator[RedisServer]:
    """A server for one test."""
    folder = Path(tempfile.mkdtemp(prefix="flyball-redis-"))
    server = RedisServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.stop(kill=True)
        shutil.rmtree(folder)


def shared_url() -> str:
    """The server of this test process and those that it starts; started when first asked for, ended with it."""
    known = os.environ.get(_SHARED_URL)
    if known is not None:
        return known
    ending = contextlib.ExitStack()
    server = ending.enter_context(served())
    atexit.register(ending.close)
    os.environ[_SHARED_URL] = server.url
    return server.url


def missing() -> bool:
    """Whether there is no redis-server here, which only a developer's machine may lack."""
    if EXECUTABLE is not None or os.environ.get("CI") == "true":
        return False
    print("not run: the tests of the Redis ledger, redis-server is missing")  # noqa: T201  said to whoever runs them
    return True


def _free_port() -> int:
    """One whose cluster bus, 10,000 above it, is a port too."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 55_000:
            return port
