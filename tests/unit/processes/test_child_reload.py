"""A change of configuration does not kill a process that has not learned yet what SIGHUP means."""

import asyncio
import signal
from pathlib import Path

from proxy.processes.child import Child
from proxy.processes.folder import StateFolder


async def test_a_process_that_does_not_serve_yet_hears_of_it_when_it_does(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.make()
    folder.take_config("")
    dead: asyncio.Queue[str] = asyncio.Queue()
    names = iter(f"sim-{number}" for number in range(100))
    served_by: list[str] = []
    child = Child(
        role="sim",
        arguments=lambda name: ["sim", f"--home={tmp_path}"],
        new_name=lambda: next(names),
        on_ready=lambda said: served_by.append(child.name),
        on_death=dead.put,
    )
    keeping = asyncio.get_running_loop().create_task(child.keep())
    async with asyncio.timeout(30):
        while child._process is None:
            await asyncio.sleep(0.01)
        child.reload()
        # This role takes no configuration anew: SIGHUP ends it, but not before it served.
        assert await dead.get() == "sim-0"
        assert served_by == ["sim-0"]
        while len(served_by) < 2:
            await asyncio.sleep(0.01)
    assert child.restarts == 1
    await child.stop(signal.SIGTERM, 10)
    await keeping
