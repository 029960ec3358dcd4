"""Whatever it is that the ledger would decide: without it the answer is 503 in time, and nothing was taken of any."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from proxy.wire.endpoint import Endpoint
from tests.harness.one_worker import (
    JSON_HEADERS,
    Answer,
    Client,
    OneWorker,
    chat,
    config,
    one_worker,
    settle_what_waits,
)

pytestmark = pytest.mark.alone

PATIENCE_S: Final = 0.2
SLACK_S: Final = 0.5
"""For a machine that is busy with other tests."""
BODY: Final = b'{"id":"c","object":"chat.completion","model":"m","choices":[],"usage":%s}'
USAGE: Final = b'{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}'
HOLDS: Final = f"holds: {{patience_ms: {int(PATIENCE_S * 1000)}}}\n"
ONE_CALL: Final = {
    "budget": ("limit_requests: 1", "", 402, "budget_exceeded"),
    "rate limit": (
        "limit_usd: 1000",
        'rate_limits: [{name: slow, scope: "key:acme/support/bot", limit_requests: 1, window: day}]',
        429,
        "rate_limited",
    ),
    "observed budget": ("limit_requests: 1, enforcement: observe", "", 200, ""),
    "run": (
        "limit_usd: 1000",
        'runs: {limits: [{scope: "org:acme", calls: 1}]}',
        403,
        "run_stopped",
    ),
}
"""Money, a rate or a run for one call; and how the second one is answered."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def ask(house: OneWorker) -> Client:
    client = Client(chat(), headers=[(b"x-flyball-run", b"r1")])
    return await house.call(client, Answer(BODY % USAGE, headers=JSON_HEADERS))


def error_of(client: Client) -> Any:
    return msgspec.json.decode(client.text)["error"]


@pytest.mark.parametrize("control", ONE_CALL)
async def test_it_is_503_in_time_and_consumes_nothing(tmp_path: Path, control: str) -> None:
    budget, more, status, code = ONE_CALL[control]
    with one_worker(tmp_path, config(budget=budget, more=HOLDS + more)) as house:
        await house.rooms.counter.count_input("m", Endpoint.CHAT, chat())  # its vocabulary is read once
        with locked(tmp_path / "state" / "ledger.sqlite"):
            for _ in range(2):
                began = time.monotonic()
                refused = await ask(house)
                assert PATIENCE_S <= time.monotonic() - began < PATIENCE_S + SLACK_S
                error = error_of(refused)
                assert (refused.status, error["code"]) == (503, "dependency_unavailable")
                assert error["flyball"]["dependency"] == "ledger"
                assert refused.answered[b"retry-after"] == b"1"
            assert house.rooms.ledger_away
        assert (await ask(house)).status == 200
        after = await ask(house)
        assert (after.status, error_of(after)["code"] if code else "") == (status, code)
        await settle_what_waits(house)
        assert await house.rooms.ledger.holds_of(house.rooms.worker) == []
        told = [(row["outcome"], row.get("code", "")) for row in house.rows()]
        assert told == [("refused", "dependency_unavailable")] * 2 + [("ok", ""), ("refused" if code else "ok", code)]
        await house.parts.ledger.close()


async def test_a_place_is_given_back_though_the_ledger_is_away_at_the_end(tmp_path: Path) -> None:
    """The one place is taken for as long as the call waits to be settled, and free as soon as it is."""
    more = HOLDS + 'rate_limits: [{name: one, scope: "key:acme/support/bot", limit_concurrent: 1}]'
    with one_worker(tmp_path, config(more=more)) as house:
        path, lock = tmp_path / "state" / "ledger.sqlite", []

        async def lock_now() -> None:
            held = locked(path)
            held.__enter__()
            lock.append(held)

        answer = Answer(lock_now, BODY % USAGE, headers=JSON_HEADERS)
        assert (await house.call(Client(chat()), answer)).status == 200
        assert house.rooms.unsettled
        lock[0].__exit__(None, None, None)
        assert (await ask(house)).status == 429
        await settle_what_waits(house)
        assert (await ask(house)).status == 200
        await house.parts.ledger.close()
