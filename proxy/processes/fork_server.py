"""A process that has loaded our code once, and forks where others would load it again (docs/adr/017).

It opens nothing, runs no thread and no event loop, so that what it forks inherits nothing that is in use. What it forks
becomes a child of the supervisor, which is told its process id.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import gc
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn, Self

from proxy.processes import start
from proxy.processes.running import Forked, Running, executed

FORK_S: Final = 60.0
LONGEST_MESSAGE: Final = 64 * 1024
MOST_DESCRIPTORS: Final = 64
_PR_SET_CHILD_SUBREAPER: Final = 36
log = logging.getLogger("flyball.supervisor")


class ForkServer:
    """The supervisor's end. Where it cannot fork any more, processes are started by a command line of their own."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection = connection
        self._pid = pid
        self._turn = asyncio.Lock()
        self._is_lost = False

    @classmethod
    def begin(cls) -> Self | None:
        """Fork it from this process, which must have no threads yet; None where the system has no such thing."""
        if sys.platform != "linux" or not _adopts_orphans():
            return None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sys.stdout.flush()
        sys.stderr.flush()
        if (pid := os.fork()) == 0:
            ours.close()
            _serve(theirs)
        theirs.close()
        ours.setblocking(False)
        return cls(ours, pid)

    async def launch(self, arguments: Sequence[str], descriptors: Sequence[int]) -> Running:
        """Start a process with these arguments and, under the same numbers, these descriptors.

        Raises:
            OSError: it cannot be started, in neither way.
        """
        async with self._turn:
            if not self._is_lost:
                try:
                    return await self._fork(arguments, descriptors)
                except (OSError, ValueError, TimeoutError) as error:
                    log.warning(
                        "processes cannot be forked any more, so they load their code", extra={"why": str(error)}
                    )
                    self._lose()
        return await executed(arguments, descriptors)

    def close(self) -> None:
        """End it; the processes it forked go on."""
        self._connection.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    async def _fork(self, arguments: Sequence[str], descriptors: Sequence[int]) -> Running:
        asked = json.dumps({"arguments": list(arguments), "descriptors": list(descriptors)}).encode()
        socket.send_fds(self._connection, [asked], list(descriptors))
        async with asyncio.timeout(FORK_S):
            pid = int(await asyncio.get_running_loop().sock_recv(self._connection, LONGEST_MESSAGE))
        return Forked(pid)

    def _lose(self) -> None:
        # What it may still be about to fork would share the descriptors of what is started in its place.
        self._is_lost = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)


def _adopts_orphans() -> bool:
    """Have the system make us the parent of what our children leave behind."""
    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def _serve(connection: socket.socket) -> NoReturn:
    """Fork whenever asked, until the supervisor closes the connection or dies."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        asked, received, _, _ = socket.recv_fds(connection, LONGEST_MESSAGE, MOST_DESCRIPTORS)
        if not asked:
            os._exit(0)
        message = json.loads(asked)
        arguments: list[str] = message["arguments"]
        start.preload(arguments[0])
        # Objects that the collector never looks at are pages that stay shared.
        gc.freeze()
        if (pid := _forked()) == 0:
            connection.close()
            _take_over(received, message["descriptors"])
            _begin(arguments)
        for descriptor in received:
            os.close(descriptor)
        connection.send(str(pid).encode())


def _forked() -> int:
    """Fork twice: 0 in the process that goes on, whose parent has ended, and its process id here."""
    reading, writing = os.pipe()
    if (between := os.fork()) == 0:
        if (pid := os.fork()) == 0:
            os.close(reading)
            os.close(writing)
            return 0
        os.write(writing, str(pid).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(between, 0)
    pid = int(os.read(reading, 32))
    os.close(reading)
    return pid


def _take_over(received: Sequence[int], numbers: Sequence[int]) -> None:
    """Have the received descriptors under their senders' numbers, and no others but the standard ones."""
    above = max([2, *numbers, *received]) + 1
    copies = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, above) for descriptor in received]
    os.closerange(3, above)
    for copy, number in zip(copies, numbers, strict=True):
        os.dup2(copy, number, inheritable=False)
        os.close(copy)


def _begin(arguments: Sequence[str]) -> NoReturn:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # What `ps` and `top` call it: its command line is the supervisor's.
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"flyball-{arguments[0]}")
    start.main(arguments)
