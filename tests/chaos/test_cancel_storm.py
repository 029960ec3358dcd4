"""Hundreds of clients hang up at random moments: soon nothing is held, no place is taken, every call stands once."""

import asyncio
import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from proxy.core.money import exact_usd
from proxy.sim import SimProvider, SimServer, SimSettings
from tests.chaos.raw_client import Answer, RawClient
from tests.chaos.scene import LEASE_S, balanced_books, chat, sim_config, started, until_nothing_is_held
from tests.harness.flyball import Flyball

pytestmark = pytest.mark.alone

CLIENTS: Final = 400
STORM_S: Final = 6.0
PLACES: Final = 120
ANSWERED_S: Final = 1.0
SLACK_S: Final = 1.5
"""For a machine that is busy with other tests."""


@pytest.fixture
def sim() -> Iterator[SimServer]:
    with SimServer(SimProvider(settings=SimSettings(speed=3, keep_requests=10_000))) as running:
        yield running


def config(sim_url: str, patience_ms: int) -> str:
    whole: dict[str, Any] = json.loads(sim_config(sim_url, workers=4, holds={"patience_ms": patience_ms}))
    whole["rate_limits"] = [{"name": "places", "scope": "key:acme/t/bot", "limit_concurrent": PLACES}]
    return json.dumps(whole)


async def storm(flyball: Flyball, draw: random.Random) -> dict[str, Answer]:
    """Each begins at some moment and leaves at some moment: before its answer, within it, or not at all."""
    client = RawClient(url=flyball.data)
    answers: dict[str, Answer] = {}

    async def one(number: int) -> None:
        await asyncio.sleep(draw.uniform(0, STORM_S))
        name, stream = f"storm-{number}", draw.random() < 0.7
        body = chat(name, stream=stream, tokens=draw.choice((1, 40, 150)))
        leaves = draw.choice((None, 0.002, 0.02, 0.1, 0.4, 0.8))
        answers[name] = await client.call(body, leave_after_s=leaves, reset=draw.random() < 0.5)

    await asyncio.gather(*(one(number) for number in range(CLIENTS)))
    assert client.refused == 0
    return answers


async def contended(path: Path, over: asyncio.Event) -> None:
    """Another process's transactions: the write lock is away for a third of a second, again and again."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        while not over.is_set():
            connection.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(0.35)
            connection.execute("ROLLBACK")
            await asyncio.sleep(0.25)


def until_no_more_rows(flyball: Flyball) -> int:
    """How many calls there are rows of, once that is the same for two seconds."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < 2:
        (found,) = flyball.query("SELECT count() AS calls FROM operations")
        if int(found["calls"]) != count:
            count, since = int(found["calls"]), time.monotonic()
        time.sleep(0.2)
    return count


@pytest.mark.parametrize("locked", [False, True], ids=["free", "contended"])
def test_a_storm_of_clients_that_leave(tmp_path: Path, sim: SimServer, locked: bool) -> None:
    draw = random.Random(5)
    with started(tmp_path, config(sim.url, int(ANSWERED_S * 1000))) as flyball:

        async def run() -> dict[str, Answer]:
            over = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                if locked:
                    group.create_task(contended(flyball.home / "ledger.sqlite", over))
                try:
                    return await storm(flyball, draw)
                finally:
                    over.set()

        answers = asyncio.run(run())
        assert until_nothing_is_held(flyball) < LEASE_S
        rows = balanced_books(flyball, until_no_more_rows(flyball))
        assert Counter(answer.ended for answer in answers.values()).keys() <= {"clean", "left"}
        stayed = {name for name, answer in answers.items() if answer.ended == "clean"}
        assert stayed <= rows.keys()
        outcomes = Counter(row["outcome"] for row in rows.values())
        assert outcomes["cancelled"] > CLIENTS / 10
        assert outcomes.keys() <= {"ok", "cancelled", "refused"}, outcomes
        for name in stayed:
            answer, row = answers[name], rows[name]
            assert answer.is_whole
            assert (answer.status == 200) == (row["outcome"] == "ok"), (answer, row)
            if answer.status != 200:
                assert row["code"] in ("rate_limited", "dependency_unavailable")
                assert answer.seconds < ANSWERED_S + SLACK_S
        assert sum(exact_usd(row["overrun_usd"]) for row in rows.values()) == 0
        (places,) = flyball.admin("GET", "/admin/v1/limits")["data"]
        assert places["held_concurrent"] == 0, places
