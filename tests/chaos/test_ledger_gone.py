"""`ledger.sqlite` is gone and the rows are not: what was spent is spent still."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.core.money import exact_usd
from proxy.sim import SimProvider, SimServer, SimSettings
from tests.chaos.raw_client import RawClient
from tests.chaos.scene import budget, chat, sim_config, started


@pytest.fixture
def sim() -> Iterator[SimServer]:
    with SimServer(SimProvider(settings=SimSettings(speed=0))) as running:
        yield running


def test_a_state_file_that_is_gone_is_made_anew_from_the_rows(tmp_path: Path, sim: SimServer) -> None:
    async def calls() -> list[int]:
        client = RawClient(url=flyball.data)
        answers = await asyncio.gather(*(client.call(chat(f"call-{number}", stream=False)) for number in range(5)))
        return [answer.status for answer in answers]

    text = sim_config(sim.url)
    with started(tmp_path, text) as flyball:
        assert asyncio.run(calls()) == [200] * 5
        spent = sum(exact_usd(row["cost_usd"]) for row in flyball.wait_for_rows(5))
        before = budget(flyball)
    for path in flyball.home.glob("ledger.sqlite*"):
        path.unlink()
    with started(tmp_path, text) as flyball:
        after = budget(flyball)
        assert after["spent_nano"] == before["spent_nano"] == spent > 0
        assert after["id"] != before["id"]
        assert asyncio.run(calls()) == [200] * 5
