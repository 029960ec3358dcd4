"""A duty goes on whatever happens in it."""

import asyncio
import logging

import pytest

from proxy.processes.duty import repeated


async def test_a_duty_that_fails_is_done_again(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    async def step() -> None:
        done.append(len(done))
        if len(done) < 4:
            raise OSError("the disk is full")

    with caplog.at_level(logging.ERROR):
        task = asyncio.get_running_loop().create_task(repeated(step, 0.001))
        for _ in range(1000):
            if len(done) > 6:
                break
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(done) > 6
    # Told once, not at every turn.
    assert [record.message for record in caplog.records] == ["a duty failed and is done again"]
