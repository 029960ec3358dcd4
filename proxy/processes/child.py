"""One supervised process: started, watched, started again when it dies."""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.processes.running import Launch, Running, executed

READY_DEADLINE_S: Final = 60.0
BACKOFF_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
STEADY_S: Final = 30.0
log = logging.getLogger("flyball.supervisor")

OnReady = Callable[[dict[str, Any]], None]
OnDeath = Callable[[str], Awaitable[None]]


async def _nothing(name: str) -> None:
    return None


@dataclass(kw_only=True, eq=False)
class Child:
    """A process of ours. `arguments` makes the command line of an incarnation, `name` says which one lives.

    The child gets the descriptors `inherited`, a pipe that closes when we die, and a pipe on which it says once that
    it is ready.
    """

    role: str
    arguments: Callable[[str], Sequence[str]]
    new_name: Callable[[], str]
    inherited: Sequence[int] = ()
    launch: Launch = executed
    on_ready: OnReady = field(default=lambda said: None)
    on_death: OnDeath = field(default=_nothing)
    name: str = ""
    restarts: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _process: Running | None = None
    _ending: asyncio.Event = field(default_factory=asyncio.Event)
    _serves: bool = False
    _is_stale: bool = False

    async def keep(self) -> None:
        """Run incarnation after incarnation until `stop`; a crash is logged with its exit status."""
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._ending.is_set():
            self.name = self.new_name()
            began = loop.time()
            status = await self._live()
            await self.on_death(self.name)
            if self._ending.is_set():
                return
            failures = 0 if loop.time() - began > STEADY_S else failures + 1
            self.restarts += 1
            wait_s = BACKOFF_S[min(failures, len(BACKOFF_S)) - 1] if failures else 0.0
            log.error(
                "a process died and is started again",
                extra={"role": self.role, "incarnation": self.name, "exit": status, "wait_s": wait_s},
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._ending.wait()

    def signal(self, number: int) -> None:
        """Send a signal to the living incarnation."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def reload(self) -> None:
        """Tell the living incarnation to take a new configuration; one that does not serve yet would die of SIGHUP."""
        self._is_stale = True
        if self._serves:
            self._is_stale = False
            self.signal(signal.SIGHUP)

    async def stop(self, number: int, deadline_s: float) -> bool:
        """End the process and start no other; false when it had to be killed after the deadline."""
        self._ending.set()
        process = self._process
        if process is None or process.returncode is not None:
            return True
        process.send_signal(number)
        try:
            async with asyncio.timeout(deadline_s):
                status = await process.wait()
        except TimeoutError:
            process.kill()
            status = await process.wait()
        # Before it serves it has nothing to end in order, and dies of the signal.
        if status != 0 and self._serves:
            log.error("a process did not end in order", extra={"role": self.role, "exit": status})
        return status == 0 or not self._serves

    async def _live(self) -> int:
        alive_read, alive_write = os.pipe()
        ready_read, ready_write = os.pipe()
        descriptors = [*self.inherited, alive_read, ready_write]
        arguments = [*self.arguments(self.name), f"--alive-fd={alive_read}", f"--ready-fd={ready_write}"]
        self._serves = self._is_stale = False
        try:
            self._process = await self.launch(arguments, descriptors)
        except OSError as error:
            log.error("a process cannot be started", extra={"role": self.role, "error": str(error)})
            for descriptor in (alive_write, ready_read):
                os.close(descriptor)
            return -1
        finally:
            os.close(alive_read)
            os.close(ready_write)
        if self._ending.is_set():
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
        reader = asyncio.get_running_loop().create_task(self._hear(ready_read))
        try:
            return await self._process.wait()
        finally:
            reader.cancel()
            os.close(alive_write)

    async def _hear(self, descriptor: int) -> None:
        """Wait for the child's one line that says it is ready, and where it listens."""
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", 0)
        )
        try:
            line = await stream.readline()
            if line:
                self._serves = True
                self.on_ready(json.loads(line))
                self.ready.set()
                if self._is_stale:
                    self.reload()
        finally:
            transport.close()
