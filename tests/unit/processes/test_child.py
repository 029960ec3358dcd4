"""One supervised process: a crash is logged and started again, an ordered end is not."""

import asyncio
import logging
import signal

import pytest

from proxy.processes.child import Child

BROKEN_ROLE = "no-such-role"


async def test_a_process_that_dies_is_started_again_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    """The log line once used a field name that logging reserves, and the error it raised ended the restarting."""
    names = iter(f"wrk_{number}" for number in range(100))
    dead: asyncio.Queue[str] = asyncio.Queue()

    child = Child(
        role=BROKEN_ROLE, arguments=lambda name: [BROKEN_ROLE], new_name=lambda: next(names), on_death=dead.put
    )
    keeping = asyncio.get_running_loop().create_task(child.keep())
    with caplog.at_level(logging.ERROR, "flyball.supervisor"):
        async with asyncio.timeout(30):
            assert [await dead.get(), await dead.get()] == ["wrk_0", "wrk_1"]
    await child.stop(signal.SIGTERM, 10)
    await keeping
    assert child.restarts >= 1
    told = [record for record in caplog.records if "started again" in record.getMessage()]
    assert vars(told[0])["incarnation"] == "wrk_0"
    assert vars(told[0])["exit"] == 2


async def test_stopping_what_was_never_started_is_in_order() -> None:
    child = Child(role=BROKEN_ROLE, arguments=lambda name: [BROKEN_ROLE], new_name=lambda: "wrk_1")
    assert await child.stop(signal.SIGTERM, 1)
    child.signal(signal.SIGHUP)
