"""A started process as its supervisor sees it, and how one is started by a command line of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias


class Running(Protocol):
    """A started process."""

    @property
    def returncode(self) -> int | None:
        """Its exit status, negative where a signal ended it; None while it runs."""

    def send_signal(self, number: int) -> None:
        """Send a signal; ProcessLookupError when it has ended."""

    def kill(self) -> None:
        """End it at once."""

    async def wait(self) -> int:
        """Its exit status, once it has ended."""


Launch: TypeAlias = Callable[[Sequence[str], Sequence[int]], Awaitable[Running]]
"""Starts a process with these arguments and, under the same numbers, these descriptors; OSError when it cannot."""


async def executed(arguments: Sequence[str], descriptors: Sequence[int]) -> Running:
    """Start a process that loads its code by itself: a second and more."""
    command = [sys.executable, "-m", "proxy.processes.start", *arguments]
    return await asyncio.create_subprocess_exec(*command, pass_fds=descriptors, start_new_session=True)


class Forked:
    """A child of this process that asyncio did not start, by its descriptor (Linux ≥ 5.3); needs a running loop.

    Raises:
        OSError: there is no such process.
    """

    def __init__(self, pid: int) -> None:
        self.returncode: int | None = None
        self._pid = pid
        self._handle = os.pidfd_open(pid)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._handle, self._reap)

    def send_signal(self, number: int) -> None:
        """Send a signal; ProcessLookupError when it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError(f"process {self._pid} has ended")
        signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._ended.set()
