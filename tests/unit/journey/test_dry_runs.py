"""`POST /v1/flyball/route`: where a call would go, as the call itself then goes; nothing is sent, held or written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.policy import parse_target
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, one_worker
from tests.unit.journey.test_routing_told import CHEAP, CONFIG, TOOL


@pytest.fixture
def house(tmp_path: Path) -> Iterator[OneWorker]:
    with one_worker(tmp_path, CONFIG) as made:
        yield made


async def told(house: OneWorker, body: bytes, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    client = await house.call(Client(body, path="/v1/flyball/route", headers=list(headers)))
    assert client.status == 200, client.text
    found: dict[str, Any] = json.loads(client.text)
    return found


async def test_it_tells_what_the_call_then_does_and_does_nothing_itself(house: OneWorker) -> None:
    body = chat(model="pool", tools=[TOOL])
    found = await told(house, body)
    assert house.rows() == [] and house.rooms.open_holds == 0
    await house.call(Client(body), Answer(CHEAP, headers=JSON_HEADERS))
    row = json.loads(house.rows()[-1]["routing"])
    assert {name: found[name] for name in ("strategy", "candidates", "left_out")} == row
    assert (found["requested_model"], found["route"], found["refused"]) == ("pool", "pool", None)
    assert found["estimate"]["output_tokens"] == 50
    await house.parts.ledger.close()


async def test_a_step_and_a_single_target_are_told(house: OneWorker) -> None:
    found = await told(house, chat(), (b"x-flyball-step", b"classify"))
    assert (found["requested_model"], found["model"], found["route"]) == ("m", "small", "small")
    assert found["reason"] == "small in the place of m: step classify of agent bot"
    assert [(each["provider"], each["model"]) for each in found["candidates"]] == [("b", "cheap")]
    await house.parts.ledger.close()


async def test_what_would_refuse_the_call_is_a_part_of_the_answer(house: OneWorker) -> None:
    house.stores.switches.set(parse_target("model:cheap"), reason="slow", by="anna")
    house.stores.switches.set(parse_target("model:small"), reason="slow", by="anna")
    house.parts.configured.reload_switches()
    found = await told(house, chat(model="pool", tools=[TOOL]))
    assert {each["model"]: each["why"] for each in found["left_out"]}["cheap"] == "the kill switch model:cheap is set"
    found = await told(house, chat(), (b"x-flyball-step", b"classify"))
    assert (found["refused"]["code"], found["candidates"]) == ("policy_denied", [])
    assert house.rows("decisions") == []
    await house.parts.ledger.close()


async def test_who_has_no_key_and_who_has_no_body_is_refused(house: OneWorker) -> None:
    assert (await house.call(Client(b"{", path="/v1/flyball/route"))).status == 400
    stranger = Client(chat(), path="/v1/flyball/route", headers=[(b"x-flyball-key", b"nobody")])
    assert (await house.call(stranger)).status == 401
    assert (await house.call(Client(b"", path="/v1/flyball/route", method="GET"))).answered[b"allow"] == b"POST"
    await house.parts.ledger.close()
