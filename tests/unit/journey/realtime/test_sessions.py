"""A realtime session from its handshake to its row: relayed as it came, billed by its own numbers, ended truthfully."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.upstream import Closed, HandshakeRefused, Message, UpstreamFailed
from tests.harness.one_worker import KEY, OneWorker, config, one_worker
from tests.harness.sessions import CREATE, Caller, Provider, Refusing, begin, begun, created, done, usage

IN, OUT = 10_000, 100_000
"""What a token costs in and out, in nano-dollars."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[OneWorker]:
    with one_worker(tmp_path, config(budget="limit_usd: 5")) as made:
        yield made
        await made.parts.ledger.close()


def only_row(house: OneWorker) -> dict[str, Any]:
    (row,) = house.rows()
    return row


async def test_frames_go_both_ways_as_they_came_and_the_row_has_what_responses_used(house: OneWorker) -> None:
    caller, provider = Caller(), Provider()
    session = begin(house, caller, provider)
    odd = '{ "type":"session.update", "session" : {"instructions":"Sé bréve \\u00e9"} , "unknown": [1.0e2] }'
    provider.say(created())
    caller.say(odd, b"\x00\xffbinary", CREATE)
    assert await provider.heard_of(3) == [odd, b"\x00\xffbinary", CREATE]
    told: list[Message] = [
        begun(1),
        '{"type":"response.text.delta", "response_id":"resp_1", "delta":"Hi"}',
        b"\x01\x02",
    ]
    last: list[Message] = [
        done(1, usage(100, 40, 10, 5, cached=60, cached_audio=20)),
        begun(2),
        done(2, usage(150, 0, 3, 0)),
    ]
    provider.say(*told, *last)
    assert await caller.got(7) == [created(), *told, *last]
    caller.leave()
    await session
    row = only_row(house)
    assert (row["outcome"], row["status"], row["endpoint"], row["streamed"]) == ("ok", 101, "realtime", True)
    # Uncached text 60, uncached audio 20 (of the one rate), cached 60 at the plain rate, since none is written.
    assert (row["input_tokens"], row["cache_read_tokens"], row["audio_input_tokens"]) == (60 + 150, 60, 20)
    assert (row["output_tokens"], row["audio_output_tokens"]) == (10 + 3, 5)
    cost = 140 * IN + 15 * OUT + 150 * IN + 3 * OUT
    assert round(float(row["cost_usd"]) * 1e9) == cost
    assert await house.standing() == (cost, 0)
    attempts = house.rows("attempts")
    assert [each.get("number", 1) for each in attempts] == [1, 2, 3]
    assert [each.get("finish_reason", "") for each in attempts] == ["completed", "completed", ""]
    assert provider.closed == (1000, "")
    assert provider.aborted


async def test_the_clients_key_goes_no_further_and_subprotocols_do(house: OneWorker) -> None:
    offered = ("realtime", f"openai-insecure-api-key.{KEY}", "openai-beta.realtime-v1")
    caller, provider = Caller(key="", subprotocols=offered), Provider()
    provider.subprotocol = "realtime"
    session = begin(house, caller, provider)
    provider.say(created())
    await caller.got(1)
    caller.leave()
    await session
    assert provider.request is not None
    assert provider.request.subprotocols == ("realtime", "openai-beta.realtime-v1")
    assert KEY not in repr(provider.request.headers)
    assert caller.came[0]["subprotocol"] == "realtime"
    names = [name for name, _ in caller.came[0]["headers"]]
    assert b"x-flyball-operation" in names


@pytest.mark.parametrize(
    ("query", "param"), [(b"", "model"), (b"model=m&model=cheap", "model"), (b"call_id=rtc_1", "call_id")]
)
async def test_a_handshake_that_names_no_one_model_is_refused_with_a_row(
    house: OneWorker, query: bytes, param: str
) -> None:
    caller, provider = Caller(query=query), Provider()
    await begin(house, caller, provider)
    status, body = caller.refused
    assert (status, body["error"]["param"]) == (400, param)
    assert provider.request is None
    assert only_row(house)["status"] == 400


async def test_a_stranger_is_refused_before_anything_is_read(house: OneWorker) -> None:
    caller = Caller(key="fb-somebody-else-0123456789-abc")
    await begin(house, caller, Provider())
    assert caller.refused[0] == 401
    assert house.rows() == []


async def test_what_the_provider_says_to_a_handshake_is_passed_on(house: OneWorker) -> None:
    caller = Caller()
    said = b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}'
    no = HandshakeRefused(429, [(b"content-type", b"application/json"), (b"retry-after", b"7")], said)
    await begin(house, caller, Refusing(no))
    assert caller.refused == (429, json.loads(said))
    assert (b"retry-after", b"7") in caller.came[0]["headers"]
    row = only_row(house)
    assert (row["outcome"], row["status"], row["error"]) == ("upstream_error", 429, "http_429")
    assert await house.standing() == (0, 0)


async def test_a_provider_that_cannot_be_reached_costs_nothing(house: OneWorker) -> None:
    caller = Caller()
    await begin(house, caller, Refusing(UpstreamFailed("refused", "no", sent=False)))
    assert (caller.refused[0], caller.refused[1]["error"]["code"]) == (502, "upstream_refused")
    assert await house.standing() == (0, 0)


async def test_a_break_of_the_provider_is_told_and_what_was_seen_is_billed(house: OneWorker) -> None:
    caller, provider = Caller(), Provider()
    session = begin(house, caller, provider)
    provider.say(created())
    caller.say(CREATE)
    await provider.heard_of(1)
    delta = json.dumps({"type": "response.output_audio.delta", "response_id": "resp_1", "delta": "A" * 63_998})
    provider.say(begun(1), delta, Closed(1006))
    await session
    assert caller.closed == (1011, "upstream_truncated")
    assert caller.events[-1]["error"]["code"] == "upstream_truncated"
    row = only_row(house)
    assert (row["outcome"], row["usage_source"], row["audio_output_tokens"]) == ("truncated", "estimated", 20)
    spent, held = await house.standing()
    assert spent >= 20 * OUT
    assert held == 0


@pytest.mark.parametrize(("code", "outcome"), [(1000, "ok"), (3001, "truncated")])
async def test_the_providers_close_is_the_clients(house: OneWorker, code: int, outcome: str) -> None:
    caller, provider = Caller(), Provider()
    session = begin(house, caller, provider)
    provider.say(created(), Closed(code, "done"))
    await session
    assert caller.closed == (code, "done")
    assert only_row(house)["outcome"] == outcome


async def test_a_client_that_leaves_a_response_has_it_cancelled_and_its_numbers_waited_for(house: OneWorker) -> None:
    caller, provider = Caller(), Provider()
    session = begin(house, caller, provider)
    provider.say(created(), begun(1))
    await caller.got(2)
    caller.leave(1006)
    (said,) = await provider.heard_of(1)
    assert json.loads(str(said)) == {"type": "response.cancel"}
    provider.say(done(1, usage(7, 0, 3, 0), status="cancelled"))
    await session
    row = only_row(house)
    assert (row["outcome"], row["usage_source"], row["input_tokens"]) == ("cancelled", "provider", 7)
    assert await house.standing() == (7 * IN + 3 * OUT, 0)


async def test_a_session_ends_when_its_time_is_over(house: OneWorker) -> None:
    object.__setattr__(house.rooms.settings, "realtime_session_s", 0.05)
    caller, provider = Caller(), Provider()
    session = begin(house, caller, provider)
    provider.say(created())
    await session
    assert caller.events[-1]["error"]["code"] == "session_expired"
    assert caller.closed == (1001, "session_expired")
    assert only_row(house)["outcome"] == "ok"


async def test_a_worker_that_ends_says_so_and_settles(house: OneWorker) -> None:
    caller, provider = Caller(), Provider()
    session = begin(house, caller, provider)
    provider.say(created(), begun(1))
    await caller.got(2)
    session.cancel()
    await session
    assert caller.events[-1]["error"]["code"] == "shutting_down"
    assert caller.closed == (1012, "shutting_down")
    row = only_row(house)
    assert (row["outcome"], row["code"], row["usage_source"]) == ("truncated", "shutting_down", "estimated")
    spent, held = await house.standing()
    assert (spent > 0, held) == (True, 0)


async def test_another_model_and_what_cannot_be_read_stay_here_and_the_session_goes_on(house: OneWorker) -> None:
    caller, provider = Caller(), Provider()
    session = begin(house, caller, provider)
    provider.say(created())
    await caller.got(1)
    caller.say(
        json.dumps({"type": "session.update", "event_id": "e1", "session": {"model": "cheap"}}),
        json.dumps({"type": "session.update", "session": {"prompt": {"id": "pmpt_1"}}}),
        '{"type":"response.create","type":"session.update","session":{"model":"cheap"}}',
        "no json",
        json.dumps({"type": "session.update", "session": {"model": "m"}}),
    )
    await provider.heard_of(1)
    assert [json.loads(str(each))["session"] for each in provider.heard] == [{"model": "m"}]
    await caller.got(5)
    errors = [each["error"] for each in caller.events[1:]]
    assert [(each["code"], each["param"]) for each in errors] == [
        ("invalid_request", "session.model"),
        ("capability_missing", "prompt"),
        ("invalid_request", None),
        ("invalid_request", None),
    ]
    assert errors[0]["event_id"] == "e1"
    caller.leave()
    await session


async def test_a_transcription_is_billed_at_the_price_of_its_model(house: OneWorker) -> None:
    caller, provider = Caller(), Provider()
    session = begin(house, caller, provider)
    provider.say(created(audio={"input": {"transcription": {"model": "cheap"}}}))
    told = {"type": "tokens", "total_tokens": 30, "input_tokens": 20, "output_tokens": 10}
    provider.say(
        json.dumps({"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "usage": told})
    )
    await caller.got(2)
    caller.leave()
    await session
    assert await house.standing() == (20 * 1_000 + 10 * 10_000, 0)
    assert [each["sent_model"] for each in house.rows("attempts")] == ["cheap", "m"]
    assert only_row(house)["model"] == "m"


async def test_sessions_that_end_in_every_way_leave_nothing_held(house: OneWorker) -> None:
    async def one(number: int) -> None:
        caller, provider = Caller(), Provider()
        provider.say(created(), begun(1), *([done(1, usage(10, 0, 1, 0))] if number % 2 else []))
        session = begin(house, caller, provider)
        await provider.opened.wait()
        if number % 3 == 0:
            caller.leave(1006)
            provider.say(done(1, usage(10, 0, 1, 0), status="cancelled"), Closed(1006))
        else:
            provider.say(Closed(1006 if number % 3 == 1 else 1000))
        await session

    for number in range(20):
        await one(number)
    assert len(house.rows()) == 20
    spent, held = await house.standing()
    assert held == 0
    assert spent == sum(round(float(row["cost_usd"]) * 1e9) for row in house.rows())
    assert house.rooms.open_holds == 0
