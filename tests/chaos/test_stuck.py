"""Nobody dies, but somebody stands still: a worker hangs, a client does not read, a disk takes nothing."""

import asyncio
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest

from proxy.core.money import exact_usd
from proxy.sim import SimProvider, SimServer
from proxy.sim.settings import SimSettings
from tests.chaos.raw_client import Answer, RawClient
from tests.chaos.scene import LEASE_S, balanced_books, budget, chat, config, sim_config, started, until_nothing_is_held

pytestmark = pytest.mark.alone

TOTAL_S: Final = 3


@pytest.fixture
def sim() -> Iterator[SimServer]:
    with SimServer(SimProvider(settings=SimSettings(speed=2, keep_requests=100_000))) as running:
        yield running


def test_a_client_that_does_not_read_is_given_up_with_its_call(tmp_path: Path, sim: SimServer) -> None:
    """It would hold money, a provider's connection and a buffer for as long as it likes."""
    providers = {"sim": {"base_url": sim.url, "profile": "sim", "total_timeout_s": TOTAL_S}}
    text = config(providers, {"sim-small": ("sim", "sim-small")})
    with started(tmp_path, text) as flyball:
        client = RawClient(url=flyball.data)
        split = urlsplit(flyball.data)
        with socket.socket() as mute:
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            mute.connect((split.hostname, split.port))
            mute.sendall(client.request(chat("mute", fault="huge=100000")))
            time.sleep(1)
            assert budget(flyball)["held_nano"] > 0
            assert until_nothing_is_held(flyball, TOTAL_S + 10) < TOTAL_S + 3
            row = balanced_books(flyball, 1)["mute"]
            # Which of the two depends on how much the kernel took in its stead.
            assert row["outcome"] in ("cancelled", "truncated"), row
            (seen,) = sim.provider.seen.requests
            assert seen.ending == "client_left"


def test_a_worker_that_hangs_is_killed_when_its_leases_run_out(tmp_path: Path, sim: SimServer) -> None:
    with started(tmp_path, sim_config(sim.url, workers=1)) as flyball:
        client = RawClient(url=flyball.data)
        (pid,) = flyball.pids("worker")

        async def hang() -> tuple[list[Answer], float]:
            async with asyncio.TaskGroup() as group:
                calls = [group.create_task(client.call(chat(f"call-{number}", tokens=400))) for number in range(5)]
                await asyncio.sleep(0.7)
                os.kill(pid, signal.SIGSTOP)
                stopped = time.monotonic()
                answer = await client.call(chat("afterwards", stream=False, tokens=1))
                assert answer.status == 200
            return [each.result() for each in calls], time.monotonic() - stopped

        answers, took = asyncio.run(hang())
        assert all(not answer.is_whole for answer in answers)
        assert took < LEASE_S + 5 + 5  # a lease, a look, and a start
        rows = balanced_books(flyball, 6)
        assert Counter(row["outcome"] for row in rows.values()) == {"lost": 5, "ok": 1}


def test_a_spool_that_cannot_be_written_stops_no_call_and_is_told(tmp_path: Path, sim: SimServer) -> None:
    with started(tmp_path, sim_config(sim.url, workers=1)) as flyball:
        client = RawClient(url=flyball.data)

        async def call(name: str) -> Answer:
            return await client.call(chat(name, stream=False, tokens=1))

        assert asyncio.run(call("before")).status == 200
        before = balanced_books(flyball, 1)["before"]
        (collector,) = flyball.pids("collector")
        away = flyball.home / "spool" / "open-away"
        (flyball.home / "spool" / "open").rename(away)
        (flyball.home / "spool" / "open").write_text("no folder")
        time.sleep(1.5)  # a segment is open for a second
        assert asyncio.run(call("lost")).status == 200
        ready = httpx.get(flyball.data + "/readyz").json()
        assert ready["dependencies"]["spool"] == "dropping"
        (flyball.home / "spool" / "open").unlink()
        away.rename(flyball.home / "spool" / "open")
        time.sleep(1.1)  # a folder that failed is tried again after a second
        assert asyncio.run(call("after")).status == 200
        assert flyball.pids("collector") == [collector]
        rows = {row["run"]: row for row in flyball.wait_for_rows(2)}
        assert rows.keys() == {"before", "after"}
        state = budget(flyball)
        assert state["held_nano"] == 0
        # The ledger is never lossy: it has the call whose row was lost.
        assert state["spent_nano"] > exact_usd(before["cost_usd"]) + exact_usd(rows["after"]["cost_usd"])
        metrics = httpx.get(
            flyball.admin_url + "/metrics", headers={"authorization": f"Bearer {flyball.secret('admin-token')}"}
        )
        assert 'flyball_rows_dropped_total{table="operations",reason="disk"} 1' in metrics.text
