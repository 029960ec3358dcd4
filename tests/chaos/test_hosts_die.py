"""kill -9 on one of two hosts: what it held is free within a lease, each call has one row, spent is what rows say."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.sim import SimProvider, SimServer, SimSettings
from tests.chaos.hosts import booked, budget, config, hosts, kill_host, rows_of_all, until
from tests.chaos.raw_client import RawClient
from tests.chaos.scene import LEASE_S, chat
from tests.contract.ledger.redis_server import RedisServer, served
from tests.harness.flyball import Flyball

pytestmark = pytest.mark.alone

LOOKED_AT_S = 5 + 2 * 2 + 3
"""How long another host waits for a sign of life after a lease, two sweeps, and a busy machine."""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with served() as server:
        yield server


@pytest.fixture
def both(tmp_path: Path, redis: RedisServer) -> Iterator[list[Flyball]]:
    with (
        SimServer(SimProvider(settings=SimSettings(speed=2, keep_requests=100_000))) as sim,
        hosts(tmp_path, config(sim.url, redis.tcp_url)) as made,
    ):
        yield made


async def calls_on(flyball: Flyball, name: str, count: int) -> list[int]:
    """Streams that last some seconds; the status of each, 0 where there was none."""
    client = RawClient(url=flyball.data)
    answers = await asyncio.gather(
        *(client.call(chat(f"{name}-{number}", tokens=600)) for number in range(count)), return_exceptions=True
    )
    return [0 if isinstance(each, BaseException) else each.status for each in answers]


def test_a_killed_worker_and_a_killed_host_leave_nothing_behind(both: list[Flyball]) -> None:
    one, two = both

    async def scene() -> float:
        async with asyncio.TaskGroup() as group:
            for each, name in ((one, "one"), (two, "two")):
                group.create_task(calls_on(each, name, 20))
            await asyncio.sleep(0.5)
            os.kill(two.pids("worker")[0], signal.SIGKILL)
            await asyncio.sleep(0.5)
            died = time.monotonic()
            await asyncio.to_thread(kill_host, one)
        return died

    died = asyncio.run(scene())
    until(lambda: budget(two)["held_nano"] == 0, LEASE_S + LOOKED_AT_S)
    assert time.monotonic() - died < LEASE_S + LOOKED_AT_S
    # It comes back with rows of its own in its spool: what the other host took for lost stands there once.
    one.start()
    asyncio.run(calls_on(one, "again", 2))
    until(lambda: budget(two)["held_nano"] == 0, 20)
    rows = rows_of_all(both, 42)
    outcomes = Counter(row["outcome"] for row in rows.values())
    assert outcomes["lost"] >= 20
    assert outcomes["ok"] + outcomes["lost"] + outcomes["cancelled"] == 42, outcomes
    assert [budget(each)["spent_nano"] for each in both] == [booked(rows)] * 2


def test_a_host_that_starts_again_leaves_the_other_ones_calls_alone(both: list[Flyball]) -> None:
    one, two = both

    async def scene() -> list[int]:
        async with asyncio.TaskGroup() as group:
            calls = group.create_task(calls_on(one, "one", 10))
            await asyncio.sleep(0.5)
            await asyncio.to_thread(two.stop)
            await asyncio.to_thread(two.start)
        return calls.result()

    assert asyncio.run(scene()) == [200] * 10
    rows = rows_of_all(both, 10)
    assert Counter(row["outcome"] for row in rows.values()) == {"ok": 10}
    until(lambda: budget(one)["held_nano"] == 0, 5)
    assert budget(one)["spent_nano"] == booked(rows)
