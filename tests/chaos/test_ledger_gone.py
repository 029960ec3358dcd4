"""`ledger.sqlite` is gone and the rows are not: what was spent is spent still."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from proxy.core.money import exact_usd
from proxy.sim import SimProvider, SimServer, SimSettings
from tests.chaos.hosts import until
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


def test_a_new_ledger_without_a_store_to_ask_stays_shut_and_says_why(tmp_path: Path, sim: SimServer) -> None:
    nobody = {"url": "http://flyball:x@127.0.0.1:9/flyball"}
    flyball = started(tmp_path, sim_config(sim.url, telemetry=nobody))

    async def status() -> int:
        return (await RawClient(url=flyball.data).call(chat("early", stream=False))).status

    def starting() -> None:
        with suppress(RuntimeError, AttributeError):  # stopped below, before it was ready
            flyball.start()

    flyball.log.touch()
    thread = threading.Thread(target=starting)
    thread.start()
    try:
        until(lambda: "no call is taken until the telemetry store can tell" in flyball.log.read_text(), 40)
        until(lambda: "data" in flyball.endpoints(), 40)
        until(lambda: httpx.get(flyball.data + "/readyz", timeout=20).status_code == 503, 20)
        assert asyncio.run(status()) == 503
    finally:
        flyball.stop()
        thread.join(70)
