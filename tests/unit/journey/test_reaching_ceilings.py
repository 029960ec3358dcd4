"""Whatever its targets do, a call stays within its route's ceilings and its budget, and every attempt is paid for."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.routing import Allowances, Health, HealthSettings
from proxy.upstream import UpstreamFailed
from tests.harness.one_worker import DONE, EVENT, JSON_HEADERS, Answer, Client, OneWorker, Upstream, chat, one_worker

MOST_ATTEMPTS: Final = 4
MOST_RETRIES: Final = 2
RATIO: Final = 3
WORST_NANO: Final = 5_900_000
"""A call at the first target costs no more: fifty tokens of output, and a prompt of less than ninety."""
USAGE: Final = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}\n\n'
ROLE: Final = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
CONFIG: Final = f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}}
providers:
  a: {{base_url: "http://127.0.0.1:9/v1"}}
  b: {{base_url: "http://127.0.0.1:9/v1"}}
  c: {{base_url: "http://127.0.0.1:9/v1"}}
routes:
  - model: all
    targets: [{{provider: a, model: m}}, {{provider: b, model: cheap}}, {{provider: c, model: m}}]
    fallback: {{max_attempts: {MOST_ATTEMPTS}, max_cost_ratio: {RATIO}}}
    retry: {{times: {MOST_RETRIES}, base_ms: 0, cap_ms: 0, retry_after_s: 0, after_sent: true}}
prices: {{overlay: prices.yaml}}
tenants: [{{org: acme, teams: [{{team: support, keys: [{{name: bot, key_env: BOT_KEY}}]}}]}}]
budgets:
  - {{name: own, scope: "key:acme/support/bot", window: total, hard: true, limit_usd: 1000}}
  - {{name: words, scope: "org:acme", window: total, hard: true, limit_tokens: 100000000}}
"""


def whole(finish_reason: str = "stop") -> Answer:
    """A good answer in one piece."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    return Answer(json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode(), headers=JSON_HEADERS)


def refusal(status: int) -> Answer:
    """An error of that status."""
    return Answer(b'{"error":{"message":"no","code":"x"}}', status=status, headers=JSON_HEADERS)


def failed(kind: Any, *, sent: bool) -> UpstreamFailed:
    """No answer."""
    return UpstreamFailed(kind, "as the story says", sent=sent)


WHOLE: Final[dict[str, Any]] = {
    "well": whole,
    "unreachable": lambda: failed("refused", sent=False),
    "timeout": lambda: failed("first_byte_timeout", sent=True),
    "reset": lambda: failed("reset", sent=True),
    "429": lambda: refusal(429),
    "400": lambda: refusal(400),
    "500": lambda: refusal(500),
    "529": lambda: refusal(529),
    "half": lambda: Answer(b'{"model"', failed("reset", sent=True), headers=JSON_HEADERS),
    "html": lambda: Answer(b"<html>", headers=[(b"content-type", b"text/html")]),
    "error": lambda: Answer(b'{"error":{"message":"no","type":"server_error"}}', headers=JSON_HEADERS),
}
STREAM: Final[dict[str, Any]] = {
    **WHOLE,
    "well": lambda: Answer(ROLE, EVENT, USAGE, DONE),
    "half": lambda: Answer(ROLE, EVENT, failed("reset", sent=True)),
    "before": lambda: Answer(ROLE, failed("idle_timeout", sent=True)),
    "error": lambda: Answer(ROLE, b'data: {"error":{"message":"no","type":"overloaded_error"}}\n\n'),
    "late error": lambda: Answer(ROLE, EVENT, b'data: {"error":{"message":"no"}}\n\n'),
}
stories = st.one_of(
    st.tuples(st.just(False), st.lists(st.sampled_from(sorted(WHOLE)), min_size=8, max_size=8)),
    st.tuples(st.just(True), st.lists(st.sampled_from(sorted(STREAM)), min_size=8, max_size=8)),
)


@dataclass
class House:
    """A worker and the loop it lives on."""

    runner: asyncio.Runner
    worker: OneWorker


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with asyncio.Runner() as runner:
        making = one_worker(tmp_path_factory.mktemp("house"), CONFIG)

        async def make() -> OneWorker:
            return making.__enter__()

        async def end() -> None:
            await worker.parts.ledger.close()
            making.__exit__(None, None, None)

        worker = runner.run(make())
        yield House(runner, worker)
        runner.run(end())


@settings(max_examples=60, deadline=None)
@given(stories)
def test_no_ceiling_is_passed_and_every_attempt_is_paid_for(house: House, story: tuple[bool, list[str]]) -> None:
    house.runner.run(_play(house.worker, *story))


async def _play(worker: OneWorker, streamed: bool, story: list[str]) -> None:
    rooms = worker.rooms
    rooms.health, rooms.allowances = Health(HealthSettings(), rooms.clock), Allowances()
    spent, _ = await worker.standing()
    scripts = STREAM if streamed else WHOLE
    client = Client(chat(stream=streamed, model="all"))
    await worker.call(client, *[scripts[each]() for each in story])
    assert isinstance(rooms.transport, Upstream)
    asked = [(each.provider.name, json.loads(each.body)["model"]) for each in rooms.transport.seen]
    row = worker.rows()[-1]
    made = [each for each in worker.rows("attempts") if each["operation_id"] == row["operation_id"]]
    assert 1 <= len(asked) == len(made) == row["attempts"] <= MOST_ATTEMPTS
    assert len(asked) - len(set(asked)) <= MOST_RETRIES
    assert [each.get("number", 1) for each in made] == list(range(1, len(made) + 1))
    costs = [nano(each["cost_usd"]) for each in made]
    assert nano(row["cost_usd"]) == sum(costs) <= RATIO * WORST_NANO
    assert "overrun_usd" not in row
    assert await worker.standing() == (spent + sum(costs), 0)
    assert nano(row["held_usd"]) >= sum(costs)
    *before, last = story[: len(asked)]
    assert "well" not in before, "who answers well is the last that is asked"
    is_well = last == "well" or (last == "html" and not streamed)  # of the last nobody asks whether it is an answer
    assert (row["outcome"] == "ok") == is_well
    assert client.status == 200 or last not in ("well", "late error")


def nano(dollars: str) -> int:
    """Dollars with nine digits as whole nano-dollars."""
    return int(dollars.replace(".", ""))
