"""Conversations of many turns over three deployments that cache prompts: where they stay, and what moving costs."""

import json
from collections import Counter
from pathlib import Path

import pytest

from proxy.core.money import exact_usd
from proxy.policy import parse_target
from proxy.upstream import UpstreamRequest
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, one_worker

TURNS = 50
CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
providers:
  one: {base_url: "http://127.0.0.1:9/v1"}
  two: {base_url: "http://127.0.0.1:9/v1"}
  three: {base_url: "http://127.0.0.1:9/v1"}
routes:
  - {model: m, strategy: STRATEGY, targets: [{provider: one}, {provider: two}, {provider: three}]}
prices: {overlay: cached.yaml}
tenants: [{org: acme, teams: [{team: support, keys: [{name: bot, key_env: BOT_KEY}]}]}]
"""
PRICES = """
models:
  m: {input_usd_per_mtok: 10, cache_read_usd_per_mtok: 1, output_usd_per_mtok: 30, since: 2026-01-01, source: test}
"""


class Deployments:
    """Three deployments of a model, each with a prompt cache of its own: what it has read of a conversation before is
    cached the next time."""

    def __init__(self) -> None:
        self.read: dict[tuple[str, str], int] = {}
        self.served: list[str] = []
        self.failing = ""

    async def send(self, request: UpstreamRequest) -> Answer:
        body = json.loads(request.body)
        name = request.provider.name
        if name == self.failing:
            return Answer(b'{"error":{"message":"broken"}}', status=500, headers=JSON_HEADERS)
        self.served.append(name)
        key = (name, body["messages"][0]["content"])
        prompt = 500 * len(body["messages"])
        cached, self.read[key] = self.read.get(key, 0), prompt
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": 100,
            "total_tokens": prompt + 100,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        return Answer(json.dumps({"model": "m", "choices": [], "usage": usage}).encode(), headers=JSON_HEADERS)

    async def close(self) -> None:
        """Nothing is open."""


async def turn(house: OneWorker, name: str, number: int, *, run: bool) -> None:
    messages = [{"role": "user", "content": name}]
    for each in range(number):
        messages += [{"role": "assistant", "content": f"a{each}"}, {"role": "user", "content": f"q{each}"}]
    body = json.dumps({"model": "m", "messages": messages, "max_tokens": 100}).encode()
    client = Client(body, headers=[(b"x-flyball-run", name.encode())] if run else [])
    await house.parts.port(client.scope, client.receive, client.send)
    assert client.status == 200, client.text


async def conversations(
    folder: Path, strategy: str, *, run: bool = True, count: int = 4, turns: int = TURNS
) -> tuple[list[Counter[str]], int]:
    """Who served the turns of each conversation, and what all of them cost in nano-dollars."""
    (folder / "cached.yaml").write_text(PRICES)
    with one_worker(folder, CONFIG.replace("STRATEGY", strategy)) as house:
        house.rooms.transport = deployments = Deployments()
        served = []
        for each in range(count):
            del deployments.served[:]
            for number in range(turns):
                await turn(house, f"talk {each}", number, run=run)
            served.append(Counter(deployments.served))
        cost = sum(exact_usd(row["cost_usd"]) for row in house.rows())
        await house.parts.ledger.close()
    return served, cost


@pytest.mark.parametrize(("strategy", "run"), [("sticky", True), ("sticky", False), ("cache_aware", True)])
async def test_every_turn_is_served_by_the_same_deployment(tmp_path: Path, strategy: str, run: bool) -> None:
    served, _ = await conversations(tmp_path, strategy, run=run)
    assert all(max(each.values()) >= 0.98 * TURNS for each in served)
    (tmp_path / "more").mkdir()
    many, _ = await conversations(tmp_path / "more", strategy, run=run, count=30, turns=1)
    assert len({name for each in many for name in each}) > 1  # and not all by one


async def test_what_the_prompt_cache_saves(tmp_path_factory: pytest.TempPathFactory) -> None:
    """docs/routing.md tells these numbers."""
    together_in, spread_in = tmp_path_factory.mktemp("together"), tmp_path_factory.mktemp("spread")
    (_, together), (_, spread) = (
        await conversations(together_in, "sticky"),
        await conversations(spread_in, "weighted"),
    )
    # Per conversation: 1,250,000 tokens of prompts, 1,200,500 of them cached where all stay together.
    assert together == 4 * (49_500 * 10_000 + 1_200_500 * 1_000 + 5_000 * 30_000)
    assert spread >= together * 5 // 4


async def test_a_failure_moves_a_conversation_once(tmp_path: Path) -> None:
    (tmp_path / "cached.yaml").write_text(PRICES)
    with one_worker(tmp_path, CONFIG.replace("STRATEGY", "sticky")) as house:
        house.rooms.transport = deployments = Deployments()
        for number in range(10):
            await turn(house, "talk", number, run=True)
        home = deployments.served[0]
        switch = house.stores.switches.set(parse_target(f"provider:{home}"), reason="down", by="anna")
        house.parts.configured.reload_switches()
        for number in range(10, 20):
            await turn(house, "talk", number, run=True)
        house.stores.switches.lift(switch.id, by="anna")
        house.parts.configured.reload_switches()
        for number in range(20, TURNS):
            await turn(house, "talk", number, run=True)
        (refuge,) = set(deployments.served[10:])
        assert refuge != home and set(deployments.served[:10]) == {home}
        await house.parts.ledger.close()


async def test_a_provider_that_fails_moves_a_conversation_once(tmp_path: Path) -> None:
    """The turn that fails is served by the next target, and there the conversation stays when the first is back."""
    (tmp_path / "cached.yaml").write_text(PRICES)
    with one_worker(tmp_path, CONFIG.replace("STRATEGY", "sticky")) as house:
        house.rooms.transport = deployments = Deployments()
        for number in range(TURNS):
            deployments.failing = deployments.served[0] if number == 10 else ""
            await turn(house, "talk", number, run=True)
        assert len(deployments.served) == TURNS
        (refuge,) = set(deployments.served[10:])
        assert {refuge} != set(deployments.served[:10]) and len(set(deployments.served[:10])) == 1
        assert max(Counter(deployments.served).values()) == TURNS - 10
        await house.parts.ledger.close()
