"""Copies of answered calls: sent to another target, on the overhead account, and compared; no client is touched."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.money import Nano
from proxy.journey.errands.copies import _drawn
from proxy.journey.errands.likeness import likeness, opening_of
from proxy.journey.errands.running import Errands
from proxy.journey.switched import end_switched
from proxy.policy import Switch, Switches, parse_target
from proxy.routing import ShadowSettings
from proxy.upstream import UpstreamFailed
from tests.harness.one_worker import (
    DONE,
    EVENT,
    JSON_HEADERS,
    Answer,
    Client,
    OneWorker,
    chat,
    config,
    one_worker,
)

USAGE = b'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'


def completion(text: str, *, model: str = "m", finish: str = "stop", **more: Any) -> Answer:
    """A provider's answer in one piece."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    body = {"id": "c", "model": model, "choices": [choice], **more}
    body["usage"] = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return Answer(json.dumps(body).encode(), headers=list(JSON_HEADERS))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneWorker]:
    text = config().replace(
        "{model: m, targets: [{provider: up}]}",
        "{model: m, targets: [{provider: up, variant: now}], "
        "shadows: [{provider: up, model: cheap, variant: next, share: 1}]}",
    )
    with one_worker(tmp_path_factory.mktemp("copies"), text) as made:
        yield made
        await made.parts.ledger.close()


@pytest.fixture
def house(one_house: OneWorker) -> OneWorker:
    one_house.rooms.errands = Errands()
    return one_house


async def called(house: OneWorker, body: bytes, *answers: Answer | UpstreamFailed) -> list[dict[str, Any]]:
    """The rows of a call and of its copies, once all of them are over."""
    before = len(house.rows())
    await house.call(Client(body), *answers)
    await house.rooms.errands.close(10)
    return house.rows()[before:]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_call_is_copied_once_it_was_answered_and_the_two_are_comparable(house: OneWorker) -> None:
    spent, _ = await house.standing()
    rows = await called(
        house, chat(), completion("The cat sat on the mat"), completion("The cat sat on a mat", model="cheap-1")
    )
    served, copy = rows
    assert (served["variant"], served.get("purpose", "serve"), served["model"]) == ("now", "serve", "m")
    assert (copy["variant"], copy["purpose"], copy["model"]) == ("next", "shadow", "cheap-1")
    assert copy["beside"] == served["operation_id"] and copy["route"] == served["route"] == "m"
    assert (copy["finish_reason"], copy["output_tokens"], copy["key_name"]) == ("stop", 2, "(overhead)")
    assert 0.6 < copy["similarity"] < 1
    assert served["cost_usd"] == "0.000250000" and copy["cost_usd"] == "0.000025000"
    attempts = house.rows("attempts")[-2:]
    assert [(each["route"], each["variant"]) for each in attempts] == [("m", "now"), ("m", "next")]
    assert await house.standing() == (spent + 250_000, 0), "the client's key pays for its own answer only"
    seen = house.rooms.transport.seen  # type: ignore[attr-defined]
    assert [json.loads(each.body)["model"] for each in seen] == ["m", "cheap"]
    same = [{k: v for k, v in json.loads(each.body).items() if k != "model"} for each in seen]
    assert same[0] == same[1]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_stream_is_copied_as_a_stream_with_its_time_to_first_token(house: OneWorker) -> None:
    served, copy = await called(house, chat(stream=True), Answer(EVENT, USAGE, DONE), Answer(EVENT, USAGE, DONE))
    assert served["streamed"] and copy["streamed"]
    assert copy["ttft_ms"] > 0
    assert copy["similarity"] == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_copy_that_fails_is_a_row_and_nothing_more(house: OneWorker) -> None:
    client = Client(chat())
    before = len(house.rows())
    error = Answer(b'{"error": {"message": "no"}}', status=500, headers=list(JSON_HEADERS))
    await house.call(client, completion("Hello"), error)
    await house.rooms.errands.close(10)
    assert client.status == 200
    assert [row["outcome"] for row in house.rows()[before:]] == ["ok", "upstream_error"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "body",
    [
        chat(store=True),
        chat(web_search_options={}),
        chat(tools=[{"type": "web_search"}]),
    ],
    ids=["stored", "search", "hosted tool"],
)
async def test_what_would_do_or_keep_something_is_not_copied(house: OneWorker, body: bytes) -> None:
    assert len(await called(house, body, completion("Hello"), completion("again"))) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_call_that_got_no_answer_is_not_copied(house: OneWorker) -> None:
    error = Answer(b'{"error": {"message": "no"}}', status=500, headers=list(JSON_HEADERS))
    assert len(await called(house, chat(), error, completion("Hello"))) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_copy_never_holds_its_call_up(house: OneWorker) -> None:
    may_answer = asyncio.Event()

    async def late() -> None:
        await may_answer.wait()

    slow = Answer(late, b"{}", headers=list(JSON_HEADERS))
    client = await house.call(Client(chat()), completion("Hello"), slow)
    assert client.status == 200 and len(house.rooms.errands) == 1
    may_answer.set()
    await house.rooms.errands.close(10)


@pytest.mark.asyncio(loop_scope="module")
async def test_where_an_overhead_account_has_no_money_calls_are_not_copied(house: OneWorker) -> None:
    snapshot, asked = house.rooms.snapshot(), house.rooms.snapshot
    poor = replace(snapshot, overhead_per_day=Nano(1))
    house.rooms.snapshot = lambda: poor
    try:
        rows = await called(house, chat(), completion("Hello"), completion("again"))
    finally:
        house.rooms.snapshot = asked
    assert len(rows) == 1
    assert len(house.rooms.transport.seen) == 1  # type: ignore[attr-defined]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_rule_that_keeps_calls_from_a_provider_keeps_their_copies_from_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("ruled")
    rules = folder / "rules"
    rules.mkdir()
    (rules / "place.rego").write_text(
        "package flyball.route\nimport rego.v1\n"
        'deny_candidates contains {"id": each.id, "code": "abroad", "msg": "No."} if {\n'
        '  some each in input.candidates\n  each.model == "cheap"\n  input.team == "support"\n}\n'
    )
    text = config(more="policy: {dir: rules}").replace(
        "{model: m, targets: [{provider: up}]}",
        "{model: m, targets: [{provider: up}], shadows: "
        "[{provider: up, model: cheap, variant: next, share: 1}, {provider: up, model: m, variant: same, share: 1}]}",
    )
    with one_worker(folder, text) as house:
        rows = await called(house, chat(), completion("Hello"), completion("Hello"))
        assert [row.get("variant", "") for row in rows] == ["", "same"]
        denied = [row for row in house.rows("decisions") if row.get("denials")]
        assert [row["denials"] for row in denied] == [["abroad:up/cheap"]]
        await house.parts.ledger.close()


@given(st.text(max_size=300), st.text(max_size=300))
def test_likeness_is_the_same_both_ways_and_between_nothing_and_one(one: str, other: str) -> None:
    found = likeness(one, other)
    assert found == likeness(other, one)
    assert found is None or 0 <= found <= 1
    assert likeness(one, one) in (None, 1)


def test_of_a_long_answer_the_beginning_is_compared() -> None:
    assert opening_of(["ab", "cd"]) == "abcd"
    assert len(opening_of(["x" * 10_000] * 5)) == 16_384


@pytest.mark.parametrize("share", ["0.05", "0.5"])
def test_about_the_share_that_is_set_is_copied(share: str) -> None:
    shadow = ShadowSettings(provider="up", variant="next", share=Decimal(share))
    drawn = sum(len(list(_drawn((shadow,), f"op_{number:032x}"))) for number in range(4000))
    assert abs(drawn / 4000 - float(share)) < 0.03


@pytest.mark.asyncio(loop_scope="module")
async def test_a_target_that_was_rolled_back_gets_no_new_calls_and_ends_those_it_has(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    text = config().replace(
        "{model: m, targets: [{provider: up}]}",
        "{model: m, targets: [{provider: up, model: cheap, variant: canary}, {provider: up, variant: stable}]}",
    )
    with one_worker(tmp_path_factory.mktemp("rolled"), text) as house:
        off = Switches(
            [Switch(id="kil_1", target=parse_target("variant:m/canary"), reason="worse", by="flyball", since_ns=1)]
        )
        snapshot = house.rooms.snapshot()
        current = [snapshot]
        house.rooms.snapshot = lambda: current[0]

        async def roll_back() -> None:
            current[0] = replace(snapshot, switches=off)
            end_switched(house.rooms)

        (row,) = await called(house, chat(stream=True), Answer(EVENT, roll_back, EVENT, USAGE, DONE))
        assert (row["variant"], row["outcome"], row["model"]) == ("canary", "ok", "m")
        (row,) = await called(house, chat(), completion("Hello"))
        assert (row["variant"], row["outcome"]) == ("stable", "ok")
        assert [each["variant"] for each in house.rows("attempts")] == ["canary", "stable"]
        await house.parts.ledger.close()
