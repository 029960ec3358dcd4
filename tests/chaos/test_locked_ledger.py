"""The ledger locked by another process: calls wait a little, then get 503; nothing is lost or booked twice."""

import asyncio
import json
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from proxy.sim import SimProvider, SimServer
from proxy.sim.settings import SimSettings
from tests.chaos.load import Load
from tests.chaos.raw_client import Answer, RawClient
from tests.chaos.scene import balanced_books, chat, sim_config, started, until_nothing_is_held
from tests.harness.flyball import Flyball

pytestmark = pytest.mark.alone

PATIENCE_S: Final = 1.0
SLACK_S: Final = 1.0
"""For a machine that is busy with other tests; alone it is a few hundredths."""


@pytest.fixture
def sim() -> Iterator[SimServer]:
    with SimServer(SimProvider(settings=SimSettings(speed=2, keep_requests=100_000))) as running:
        yield running


@asynccontextmanager
async def locked(flyball: Flyball) -> AsyncIterator[None]:
    """Hold the write lock of the state file, as a backup or a person with a shell might."""
    connection = sqlite3.connect(flyball.home / "ledger.sqlite", isolation_level=None, timeout=5)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def test_a_short_lock_delays_and_a_long_one_is_told(tmp_path: Path, sim: SimServer) -> None:
    with started(tmp_path, sim_config(sim.url, workers=2)) as flyball:
        client = RawClient(url=flyball.data)

        async def call(name: str) -> Answer:
            return await client.call(chat(name, stream=False, tokens=1))

        async def short_lock() -> list[Answer]:
            async with asyncio.TaskGroup() as group, locked(flyball):
                calls = [group.create_task(call(f"short-{number}")) for number in range(6)]
                await asyncio.sleep(0.3)
            return [each.result() for each in calls]

        async def long_lock() -> tuple[list[Answer], Answer]:
            async with asyncio.TaskGroup() as group, locked(flyball):
                calls = [group.create_task(call(f"long-{number}")) for number in range(6)]
                await asyncio.sleep(3)
                assert all(each.done() for each in calls)
            return [each.result() for each in calls], await call("afterwards")

        for answer in asyncio.run(short_lock()):
            assert answer.status == 200
            assert 0.3 <= answer.seconds < 0.3 + SLACK_S
        refused, afterwards = asyncio.run(long_lock())
        for answer in refused:
            assert answer.status == 503
            assert PATIENCE_S - 0.1 < answer.seconds < PATIENCE_S + SLACK_S
            assert answer.headers["retry-after"] == "1"
            error = json.loads(answer.body)["error"]
            assert (error["code"], error["type"]) == ("dependency_unavailable", "service_unavailable")
            assert error["flyball"]["dependency"] == "ledger"
        assert afterwards.status == 200
        rows = balanced_books(flyball, 13)
        assert Counter((row["outcome"], row["code"]) for row in rows.values()) == {
            ("ok", ""): 7,
            ("refused", "dependency_unavailable"): 6,
        }


def test_what_was_answered_while_it_was_locked_is_settled_later(tmp_path: Path, sim: SimServer) -> None:
    with started(tmp_path, sim_config(sim.url, workers=1)) as flyball:
        client = RawClient(url=flyball.data)

        async def answer_under_lock() -> tuple[list[Answer], Any]:
            async with asyncio.TaskGroup() as group:
                stream = group.create_task(client.call(chat("stream", tokens=100)))
                whole = group.create_task(client.call(chat("whole", stream=False, tokens=100)))
                await asyncio.sleep(0.4)
                async with locked(flyball):
                    await asyncio.wait([stream, whole])
                    await asyncio.sleep(1.5)
                    ready = (await asyncio.to_thread(httpx.get, flyball.data + "/readyz")).json()
            return [stream.result(), whole.result()], ready

        (stream, whole), ready = asyncio.run(answer_under_lock())
        assert stream.status == whole.status == 200
        assert stream.is_whole
        assert whole.is_whole
        assert stream.body.endswith(b"data: [DONE]\n\n")
        # The stream owes nothing to the ledger any more; a whole answer waits for it no longer than its patience.
        assert whole.seconds < 1.5 + PATIENCE_S
        assert (ready["status"], ready["dependencies"]["ledger"]) == ("not_ready", "unavailable")
        assert until_nothing_is_held(flyball) < 2.5
        rows = balanced_books(flyball, 2)
        assert {row["outcome"] for row in rows.values()} == {"ok"}


def test_what_could_not_be_settled_before_the_end_is_settled_at_the_next_start(tmp_path: Path, sim: SimServer) -> None:
    """The rows of such calls are not shipped before: taken for lost, they would stand there twice."""
    flyball = started(tmp_path, sim_config(sim.url, workers=1))
    flyball.start()
    client = RawClient(url=flyball.data)

    async def stop_under_lock() -> int:
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(client.call(chat(f"call-{number}", tokens=100))) for number in range(5)]
            await asyncio.sleep(0.4)
            async with locked(flyball):
                await asyncio.wait(calls)
                status = await asyncio.to_thread(flyball.stop, signal.SIGTERM)
        assert all(call.result().is_whole for call in calls)
        return status

    asyncio.run(stop_under_lock())
    with flyball:
        rows = balanced_books(flyball, 5)
        assert {row["outcome"] for row in rows.values()} == {"ok"}


def test_a_worker_that_dies_while_it_is_locked_is_swept_when_it_is_free(tmp_path: Path, sim: SimServer) -> None:
    """The worker is started again at once; its lost calls stand there once, although the sweep is done twice."""
    with started(tmp_path, sim_config(sim.url, workers=1)) as flyball:
        client = RawClient(url=flyball.data)
        (pid,) = flyball.pids("worker")

        async def kill_under_lock() -> Answer:
            async with asyncio.TaskGroup() as group:
                for number in range(5):
                    group.create_task(client.call(chat(f"call-{number}", tokens=800)))
                await asyncio.sleep(0.7)
                async with locked(flyball):
                    os.kill(pid, signal.SIGKILL)
                    await asyncio.sleep(2.5)
            return await client.call(chat("afterwards", stream=False, tokens=1))

        assert asyncio.run(kill_under_lock()).status == 200
        assert until_nothing_is_held(flyball) < 10
        rows = balanced_books(flyball, 6)
        assert Counter(row["outcome"] for row in rows.values()) == {"lost": 5, "ok": 1}


def test_under_load_a_lock_costs_no_books(tmp_path: Path, sim: SimServer) -> None:
    with started(tmp_path, sim_config(sim.url, workers=2)) as flyball:
        load = Load(client=RawClient(url=flyball.data), callers=16)

        async def lock_often() -> None:
            for seconds in (0.3, 1.6, 0.1, 2.2):
                await asyncio.sleep(0.5)
                async with locked(flyball):
                    await asyncio.sleep(seconds)

        asyncio.run(load.during(lock_often))
        rows = balanced_books(flyball, len(load.answers))
        assert Counter(answer.status for answer in load.answers.values()).keys() == {200, 503}
        assert {name for name, row in rows.items() if row["outcome"] == "ok"} == load.served
