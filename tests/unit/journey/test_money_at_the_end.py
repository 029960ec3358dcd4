"""Whatever goes wrong while a call is accounted for: one row, the money booked, nothing held for ever."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from proxy.journey import account as accounting
from proxy.metering import TokenCounter
from proxy.metering.tokens import InputCount
from proxy.upstream import UpstreamFailed
from proxy.wire.endpoint import Endpoint
from tests.harness.one_worker import DONE, EVENT, JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

IN_NANO, OUT_NANO = 10_000, 100_000
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}\n\n'


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[OneWorker]:
    with one_worker(tmp_path, config(more="holds: {patience_ms: 20000}")) as made:
        yield made
        await made.parts.ledger.close()


class SlowCounter(TokenCounter):
    """Counts for longer than anybody waits."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def count_input(self, model: str, endpoint: Endpoint, body: bytes) -> InputCount:
        """Not in our time."""
        self.asked.set()
        await asyncio.sleep(3600)
        raise AssertionError

    async def count_output(self, model: str, texts: Sequence[str], chars: int) -> int:
        """Not in our time."""
        self.asked.set()
        await asyncio.sleep(3600)
        raise AssertionError


async def settle_late(house: OneWorker) -> None:
    """What the worker's duty does."""
    for operation, due in list(house.rooms.unsettled.items()):
        await house.rooms.ledger.settle(operation, due.cost, house.rooms.clock.now_ns(), used=due.used)
        del house.rooms.unsettled[operation]


def nano(dollars: str) -> int:
    whole, _, rest = dollars.partition(".")
    return int(whole) * 10**9 + int(rest.ljust(9, "0"))


async def test_a_ledger_locked_past_the_deadline_is_settled_later(
    house: OneWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting, "SETTLE_DEADLINE_S", 0.2)
    other = sqlite3.connect(tmp_path / "state" / "ledger.sqlite", isolation_level=None)

    async def lock() -> None:
        other.execute("BEGIN IMMEDIATE")

    client = await house.call(Client(chat(stream=True)), Answer(EVENT, USAGE, lock, DONE))
    assert client.text.endswith(DONE)
    cost = 7 * IN_NANO + 2 * OUT_NANO
    assert [due.cost for due in house.rooms.unsettled.values()] == [cost]
    assert len(house.rows()) == 1
    other.execute("ROLLBACK")
    other.close()
    await settle_late(house)
    assert await house.standing() == (cost, 0)


async def test_counting_past_the_deadline_books_the_hold(house: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row was once not written at all, and the hold stayed until the worker died."""
    monkeypatch.setattr(accounting, "SETTLE_DEADLINE_S", 0.1)
    monkeypatch.setattr(accounting, "bill_unanswered", _slowly)
    client = await house.call(Client(chat()), UpstreamFailed("reset", "cut", sent=True))
    assert client.status == 502
    (row,) = house.rows()
    assert (row["outcome"], row["cost_usd"], row["usage_source"]) == ("upstream_error", row["held_usd"], "estimated")
    await settle_late(house)
    assert await house.standing() == (nano(row["held_usd"]), 0)


async def _slowly(*anything: Any) -> None:
    await asyncio.sleep(3600)


async def test_a_call_stopped_while_it_is_billed_is_not_free(house: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting, "SETTLE_DEADLINE_S", 0.1)
    slow = SlowCounter()

    async def from_now_on() -> None:
        house.rooms.counter = slow

    call = asyncio.ensure_future(house.call(Client(chat(stream=True)), Answer(EVENT, from_now_on, DONE)))
    await slow.asked.wait()
    call.cancel()
    await asyncio.wait([call])
    (row,) = house.rows()
    assert row["cost_usd"] == row["held_usd"] != "0.000000000"
    await settle_late(house)
    assert (await house.standing())[1] == 0


async def test_a_row_that_cannot_be_written_keeps_no_money(house: OneWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*anything: Any) -> None:
        raise ValueError("no such row")

    monkeypatch.setattr(house.rooms.spool, "append", refuse)
    answer = Answer(b'{"usage":{"prompt_tokens":7,"completion_tokens":2}}', headers=JSON_HEADERS)
    client = await house.call(Client(chat()), answer)
    assert client.status == 500
    assert await house.standing() == (7 * IN_NANO + 2 * OUT_NANO, 0)


@pytest.mark.parametrize("usage", ['{"prompt_tokens":null,"completion_tokens":null}', '{"cost":"free"}'])
async def test_usage_that_tells_nothing_is_counted_by_us(house: OneWorker, usage: str) -> None:
    body = b'{"model":"m","choices":[{"message":{"content":"Hello there"}}],"usage":%b}' % usage.encode()
    await house.call(Client(chat()), Answer(body, headers=JSON_HEADERS))
    (row,) = house.rows()
    assert row["usage_source"] == "estimated"
    assert nano(row["cost_usd"]) > 0


async def test_tools_the_provider_ran_are_billed_though_it_told_no_usage(house: OneWorker) -> None:
    item = {"type": "response.output_item.done", "item": {"type": "web_search_call", "id": "ws", "status": "completed"}}
    last = {"type": "response.completed", "response": {"model": "m", "output": [item["item"]]}}
    script = [b"data: %b\n\n" % json.dumps(event).encode() for event in (item, last)]
    body = json.dumps({"model": "m", "stream": True, "input": "Hello"}).encode()
    await house.call(Client(body, path="/v1/responses"), Answer(*script))
    assert house.rows()[0]["tool_fees"] == {"web_search": 1}
