"""The file changed, broken and mended under load; a key revoked; a worker that dies while the file is broken."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from proxy.sim import SimProvider, SimServer
from proxy.sim.settings import SimSettings
from tests.chaos.load import Load
from tests.chaos.raw_client import Answer, RawClient
from tests.chaos.scene import balanced_books, chat, sim_config, started
from tests.harness.flyball import Flyball

TAKEN_S: Final = 2.0
REVOKED_S: Final = 5.0
OTHER_KEY: Final = "fb-test-key-that-comes-later-0123456789abcd"
AGREED: Final = 12
"""So many calls in a row, each on a connection of its own, that every worker has had its say."""


@pytest.fixture
def sim() -> Iterator[SimServer]:
    with SimServer(SimProvider(settings=SimSettings(speed=4, keep_requests=100_000))) as running:
        yield running


@pytest.fixture
def flyball(tmp_path: Path, sim: SimServer) -> Iterator[Flyball]:
    with started(tmp_path, sim_config(sim.url, workers=2), OTHER_KEY=OTHER_KEY) as running:
        yield running


def rewrite(flyball: Flyball, change: Callable[[dict[str, Any]], None]) -> None:
    whole = json.loads(flyball.config.read_text())
    change(whole)
    draft = flyball.config.with_suffix(".draft")
    draft.write_text(json.dumps(whole))
    os.replace(draft, flyball.config)


async def until_all_agree(call: Callable[[], Awaitable[Answer]], status: int, seconds: float) -> float:
    """Call until every worker answers with this status; how long that took."""
    began = time.monotonic()
    agreed, last = 0, began
    while agreed < AGREED:
        answer = await call()
        agreed = agreed + 1 if answer.status == status else 0
        if agreed == 0:
            last = time.monotonic()
        assert time.monotonic() - began < seconds + 5, f"{answer.status} {answer.body[:300]!r}"
    return last - began


def probe(client: RawClient, counter: list[int], model: str = "sim-small") -> Callable[[], Awaitable[Answer]]:
    async def call() -> Answer:
        counter[0] += 1
        return await client.call(
            chat(f"probe-{client.key[-3:]}-{model}-{counter[0]}", model=model, stream=False, tokens=1)
        )

    return call


def test_a_changed_file_is_taken_by_all_workers_and_streams_go_on(flyball: Flyball, sim: SimServer) -> None:
    """A key, a route, a provider and a budget, one after the other; then the key goes again."""
    load = Load(client=RawClient(url=flyball.data), callers=6)
    later, known, count = RawClient(url=flyball.data, key=OTHER_KEY), RawClient(url=flyball.data), [0]

    def add_key(whole: dict[str, Any]) -> None:
        whole["tenants"][0]["teams"][0]["keys"].append({"name": "later", "key_env": "OTHER_KEY"})

    def add_route(whole: dict[str, Any]) -> None:
        whole["providers"]["second"] = {"base_url": sim.url, "profile": "sim"}
        whole["routes"].append({"model": "new-name", "targets": [{"provider": "second", "model": "sim-small"}]})

    def add_budget(whole: dict[str, Any]) -> None:
        whole["budgets"].append(
            {"name": "tiny", "scope": "key:acme/t/later", "window": "total", "limit_usd": 0.000000001}
        )

    def remove_key(whole: dict[str, Any]) -> None:
        whole["tenants"][0]["teams"][0]["keys"].pop()
        whole["budgets"].pop()

    took: dict[str, float] = {}

    async def change() -> None:
        await asyncio.sleep(0.5)
        steps = (
            (add_key, probe(later, count), 200),
            (add_route, probe(known, count, "new-name"), 200),
            (add_budget, probe(later, count), 402),
            (remove_key, probe(later, count), 401),
        )
        for step, call, status in steps:
            rewrite(flyball, step)
            took[step.__name__] = await until_all_agree(call, status, TAKEN_S)

    asyncio.run(load.during(change))
    assert load.served == load.answers.keys()
    assert {name: seconds for name, seconds in took.items() if seconds > TAKEN_S} == {}


def test_a_broken_file_changes_nothing_and_is_told(flyball: Flyball) -> None:
    load = Load(client=RawClient(url=flyball.data), callers=6)
    good = flyball.config.read_text()

    async def break_and_mend() -> None:
        for text in (
            "providers: [",
            '{"budgett": []}',
            "\xff" * 10,
            good.replace('"limit_usd": 1000', '"limit_usd": "much"'),
        ):
            flyball.config.write_text(text)
            await asyncio.sleep(1.2)
        flyball.config.write_text(good)
        await asyncio.sleep(1.2)

    asyncio.run(load.during(break_and_mend))
    assert load.served == load.answers.keys()
    told = [json.loads(line) for line in flyball.log.read_text().splitlines() if line.startswith("{")]
    refused = [line for line in told if line["message"] == "the changed configuration is not used; the old one stays"]
    assert len(refused) == 4, [line["message"] for line in told]
    assert all(line["errors"] for line in refused)
    assert any("budgett" in str(line["errors"]) for line in refused)
    assert told[-1]["message"] in ("configuration taken", "configuration reloaded")
    balanced_books(flyball, len(load.answers))


def test_a_file_half_written_takes_nothing_away(flyball: Flyball) -> None:
    """An empty file is a valid one, and has no keys: it is what a file is while it is written over."""
    load = Load(client=RawClient(url=flyball.data), callers=6)
    good = flyball.config.read_text()

    async def write_slowly() -> None:
        for _ in range(4):
            with flyball.config.open("w") as file:
                for part in ("", good[:40], good[40:]):
                    await asyncio.sleep(0.2)
                    file.write(part)
                    file.flush()
            await asyncio.sleep(0.7)

    asyncio.run(load.during(write_slowly))
    assert load.served == load.answers.keys()
    assert "not used" not in flyball.log.read_text()


def test_a_worker_that_dies_while_the_file_is_broken_comes_back_with_the_last_good_one(flyball: Flyball) -> None:
    client = RawClient(url=flyball.data)
    flyball.config.write_text("providers: [")
    time.sleep(1.2)
    dead = flyball.pids("worker")
    for pid in dead:
        os.kill(pid, signal.SIGKILL)

    async def call_both() -> float:
        return await until_all_agree(probe(client, [0]), 200, 10)

    took = asyncio.run(call_both())
    assert took < 10
    assert not set(flyball.pids("worker")) & set(dead)


def test_a_revoked_key_is_refused_by_all_workers(flyball: Flyball) -> None:
    made = flyball.admin("POST", "/admin/v1/keys", {"org": "acme", "team": "t", "name": "made"})
    secret = made["secret"]
    client = RawClient(url=flyball.data, key=secret)

    async def revoke() -> float:
        await until_all_agree(probe(client, [0]), 200, REVOKED_S)
        await asyncio.to_thread(flyball.admin, "POST", "/admin/v1/keys/acme/t/made/revoke", {})
        return await until_all_agree(probe(client, [1000]), 401, REVOKED_S)

    assert asyncio.run(revoke()) < REVOKED_S
