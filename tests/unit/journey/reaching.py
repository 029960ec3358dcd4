"""A worker whose routes have several targets, all scripted; what a call asked of them, and what it cost."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from proxy.routing import Allowances, Health, HealthSettings
from tests.harness.one_worker import JSON_HEADERS, Answer, OneWorker, Upstream, one_worker

USAGE: Final = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}\n\n'
ROLE: Final = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
TOLD: Final = 7 * 10_000 + 2 * 100_000
A_AND_B: Final = "targets: [{provider: a, model: m}, {provider: b, model: m}]"
CONFIG: Final = f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}}
providers:
  a: {{base_url: "http://127.0.0.1:9/v1"}}
  b: {{base_url: "http://127.0.0.1:9/v1"}}
  drains: {{base_url: "http://127.0.0.1:9/v1", on_client_disconnect: drain}}
  claude: {{base_url: "http://127.0.0.1:9", dialect: anthropic}}
  claude-too: {{base_url: "http://127.0.0.1:9", dialect: anthropic}}
routes:
  - {{model: both, {A_AND_B}}}
  - {{model: never, {A_AND_B}, fallback: {{when: []}}}}
  - {{model: strict, {A_AND_B}, fallback: {{when: [invalid_json, content_filter]}}}}
  - {{model: again, targets: [{{provider: a, model: m}}], retry: {{times: 2, base_ms: 1, retry_after_s: 0.05}}}}
  - {{model: unsafe, targets: [{{provider: a, model: m}}], retry: {{times: 1, base_ms: 1, after_sent: true}}}}
  - {{model: again-both, {A_AND_B}, retry: {{times: 1, base_ms: 1, retry_after_s: 0.05}}}}
  - {{model: slow, {A_AND_B}, fallback: {{slow_start_ms: 40}}}}
  - model: slow-drains
    targets: [{{provider: drains, model: m}}, {{provider: b, model: m}}]
    fallback: {{slow_start_ms: 40}}
  - {{model: hedged, {A_AND_B}, hedge: {{after_ms: 40}}}}
  - {{model: translated, targets: [{{provider: a, model: m}}, {{provider: claude, model: m}}]}}
  - {{model: hasty, {A_AND_B}, fallback: {{hold_back_ms: 40}}}}
  - {{model: claude, targets: [{{provider: claude, model: m}}, {{provider: claude-too, model: m}}]}}
  - model: dearer
    targets: [{{provider: a, model: cheap}}, {{provider: b, model: m}}, {{provider: b, model: cheap}}]
    fallback: {{max_cost_ratio: 2}}
  - model: three
    targets: [{{provider: a, model: cheap}}, {{provider: b, model: m}}, {{provider: drains, model: cheap}}]
    fallback: {{max_attempts: 2}}
prices: {{overlay: prices.yaml}}
tenants: [{{org: acme, teams: [{{team: support, keys: [{{name: bot, key_env: BOT_KEY}}]}}]}}]
budgets: [{{name: own, scope: "key:acme/support/bot", window: total, hard: true, limit_usd: 1000}}]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneWorker]:
    with one_worker(tmp_path_factory.mktemp("house"), CONFIG) as made:
        yield made
        await made.parts.ledger.close()


@pytest.fixture
def house(one_house: OneWorker) -> OneWorker:
    """The worker; nothing is known of its targets."""
    one_house.rooms.health = Health(HealthSettings(), one_house.rooms.clock)
    one_house.rooms.allowances = Allowances()
    return one_house


def whole(content: str = "Hi", finish_reason: str = "stop") -> Answer:
    """An answer in one piece."""
    message = {"role": "assistant", "content": content}
    body = {
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
    }
    return Answer(json.dumps(body).encode(), headers=JSON_HEADERS)


def refusal(status: int, code: str = "server_error", *headers: tuple[bytes, bytes]) -> Answer:
    """An error of that status."""
    body = json.dumps({"error": {"message": "no", "type": code, "param": None, "code": code}}).encode()
    return Answer(body, status=status, headers=[*JSON_HEADERS, *headers])


async def silence() -> None:
    """An upstream that never goes on."""
    await asyncio.sleep(3600)


def asked(house: OneWorker) -> list[str]:
    """The providers that got requests of the last call, in order."""
    assert isinstance(house.rooms.transport, Upstream)
    return [request.provider.name for request in house.rooms.transport.seen]


def attempts(house: OneWorker) -> list[dict[str, Any]]:
    """The attempt rows of the last call."""
    operation = house.rows()[-1]["operation_id"]
    return [each for each in house.rows("attempts") if each["operation_id"] == operation]


def nano(dollars: str) -> int:
    """Dollars with nine digits as whole nano-dollars."""
    return int(dollars.replace(".", ""))


async def settled(house: OneWorker, spent: int) -> int:
    """What the last call has cost: its row, its attempts and the budget say the same, and nothing is held."""
    cost = nano(house.rows()[-1]["cost_usd"])
    assert sum(nano(each["cost_usd"]) for each in attempts(house)) == cost
    assert await house.standing() == (spent + cost, 0)
    assert "overrun_usd" not in house.rows()[-1]
    return cost
