"""An agent's steps get models of their own, by what the client says or by a rule on the request; rows say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, one_worker

ANSWER = b'{"model":"cheap","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}'
CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
providers: {up: {base_url: "http://127.0.0.1:9/v1"}}
routes:
  - {model: small, targets: [{provider: up, model: cheap}]}
  - {model: large, targets: [{provider: up, model: m}]}
  - {model: "*", targets: [{provider: up}]}
agents:
  triage:
    models: ["auto", "m"]
    steps: {classify: small, validate: large}
    rules: [{when: {asks: [tools]}, model: large}, {when: {max_bytes: 200}, model: small}]
    otherwise: large
  other: {orgs: [beta], otherwise: small}
  bot: {steps: {draft: small}}
prices: {overlay: prices.yaml}
tenants:
  - {org: acme, teams: [{team: support, keys: [{name: bot, key_env: BOT_KEY, models: [auto, m, cheap], AGENTS}]}]}
"""
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
LONG = [{"role": "user", "content": "word " * 100}]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[OneWorker]:
    with one_worker(tmp_path, CONFIG.replace("AGENTS", "agents: [triage, other]")) as made:
        yield made


async def served(house: OneWorker, body: bytes, agent: str, step: str = "") -> tuple[str, dict[bytes, bytes]]:
    headers = [(b"x-flyball-agent", agent.encode()), *([(b"x-flyball-step", step.encode())] if step else [])]
    client = await house.call(Client(body, headers=headers), Answer(ANSWER, headers=JSON_HEADERS))
    assert client.status == 200, client.text
    return house.rooms.transport.seen[0].body.decode(), client.answered  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("step", "more", "sent"),
    [
        ("classify", {"messages": LONG}, "cheap"),
        ("validate", {}, "m"),
        ("unknown", {"tools": [TOOL]}, "m"),
        ("", {}, "cheap"),
        ("", {"messages": LONG}, "m"),
    ],
)
async def test_a_step_gets_its_model(house: OneWorker, step: str, more: dict[str, Any], sent: str) -> None:
    body, headers = await served(house, chat(model="auto", **more), "triage", step)
    assert f'"model": "{sent}"' in body
    row = house.rows()[-1]
    assert (row["requested_model"], row["route"]) == ("auto", {"cheap": "small", "m": "large"}[sent])
    assert "in the place of auto" in row["reason"] and row["reason"].encode() in headers[b"x-flyball-reason"]
    await house.parts.ledger.close()


@pytest.mark.parametrize(
    ("agent", "model"),
    [("triage", "cheap"), ("other", "m")],  # a name that is not replaced; the profile of another organisation's agent
)
async def test_other_calls_are_left_alone(house: OneWorker, agent: str, model: str) -> None:
    body, _ = await served(house, chat(model=model), agent, "classify")
    assert f'"model": "{model}"' in body
    assert "reason" not in house.rows()[-1]
    await house.parts.ledger.close()


async def test_a_key_that_lists_no_agents_is_one_by_its_name(tmp_path: Path) -> None:
    with one_worker(tmp_path, CONFIG.replace("AGENTS", "agents: []")) as made:
        body, _ = await served(made, chat(), "whatever", "draft")
        assert '"model": "cheap"' in body
        await made.parts.ledger.close()


async def test_the_keys_own_list_is_of_what_its_client_names(house: OneWorker) -> None:
    client = await house.call(Client(chat(model="large"), headers=[(b"x-flyball-agent", b"triage")]))
    assert client.status == 403
    await house.parts.ledger.close()
