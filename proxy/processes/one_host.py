"""One host per state folder: SQLite's file, the spool and the embedded ClickHouse cannot be shared over a network.

The locks on the folder keep two of one host apart; whether a network file system carries them to others is its own
affair. So each host leaves a sign of life in the folder, and looks for another one's before it uses anything there.
"""

import asyncio
import contextlib
import json
import os
import platform
import time
from pathlib import Path
from typing import Final

from proxy.processes.locks import AlreadyRunning

BEAT_S: Final = 3.0
WATCHED_S: Final = 10.0
STALE_S: Final = 60.0
LOOK_S: Final = 0.2
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class HostSign:
    """The file `host` of a state folder: which host uses it, and a number that grows while it does."""

    def __init__(self, home: Path, host: str | None = None, *, watched_s: float = WATCHED_S) -> None:
        self._path = home / "host"
        self._host = host or this_host()
        self._watched_s = watched_s
        self._beats = 0

    async def take(self) -> None:
        """Begin to use the folder; watches another host's sign, if there is a fresh one, for as long as it may take.

        Raises:
            AlreadyRunning: another host lives there.
        """
        found = self._read()
        if found is not None and found[0] != self._host and self._is_fresh():
            until = time.monotonic() + self._watched_s
            while time.monotonic() < until:
                await asyncio.sleep(LOOK_S)
                if (now := self._read()) is not None and now != found:
                    raise AlreadyRunning(
                        f"another host ({now[0]}) uses the state folder {self._path.parent}, which cannot be shared: "
                        "give each host a folder of its own on a local disk, and set ledger.url to a Redis that all of "
                        "them share"
                    )
        await self.beat()

    async def beat(self) -> None:
        """Say that this host lives."""
        self._beats += 1
        draft = self._path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps([self._host, os.getpid(), self._beats]))
        os.replace(draft, self._path)

    def leave(self) -> None:
        """The folder is free for any host."""
        found = self._read()
        if found is not None and found[0] == self._host:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _is_fresh(self) -> bool:
        with contextlib.suppress(OSError):
            return time.time() - self._path.stat().st_mtime < STALE_S
        return False

    def _read(self) -> tuple[str, int, int] | None:
        try:
            host, pid, beats = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return None
        return str(host), int(pid), int(beats)


def this_host() -> str:
    """A name that this host has until it is started again, whatever its containers are called."""
    with contextlib.suppress(OSError):
        return BOOT.read_text().strip()
    return platform.node()
