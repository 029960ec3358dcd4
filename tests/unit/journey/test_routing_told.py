"""A row tells how its target was chosen, and what the model that was asked for would have cost."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.core.money import exact_usd
from proxy.policy import parse_target
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, one_worker

USAGE = b'"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}'
CHEAP = b'{"model":"cheap","choices":[],' + USAGE + b"}"
CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
providers: {a: {base_url: "http://127.0.0.1:9/v1"}, b: {base_url: "http://127.0.0.1:9/v1"}}
routes:
  - model: pool
    strategy: cheapest
    targets: [{provider: a, model: m}, {provider: b, model: cheap}, {provider: b, model: embed, capabilities: []}]
  - {model: small, targets: [{provider: b, model: cheap}]}
  - {model: "*", targets: [{provider: a}]}
agents: {bot: {models: [m], steps: {classify: small}}}
prices: {overlay: prices.yaml}
tenants: [{org: acme, teams: [{team: support, keys: [{name: bot, key_env: BOT_KEY}]}]}]
"""
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[OneWorker]:
    with one_worker(tmp_path, CONFIG) as made:
        yield made


async def test_the_choice_and_what_the_first_target_would_have_cost(house: OneWorker) -> None:
    await house.call(Client(chat(model="pool", tools=[TOOL])), Answer(CHEAP, headers=JSON_HEADERS))
    row = house.rows()[-1]
    told = json.loads(row["routing"])
    assert told["strategy"] == "cheapest"
    assert [(each["provider"], each["model"]) for each in told["candidates"]] == [("b", "cheap"), ("a", "m")]
    scores = [each["score"] for each in told["candidates"]]
    assert scores[1] == 10 * scores[0]
    assert all("expected to cost" in each["why"] for each in told["candidates"])
    assert told["left_out"] == [{"provider": "b", "model": "embed", "why": "does not take tools"}]
    assert exact_usd(row["cost_usd"]) == 1000 * 1_000 + 100 * 10_000
    assert exact_usd(row["asked_usd"]) == 1000 * 10_000 + 100 * 100_000
    await house.parts.ledger.close()


async def test_a_step_tells_what_the_clients_own_model_would_have_cost(house: OneWorker) -> None:
    headers = [(b"x-flyball-step", b"classify")]
    await house.call(Client(chat(), headers=headers), Answer(CHEAP, headers=JSON_HEADERS))
    row = house.rows()[-1]
    assert "routing" not in row  # there was one target
    assert (row["requested_model"], exact_usd(row["asked_usd"])) == ("m", 20_000_000)
    await house.parts.ledger.close()


async def test_the_first_target_tells_of_no_other_and_one_target_of_no_choice(house: OneWorker) -> None:
    house.stores.switches.set(parse_target("model:cheap"), reason="slow", by="anna")
    house.parts.configured.reload_switches()
    await house.call(Client(chat(model="pool", tools=[TOOL])), Answer(CHEAP, headers=JSON_HEADERS))
    row = house.rows()[-1]
    left_out = json.loads(row["routing"])["left_out"]
    assert {"provider": "b", "model": "cheap", "why": "the kill switch model:cheap is set"} in left_out
    assert "asked_usd" not in row
    await house.call(Client(chat()), Answer(CHEAP, headers=JSON_HEADERS))
    assert not {"routing", "asked_usd"} & house.rows()[-1].keys()
    await house.parts.ledger.close()


async def test_a_call_that_reached_nobody_has_no_price_of_what_it_asked_for(house: OneWorker) -> None:
    refused = Answer(b'{"error":{"message":"busy"}}', status=400, headers=JSON_HEADERS)
    await house.call(Client(chat(model="pool")), refused)
    assert "asked_usd" not in house.rows()[-1]
    await house.parts.ledger.close()
