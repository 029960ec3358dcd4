"""kill -9 of each process under load: calls are served on, and every call stands once, to the nano-dollar."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.core.money import exact_usd
from proxy.sim import SimProvider, SimServer
from proxy.sim.settings import SimSettings
from tests.chaos.load import Load, reached
from tests.chaos.raw_client import RawClient
from tests.chaos.scene import LEASE_S, balanced_books, sim_config, started, until_nothing_is_held
from tests.harness.flyball import Flyball

pytestmark = pytest.mark.alone

CALLERS = 16


@pytest.fixture
def sim() -> Iterator[SimServer]:
    with SimServer(SimProvider(settings=SimSettings(speed=2, keep_requests=100_000))) as running:
        yield running


def kill_one(flyball: Flyball, role: str) -> int:
    pid = flyball.pids(role)[0]
    os.kill(pid, signal.SIGKILL)
    return pid


async def until_replaced(flyball: Flyball, role: str, pid: int, count: int) -> float:
    began = time.monotonic()
    for _ in range(400):
        pids = flyball.pids(role)
        if len(pids) == count and pid not in pids:
            break
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def test_a_killed_worker_costs_its_own_calls_only(tmp_path: Path, sim: SimServer) -> None:
    """Its calls in flight become `lost` rows at their holds; no connection is refused; the others serve on."""
    with started(tmp_path, sim_config(sim.url, workers=2)) as flyball:
        client = RawClient(url=flyball.data)
        load = Load(client=client, callers=CALLERS)

        async def kill_twice() -> None:
            await asyncio.sleep(1.5)
            for _ in range(2):
                pid = kill_one(flyball, "worker")
                await until_replaced(flyball, "worker", pid, 2)
                await asyncio.sleep(1.5)

        asyncio.run(load.during(kill_twice))
        assert client.refused == 0
        settled_s = until_nothing_is_held(flyball)
        assert settled_s < LEASE_S
        seen = Counter(reached(sim))
        assert max(seen.values()) == 1
        # A call may have been held and not yet sent when its worker died: it is booked as lost all the same.
        names = {row["run"] for row in flyball.wait_for_rows(len(seen))}
        rows = balanced_books(flyball, len(names))
        assert seen.keys() <= rows.keys()
        assert len(rows) - len(seen) <= CALLERS
        outcomes = Counter(row["outcome"] for row in rows.values())
        assert outcomes.keys() == {"ok", "lost"}, outcomes
        assert 0 < outcomes["lost"] <= 2 * CALLERS
        for row in rows.values():
            if row["outcome"] == "lost":
                assert exact_usd(row["cost_usd"]) == exact_usd(row["held_usd"]) > 0
                assert row["usage_source"] == "estimated"
            else:
                assert row["cost_usd"] != "0"
        assert {name for name in load.served if rows[name]["outcome"] != "ok"} == set()
        killed = [name for name, answer in load.answers.items() if name not in load.served]
        assert len(killed) <= 2 * CALLERS
        assert len(load.served) > 4 * CALLERS


def test_a_killed_collector_ships_every_row_once(tmp_path: Path, sim: SimServer) -> None:
    with started(tmp_path, sim_config(sim.url, workers=2)) as flyball:
        load = Load(client=RawClient(url=flyball.data), callers=CALLERS)

        async def kill_thrice() -> None:
            for _ in range(3):
                await asyncio.sleep(1.5)
                pid = kill_one(flyball, "collector")
                await until_replaced(flyball, "collector", pid, 1)

        asyncio.run(load.during(kill_thrice))
        assert load.served == load.answers.keys()
        rows = balanced_books(flyball, len(load.answers))
        assert rows.keys() == load.answers.keys()
        assert {row["outcome"] for row in rows.values()} == {"ok"}


def test_a_killed_supervisor_takes_its_processes_along_and_the_next_one_accounts(
    tmp_path: Path, sim: SimServer
) -> None:
    """The next `serve` waits for the calls that the old workers still finish, and sweeps only then."""
    flyball = started(tmp_path, sim_config(sim.url, workers=2))
    flyball.start()
    load = Load(client=RawClient(url=flyball.data), callers=CALLERS)
    children = [pid for role in ("worker", "collector", "admin") for pid in flyball.pids(role)]
    killed_at = 0.0

    async def kill_and_start_again() -> None:
        nonlocal killed_at
        await asyncio.sleep(1.5)
        killed_at = time.monotonic()
        assert await asyncio.to_thread(flyball.stop, signal.SIGKILL) == -signal.SIGKILL

    asyncio.run(load.during(kill_and_start_again))
    with flyball:
        alive = [pid for pid in children if Path(f"/proc/{pid}").exists()]
        assert alive == []
        taken = {name for name, answer in load.answers.items() if answer.status}
        # What was under way was finished by the old workers, and nothing was cut.
        assert {name for name in taken if name not in load.served} == set()
        rows = balanced_books(flyball, len(set(reached(sim))))
        assert rows.keys() == load.served
        assert {row["outcome"] for row in rows.values()} == {"ok"}
