"""ClickHouse away, silent, and forgetting what it was told: calls are served, and every row stands there once."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.sim import SimProvider, SimServer
from proxy.sim.settings import SimSettings
from tests.chaos.load import Load
from tests.chaos.raw_client import RawClient
from tests.chaos.relay import Relay
from tests.chaos.scene import balanced_books, sim_config, started
from tests.harness.flyball import Flyball

INSERT_S = 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Flyball]:
    """A Flyball that is only there for its ClickHouse."""
    with started(tmp_path / "store", sim_config("http://127.0.0.1:9/v1")) as running:
        yield running


@pytest.fixture
def sim() -> Iterator[SimServer]:
    with SimServer(SimProvider(settings=SimSettings(speed=4, keep_requests=100_000))) as running:
        yield running


def over(relay: Relay, store: Flyball, sim: SimServer, folder: Path) -> Flyball:
    """A Flyball whose ClickHouse is the store, behind the relay."""
    telemetry = {
        "url": f"http://flyball@127.0.0.1:{relay.port}/flyball",
        "password_file": str(store.home / "clickhouse-password"),
        "insert_timeout_s": INSERT_S,
    }
    flyball = started(folder, sim_config(sim.url, workers=2, telemetry=telemetry))
    flyball.home.mkdir(mode=0o700)
    password = flyball.home / "clickhouse-password"
    password.touch(mode=0o600)
    password.write_text(store.secret("clickhouse-password"))
    return flyball


@pytest.mark.timeout(180)
def test_clickhouse_comes_back_and_has_every_row_once(tmp_path: Path, store: Flyball, sim: SimServer) -> None:
    with (
        # There at first: a new ledger takes no call before the store has said what calls there were.
        Relay(store.endpoints()["clickhouse"], "up") as relay,
        over(relay, store, sim, tmp_path / "main") as flyball,
    ):
        relay.mode = "refusing"
        load = Load(client=RawClient(url=flyball.data), callers=8)

        async def come_and_go() -> None:
            await asyncio.sleep(2)
            relay.mode = "up"
            await until(lambda: figures(flyball).get("shipped_rows", 0) > 0)
            relay.mode = "silent"
            await asyncio.sleep(2 * INSERT_S)
            relay.mode = "forgetful"
            await until(lambda: relay.forgotten >= 3)
            relay.mode = "refusing"
            await asyncio.sleep(1)
            relay.mode = "up"

        asyncio.run(load.during(come_and_go))
        assert load.served == load.answers.keys()
        assert relay.refused > 0
        rows = balanced_books(flyball, len(load.answers))
        assert rows.keys() == load.answers.keys()
        asyncio.run(until(lambda: figures(flyball)["sealed_segments"] == 0))
        assert (figures(flyball)["rejected_segments"], figures(flyball)["away"]) == (0, False)


def figures(flyball: Flyball) -> dict[str, Any]:
    """What the collector says of itself; nothing before it says anything."""
    try:
        told = json.loads((flyball.home / "spool" / "collector.json").read_text())
    except OSError:
        return {}
    assert isinstance(told, dict)
    return told


async def until(reached: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
