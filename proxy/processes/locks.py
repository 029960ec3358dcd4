"""One Flyball per role and state folder, also while the processes of one that died still finish their calls."""

import asyncio
import contextlib
import fcntl
import logging
from collections.abc import AsyncIterator, Mapping
from typing import IO, Final

from proxy.processes.folder import StateFolder

LOOK_EVERY_S: Final = 0.1
log = logging.getLogger("flyball.supervisor")


class AlreadyRunning(Exception):
    """Another Flyball uses this state folder."""


@contextlib.asynccontextmanager
async def only_one(folder: StateFolder, roles: frozenset[str], orphans_s: float) -> AsyncIterator[Mapping[str, int]]:
    """Hold two locks per role: one for the supervisor, and one that it shares with its children by its descriptor.

    The second outlives a supervisor that is killed, until its last child has ended: only then may holds be swept
    and rows be salvaged. Two supervisors may share a state folder, but never a role in it. `orphans_s` is how long
    such children are waited for.

    Raises:
        AlreadyRunning: another supervisor lives, or the children of a dead one do not end.
    """
    with contextlib.ExitStack() as locks:
        for role in sorted(roles):
            supervising = locks.enter_context((folder.home / f"lock-{role}").open("a+"))
            if not _locked(supervising):
                raise AlreadyRunning(
                    f"another flyball serves from {folder.home} (its addresses: {folder.endpoints_file}); "
                    "stop it, or set FLYBALL_HOME to another folder"
                )
        shared: dict[str, int] = {}
        for role in sorted(roles):
            living = locks.enter_context((folder.home / f"lock-{role}-processes").open("a+"))
            await _wait_for_orphans(living, role, folder, orphans_s)
            shared[role] = living.fileno()
        yield shared


async def _wait_for_orphans(living: IO[str], role: str, folder: StateFolder, orphans_s: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + orphans_s
    told = False
    while not _locked(living):
        if loop.time() > deadline:
            raise AlreadyRunning(
                f"a {role} of an earlier flyball still runs on {folder.home} though its supervisor is gone; "
                "find it with `ps` and end it"
            )
        if not told:
            told = True
            log.warning("waiting for the processes of a flyball that died to end", extra={"role": role})
        await asyncio.sleep(LOOK_EVERY_S)


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
