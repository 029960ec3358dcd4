"""Candidates that do not take what a request asks are left out before any is ranked; none left is a refusal that names
the field, and no call. What is left is ranked as an exhaustive search would."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from proxy.core.refusal import Refusal, Refused
from proxy.core.usage import Bucket, Usage, UsageSource
from proxy.journey.state import Journey
from proxy.pricing import price
from proxy.wire.endpoint import Endpoint
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, one_worker
from tests.harness.routed import routed

CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
providers: {a: {base_url: "http://127.0.0.1:9/v1"}, b: {base_url: "http://127.0.0.1:9/v1"}}
routes:
  - model: pool
    strategy: cheapest
    targets:
      - {provider: a, model: wide}
      - {provider: a, model: plain, capabilities: []}
      - {provider: a, model: small, context_tokens: 700, capabilities: [tools, structured_output]}
      - {provider: b, model: tiered, capabilities: [tools, images]}
      - {provider: b, model: limited, capabilities: [images, audio, files, structured_output]}
      - {provider: b, model: nowhere}
  - model: two
    targets: [{provider: a, model: small, capabilities: [tools]}, {provider: a, model: plain, capabilities: []}]
  - {model: narrow, targets: [{provider: a, model: small, context_tokens: 300}]}
prices: {overlay: pool.yaml}
tenants: [{org: acme, teams: [{team: support, keys: [{name: bot, key_env: BOT_KEY}]}]}]
budgets: [{name: own, scope: "key:acme/support/bot", window: total, hard: true, limit_usd: 100000}]
"""
PRICES = """
models:
  wide: {input_usd_per_mtok: 12, output_usd_per_mtok: 40, max_input_tokens: 200000, since: 2026-01-01, source: test}
  plain: {input_usd_per_mtok: 2, output_usd_per_mtok: 9, max_output_tokens: 300, since: 2026-01-01, source: test}
  small: {input_usd_per_mtok: 1, output_usd_per_mtok: 20, since: 2026-01-01, source: test}
  tiered:
    input_usd_per_mtok: 1
    output_usd_per_mtok: 12
    context: [{above_tokens: 500, input_usd_per_mtok: 9, output_usd_per_mtok: 18}]
    service_tiers: {flex: {multiplier: 0.5}}
    since: 2026-01-01
    source: test
  limited: {input_usd_per_mtok: 3, output_usd_per_mtok: 8, max_input_tokens: 2000, since: 2026-01-01, source: test}
"""
TAKES: dict[str, set[str] | None] = {
    "wide": None,
    "plain": set(),
    "small": {"tools", "structured_output"},
    "tiered": {"tools", "images"},
    "limited": {"images", "audio", "files", "structured_output"},
}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
WORDS = [40, 400, 900, 1500, 4000]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[OneWorker]:
    (tmp_path / "pool.yaml").write_text(PRICES)
    with one_worker(tmp_path, CONFIG) as made:
        yield made


def drawn(random: Random) -> tuple[bytes, set[str]]:
    """A request, and what it asks."""
    asks = {each for each in ("tools", "images", "audio", "structured_output") if random.random() < 0.3}
    content: list[dict[str, Any]] = [{"type": "text", "text": "word " * random.choice(WORDS)}]
    content += [IMAGE] if "images" in asks else []
    content += [SOUND] if "audio" in asks else []
    body: dict[str, Any] = {"model": "pool", "messages": [{"role": "user", "content": content}]}
    if random.random() < 0.7:
        body["max_tokens"] = random.choice([1, 100, 400, 5000])
    if random.random() < 0.3:
        body["n"] = 3
    if random.random() < 0.3:
        body["service_tier"] = "flex"
    if "tools" in asks:
        body["tools"] = [TOOL]
    if "structured_output" in asks:
        body["response_format"] = {"type": "json_object"}
    return json.dumps(body).encode(), asks


async def fitting(house: OneWorker, body: bytes, asks: set[str]) -> list[str]:
    """By exhaustive search: which targets take the request."""
    taking = [name for name, takes in TAKES.items() if takes is None or asks <= takes]
    tokens = (await house.rooms.counter.count_input("pool", Endpoint.CHAT, body)).tokens
    most = json.loads(body).get("max_tokens", 0)
    windows = {"wide": 200_000, "small": 700 - most, "limited": 2000}
    within = [name for name in taking if tokens <= windows.get(name, tokens)]
    # A count that is not exact refuses nothing before it is half as much again.
    return within or [name for name in taking if tokens * 2 // 3 <= windows.get(name, tokens)]


def cost(house: OneWorker, journey: Journey, name: str) -> int:
    """What the billing of such a call would come to."""
    snapshot, facts = house.rooms.snapshot(), journey.request
    entry = snapshot.prices.find("", [name], journey.at)
    assert entry is not None
    output = min(500, facts.max_output_tokens or 500) * facts.choices
    if entry.max_output is not None:
        output = min(output, entry.max_output * facts.choices)
    tokens = {Bucket.INPUT: journey.estimate.input_tokens, Bucket.OUTPUT: output}
    used = Usage(tokens=tokens, source=UsageSource.PROVIDER, service_tier=facts.service_tier)
    return price(used, entry, journey.at).cost


async def test_the_cheapest_of_those_that_fit_is_found_ten_thousand_times(house: OneWorker) -> None:
    random = Random(7)
    served, refusals = set(), 0
    for number in range(10_000):
        body, asks = drawn(random)
        wanted = await fitting(house, body, asks)
        try:
            journey = await routed(house, body, number=number)
        except Refused as refused:
            assert refused.why is Refusal.CAPABILITY_MISSING and not wanted
            refusals += 1
            continue
        ranking = journey.ranking
        assert ranking is not None and journey.candidate == ranking.order[0].candidate
        assert {each.candidate.model for each in ranking.order} == set(wanted)
        assert {each.candidate.model for each in ranking.left_out} == {*TAKES, "nowhere"} - set(wanted)
        costs = {name: cost(house, journey, name) for name in wanted}
        assert [each.score for each in ranking.order] == sorted(costs.values())
        assert ranking.order[0].candidate.model == min(wanted, key=lambda name: costs[name])
        served.add(ranking.order[0].candidate.model)
    assert served == set(TAKES) and refusals == 0


@pytest.mark.parametrize(
    ("more", "field", "missing"),
    [
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages", ["images"]),
        ({"response_format": {"type": "json_object"}}, "response_format", ["structured_output"]),
        ({"tools": [TOOL], "messages": [{"role": "user", "content": [SOUND]}]}, "messages", ["audio"]),
    ],
)
async def test_what_no_target_takes_is_refused_by_its_field_and_nobody_is_asked(
    house: OneWorker, more: dict[str, Any], field: str, missing: list[str]
) -> None:
    client = await house.call(Client(chat(model="two", **more)))
    error = json.loads(client.text)["error"]
    assert (client.status, error["code"], error["param"]) == (400, "capability_missing", field)
    assert error["flyball"]["missing"] == missing
    row = house.rows()[-1]
    assert row["outcome"] == "refused" and "attempts" not in row
    await house.parts.ledger.close()


async def test_one_that_takes_it_serves(house: OneWorker) -> None:
    journey = await routed(house, chat(model="two", tools=[TOOL]))
    assert journey.candidate is not None and journey.candidate.model == "small"
    assert journey.ranking is not None
    assert [each.why for each in journey.ranking.left_out] == ["does not take tools"]


async def test_a_prompt_too_long_for_every_target_is_refused_and_no_failure_of_theirs(house: OneWorker) -> None:
    body = chat(model="narrow", messages=[{"role": "user", "content": "word " * 900}])
    client = await house.call(Client(body))
    error = json.loads(client.text)["error"]
    assert (client.status, error["code"], error["param"]) == (400, "capability_missing", "messages")
    assert "at least" in error["message"] and error["flyball"]["context_tokens"] == 250
    await house.parts.ledger.close()


async def test_a_prompt_that_may_fit_is_let_through(house: OneWorker) -> None:
    """Some 260 tokens by a count with a margin: more than 250, and yet no reason to refuse."""
    answer = Answer(
        b'{"model":"small","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}', headers=JSON_HEADERS
    )
    client = await house.call(
        Client(chat(model="narrow", messages=[{"role": "user", "content": "word " * 225}])), answer
    )
    assert client.status == 200
    await house.parts.ledger.close()
