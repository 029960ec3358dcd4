"""SIGTERM under load: what runs may finish, what cannot is cut, told and billed; nothing is left behind."""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from proxy.core.money import exact_usd
from proxy.sim import SimProvider, SimServer
from proxy.sim.settings import SimSettings
from tests.chaos.load import Load, reached
from tests.chaos.raw_client import Answer, RawClient
from tests.chaos.scene import balanced_books, chat, sim_config, started
from tests.harness.flyball import Flyball

pytestmark = pytest.mark.alone

SHUTDOWN_S: Final = 3


@pytest.fixture
def sim() -> Iterator[SimServer]:
    with SimServer(SimProvider(settings=SimSettings(speed=2, keep_requests=100_000))) as running:
        yield running


async def stopped(flyball: Flyball) -> tuple[int, float]:
    """Stop it; its exit status, and how long that took."""
    began = time.monotonic()
    status = await asyncio.to_thread(flyball.stop, signal.SIGTERM)
    return status, time.monotonic() - began


def test_what_runs_finishes_and_nothing_new_begins(tmp_path: Path, sim: SimServer) -> None:
    """R13.3: no stream within the deadline is broken, no row lost, exit 0, nothing held."""
    flyball = started(tmp_path, sim_config(sim.url, workers=2, server={"shutdown_s": SHUTDOWN_S}))
    flyball.start()
    load = Load(client=RawClient(url=flyball.data), callers=16)
    ended: list[tuple[int, float]] = []

    async def stop() -> None:
        await asyncio.sleep(1.5)
        ended.append(await stopped(flyball))

    asyncio.run(load.during(stop))
    ((status, seconds),) = ended
    assert status == 0, flyball.log.read_text()[-3000:]
    assert seconds < SHUTDOWN_S + 5
    asked = {name for name, answer in load.answers.items() if answer.raw}
    assert asked == load.served
    assert load.client.refused > 0
    with flyball:
        rows = balanced_books(flyball, len(asked))
        assert rows.keys() == asked == set(reached(sim))
        assert {row["outcome"] for row in rows.values()} == {"ok"}


def test_what_is_longer_than_the_deadline_is_cut_told_and_settled(tmp_path: Path, sim: SimServer) -> None:
    flyball = started(
        tmp_path, sim_config(sim.url, workers=1, server={"shutdown_s": SHUTDOWN_S}, metering={"margin_percent": 0})
    )
    flyball.start()
    client = RawClient(url=flyball.data)
    calls = {
        "long-stream": chat("long-stream", tokens=900, fault="slow=0.1"),
        "silent-stream": chat("silent-stream", fault="slow=60"),
        "long-whole": chat("long-whole", stream=False, fault="slow=60"),
    }

    async def call_and_stop() -> tuple[list[Answer], int, float]:
        async with asyncio.TaskGroup() as group:
            answering = [group.create_task(client.call(body, seconds=30)) for body in calls.values()]
            await asyncio.sleep(1)
            status, seconds = await stopped(flyball)
        return [task.result() for task in answering], status, seconds

    answers, status, seconds = asyncio.run(call_and_stop())
    assert status == 0, flyball.log.read_text()[-3000:]
    assert SHUTDOWN_S < seconds < SHUTDOWN_S + 4
    long, *unanswered = answers
    assert long.status == 200
    assert long.is_whole
    *_, last = long.body.rstrip().split(b"\n\n")
    error = json.loads(last.removeprefix(b"data: "))["error"]
    assert error["code"] == "upstream_truncated"
    assert "Flyball stopped" in error["message"]
    for answer in unanswered:
        assert answer.status == 503
        assert json.loads(answer.body)["error"]["code"] == "shutting_down"
        assert answer.headers["retry-after"] == "1"
    with flyball:
        rows = balanced_books(flyball, len(calls))
        assert Counter(row["outcome"] for row in rows.values()) == {"truncated": 3}
        (seen,) = [each for each in sim.provider.seen.requests if b"long-stream" in each.body]
        assert abs(int(rows["long-stream"]["output_tokens"]) - seen.sent_tokens) <= seen.sent_tokens / 10
        for name in ("silent-stream", "long-whole"):
            assert exact_usd(rows[name]["cost_usd"]) == exact_usd(rows[name]["held_usd"])
            assert rows[name]["code"] == "shutting_down"


def test_it_ends_while_a_worker_waits_to_be_started_again(tmp_path: Path, sim: SimServer) -> None:
    """A worker that dies again and again is started with growing pauses; none is started after the end."""
    flyball = started(tmp_path, sim_config(sim.url, workers=1))
    flyball.start()
    for _ in range(4):
        for _ in range(200):
            if pids := flyball.pids("worker"):
                break
            time.sleep(0.02)
        os.kill(pids[0], signal.SIGKILL)
        time.sleep(0.1)
    assert flyball.pids("worker") == []
    began = time.monotonic()
    assert flyball.stop() == 0
    assert time.monotonic() - began < 10
