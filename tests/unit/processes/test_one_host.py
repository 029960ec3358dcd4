"""A state folder is one host's: another one that lives there is noticed, one that died is not waited for for long."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from proxy.processes.locks import AlreadyRunning
from proxy.processes.one_host import STALE_S, HostSign, this_host


async def test_a_second_host_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    first, second = HostSign(tmp_path, "one"), HostSign(tmp_path, "two", watched_s=5)
    await first.take()

    async def live() -> None:
        while True:
            await asyncio.sleep(0.1)
            await first.beat()

    async with asyncio.TaskGroup() as group:
        living = group.create_task(live())
        with pytest.raises(AlreadyRunning, match=r"another host \(one\) uses the state folder"):
            await second.take()
        living.cancel()


@pytest.mark.alone
async def test_one_that_died_is_followed_after_a_look(tmp_path: Path) -> None:
    await HostSign(tmp_path, "one").take()
    began = time.monotonic()
    await HostSign(tmp_path, "two", watched_s=0.5).take()
    assert 0.5 <= time.monotonic() - began < 3


@pytest.mark.alone
async def test_one_that_is_long_gone_or_left_or_is_ourselves_is_not_waited_for(tmp_path: Path) -> None:
    first, second = HostSign(tmp_path, "one"), HostSign(tmp_path, "two")
    began = time.monotonic()
    await first.take()
    long_ago = time.time() - STALE_S - 1
    os.utime(tmp_path / "host", (long_ago, long_ago))
    await second.take()
    await HostSign(tmp_path, "two").take()
    second.leave()
    await first.take()
    second.leave()
    assert (tmp_path / "host").exists()
    assert time.monotonic() - began < 2


def test_a_host_has_a_name() -> None:
    assert this_host()
