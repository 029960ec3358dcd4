"""The child's side of supervision: saying that it is ready, and not outliving its supervisor."""

import asyncio
import json
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Parent:
    """The two pipes to the supervisor; -1 where a process was started alone."""

    alive_fd: int = -1
    ready_fd: int = -1

    def say_ready(self, said: dict[str, Any]) -> None:
        """Tell the supervisor, once, that this process serves, and where."""
        if self.ready_fd >= 0:
            os.write(self.ready_fd, json.dumps(said).encode() + b"\n")
            os.close(self.ready_fd)

    def stop_with_it(self) -> None:
        """When the supervisor dies, however it dies, end as on SIGTERM."""
        if self.alive_fd >= 0:
            asyncio.get_running_loop().add_reader(self.alive_fd, self._orphaned)

    def die_with_it(self) -> None:
        """The same for a process whose event loop is not ours: a thread waits for the pipe to close."""
        if self.alive_fd >= 0:
            threading.Thread(target=self._wait_orphaned, daemon=True).start()

    def _wait_orphaned(self) -> None:
        os.read(self.alive_fd, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self.alive_fd)
        os.kill(os.getpid(), signal.SIGTERM)
