"""How a stream's end is told and booked, whoever ends it first, and that nothing is left behind."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.upstream import UpstreamFailed
from tests.harness.one_worker import DONE, EVENT, Answer, Client, OneWorker, chat, config, one_worker

STREAM = chat(stream=True)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[OneWorker]:
    with one_worker(tmp_path, config(provider="on_client_disconnect: drain")) as made:
        yield made
        await made.parts.ledger.close()


async def test_a_client_that_leaves_after_the_last_event_had_its_whole_answer(house: OneWorker) -> None:
    client = Client(STREAM)

    async def leave() -> None:
        client.hang_up()
        await asyncio.sleep(0.01)

    await house.call(client, Answer(EVENT, DONE, leave))
    (row,) = house.rows()
    assert (row["outcome"], row["status"]) == ("ok", 200)


async def test_a_client_that_leaves_before_is_cancelled(house: OneWorker) -> None:
    client = Client(STREAM)

    async def leave() -> None:
        client.hang_up()
        await asyncio.sleep(0.01)

    await house.call(client, Answer(EVENT, leave, EVENT, DONE))
    (row,) = house.rows()
    assert row["outcome"] == "cancelled"
    assert house.rooms.drains == 0


async def test_an_answer_that_ended_is_not_drained(house: OneWorker) -> None:
    """The server calls the client gone as soon as it was answered; that once took a place among the drains for ever."""
    for script in ((EVENT,), (EVENT, UpstreamFailed("reset", "cut", sent=True))):
        await house.call(Client(STREAM), Answer(*script))
        await asyncio.sleep(0)
    assert [row["outcome"] for row in house.rows()] == ["truncated", "truncated"]
    assert house.rooms.drains == 0


async def test_after_the_last_event_a_client_that_left_keeps_no_upstream_open(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more="limits: {drain_s: 0.05}")) as house:
        client = Client(STREAM)
        never = asyncio.Event()

        async def leave_and_wait() -> None:
            client.hang_up()
            await never.wait()

        answer = Answer(EVENT, DONE, leave_and_wait)
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(5):
            await house.call(client, answer)
        assert asyncio.get_running_loop().time() - began < 3
        assert answer.aborted.is_set()
        assert house.rows()[0]["outcome"] == "ok"
        assert house.rooms.drains == 0
        await house.parts.ledger.close()


async def test_a_stream_that_ends_cleanly_within_an_event_is_broken_off(house: OneWorker) -> None:
    """What is told after half an event no client could read: half a line and an error after it are one bad line."""
    client = await house.call(Client(STREAM), Answer(EVENT, EVENT[:40]))
    for event in client.text.split(b"\n\n"):
        assert event.count(b"data: ") <= 1, client.text
    assert b"upstream_truncated" in client.text
    assert house.rows()[0]["outcome"] == "truncated"


async def test_a_last_event_without_its_blank_line_is_passed_on(house: OneWorker) -> None:
    client = await house.call(Client(STREAM), Answer(EVENT, DONE.rstrip(b"\n")))
    assert client.text == EVENT + DONE.rstrip(b"\n")
    assert house.rows()[0]["outcome"] == "ok"


async def test_whatever_goes_wrong_with_the_answer_the_upstream_is_let_go(house: OneWorker) -> None:
    client, answer = Client(STREAM), Answer(EVENT, DONE)

    async def refuse(message: Any) -> None:
        if message["status"] == 200:
            raise RuntimeError("an invalid header")

    client.send = refuse  # type: ignore[method-assign]
    await house.call(client, answer)
    assert house.rows()[0]["outcome"] == "truncated"
    assert answer.aborted.is_set()
    assert (await house.standing())[1] == 0
