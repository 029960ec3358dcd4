"""Streams that are slow to begin, second targets asked beside them, and start-up events that are held back."""

import asyncio
import json
from typing import Any

import pytest

from proxy.routing import Candidate
from proxy.upstream import UpstreamFailed
from tests.harness.one_worker import DONE, EVENT, Answer, Client, OneWorker, chat
from tests.unit.journey.reaching import (
    ROLE,
    TOLD,
    USAGE,
    asked,
    attempts,
    refusal,
    settled,
    silence,
    whole,
)
from tests.unit.journey.reaching import house as house
from tests.unit.journey.reaching import one_house as one_house

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(("model", "first"), [("slow", "a"), ("slow-drains", "drains")])
async def test_a_stream_that_does_not_begin_is_given_up_for_the_next(house: OneWorker, model: str, first: str) -> None:
    spent, _ = await house.standing()
    slow = Answer(ROLE, silence)
    client = await house.call(Client(chat(model=model, stream=True)), slow, Answer(ROLE, EVENT, USAGE, DONE))
    assert client.text == ROLE + EVENT + USAGE + DONE, "nothing of the first has been sent"
    assert slow.aborted.is_set()
    assert asked(house) == [first, "b"]
    assert house.rows()[-1]["reason"] == f"fell back from {first} (slow_start) to b"
    cost = await settled(house, spent)
    given = cost - TOLD
    whole_hold = given >= 50 * 100_000
    assert given > 0
    assert whole_hold is (first == "drains"), "its provider goes on, so it is billed at its hold"
    assert [each["outcome"] for each in attempts(house)] == ["cancelled", "ok"]


async def test_a_stream_is_waited_for_after_all_where_nobody_else_is_left(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.1)

    dead = UpstreamFailed("refused", "", sent=False)
    client = await house.call(Client(chat(model="slow", stream=True)), dead, Answer(a_while, EVENT, USAGE, DONE))
    assert (client.text, asked(house)) == (EVENT + USAGE + DONE, ["a", "b"])


async def test_a_second_target_is_asked_beside_a_slow_one_and_both_are_billed(house: OneWorker) -> None:
    spent, _ = await house.standing()
    slow = Answer(ROLE, silence)
    client = await house.call(Client(chat(model="hedged", stream=True)), slow, Answer(EVENT, USAGE, DONE))
    assert client.text == EVENT + USAGE + DONE
    assert slow.aborted.is_set()
    assert await settled(house, spent) > TOLD
    lost, won = attempts(house)
    assert (lost["provider"], lost["outcome"], lost["error"]) == ("a", "cancelled", "hedged")
    assert (won["provider"], won["outcome"], won["purpose"]) == ("b", "ok", "hedge")
    assert house.rows()[-1]["reason"] == "asked b beside a"


async def test_the_first_may_still_win(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.1)

    spent, _ = await house.standing()
    second = Answer(ROLE, silence)
    client = await house.call(Client(chat(model="hedged", stream=True)), Answer(a_while, EVENT, USAGE, DONE), second)
    assert client.text == EVENT + USAGE + DONE
    assert second.aborted.is_set()
    assert client.answered[b"x-flyball-model"] == b"m"
    assert [each["provider"] for each in attempts(house)] == ["b", "a"], "the one that served stands last"
    assert await settled(house, spent) > TOLD


async def test_one_of_two_may_fail(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.1)

    spent, _ = await house.standing()
    client = await house.call(
        Client(chat(model="hedged", stream=True)), Answer(a_while, EVENT, USAGE, DONE), refusal(503)
    )
    assert client.text == EVENT + USAGE + DONE
    assert await settled(house, spent) == TOLD
    assert [each.get("error", "") for each in attempts(house)] == ["http_503", ""]


async def test_hedges_are_a_part_of_the_traffic(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.08)

    for _ in range(20):
        house.rooms.allowances.spend("hedge", Candidate("a", "m"))
    await house.call(Client(chat(model="hedged", stream=True)), Answer(a_while, EVENT, USAGE, DONE))
    assert asked(house) == ["a"]


async def test_a_whole_answer_is_not_hedged(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.08)

    answer = whole()
    answer._script.insert(0, a_while)
    await house.call(Client(chat(model="hedged")), answer)
    assert asked(house) == ["a"]


async def test_the_client_leaves_while_two_are_asked(house: OneWorker) -> None:
    spent, _ = await house.standing()
    client = Client(chat(model="hedged", stream=True))
    both = asyncio.Event()

    async def told() -> None:
        both.set()
        await silence()

    first, second = Answer(ROLE, silence), Answer(ROLE, told)
    call = asyncio.ensure_future(house.call(client, first, second))
    await both.wait()
    call.cancel()
    await asyncio.wait([call])
    assert first.aborted.is_set()
    assert second.aborted.is_set()
    assert await settled(house, spent) > 0


async def test_start_up_events_are_held_back_within_bounds(house: OneWorker) -> None:
    """Past the bound the stream is its client's, and a failure is told within it."""
    thinking = [b": still thinking\n\n"] * 4000
    cut = UpstreamFailed("reset", "", sent=True)
    client = await house.call(Client(chat(model="both", stream=True)), Answer(ROLE, *thinking, cut), whole())
    assert asked(house) == ["a"]
    assert client.text.startswith(ROLE + thinking[0])
    assert b"upstream_truncated" in client.text
    client = await house.call(
        Client(chat(model="both", stream=True)), Answer(ROLE, *thinking[:400], cut), Answer(ROLE, EVENT, USAGE, DONE)
    )
    assert (asked(house), client.text) == (["a", "b"], ROLE + EVENT + USAGE + DONE)


async def test_no_event_is_held_back_for_longer_than_its_time(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.15)

    cut = UpstreamFailed("reset", "", sent=True)
    client = await house.call(Client(chat(model="hasty", stream=True)), Answer(ROLE, a_while, cut), whole())
    assert asked(house) == ["a"]
    assert client.text.startswith(ROLE)


@pytest.mark.parametrize(
    ("path", "body", "start_up", "error"),
    [
        (
            "/v1/responses",
            {"model": "both", "input": "Hello", "stream": True, "max_output_tokens": 50},
            {"type": "response.created", "response": {"id": "r", "model": "m", "status": "in_progress"}},
            {"type": "error", "code": "server_error", "message": "no"},
        ),
        (
            "/v1/messages",
            {"model": "claude", "messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 50},
            {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 7}}},
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ),
    ],
)
async def test_start_up_events_of_other_endpoints_are_known(
    house: OneWorker, path: str, body: dict[str, Any], start_up: dict[str, Any], error: dict[str, Any]
) -> None:
    """Another proxy once missed it: an overloaded provider's error within a stream never fell back."""
    told = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in (start_up, error)]
    good = b"event: x\ndata: {}\n\n"
    client = await house.call(Client(json.dumps(body).encode(), path=path), Answer(*told), Answer(told[0], good))
    assert len(asked(house)) == 2
    assert client.text.startswith(told[0] + good)
    assert client.answered[b"x-flyball-reason"].startswith(b"fell back from ")
