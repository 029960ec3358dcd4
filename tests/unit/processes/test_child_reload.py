"""A change of configuration does not kill a process that has not learned yet what SIGHUP means."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.processes.child import Child
from proxy.processes.folder import StateFolder


@pytest.fixture(autouse=True)
def hears_of_hangups() -> Iterator[None]:
    """Under `nohup` children would inherit that SIGHUP is ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


async def test_a_process_that_does_not_serve_yet_hears_of_it_when_it_does(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.make()
    folder.take_config("")
    dead: asyncio.Queue[str] = asyncio.Queue()
    names = iter(f"sim-{number}" for number in range(100))
    served: asyncio.Queue[str] = asyncio.Queue()
    child = Child(
        role="sim",
        arguments=lambda name: ["sim", f"--home={tmp_path}"],
        new_name=lambda: next(names),
        on_ready=lambda said: served.put_nowait(child.name),
        on_death=dead.put,
    )
    keeping = asyncio.get_running_loop().create_task(child.keep())
    async with asyncio.timeout(30):
        for _ in range(1000):
            if child._process is not None:
                break
            await asyncio.sleep(0.01)
        child.reload()
        # This role takes no configuration anew: SIGHUP ends it, but not before it served.
        assert await dead.get() == "sim-0"
        assert served.get_nowait() == "sim-0"
        assert await served.get() == "sim-1"
    assert child.restarts == 1
    await child.stop(signal.SIGTERM, 10)
    await keeping
