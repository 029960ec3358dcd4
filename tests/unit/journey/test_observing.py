"""`enforcement: observe`: nothing but a bad key is refused, and the row says what would have been."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness.one_worker import DONE, EVENT, JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

BODY = json.dumps(
    {"model": "m", "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}}
).encode()


@asynccontextmanager
async def house(folder: Path, text: str) -> AsyncIterator[OneWorker]:
    with one_worker(folder, text) as made:
        try:
            yield made
        finally:
            await made.parts.ledger.close()


async def served(worker: OneWorker, client: Client) -> dict[str, Any]:
    await worker.call(client, Answer(BODY, headers=JSON_HEADERS))
    assert client.status == 200, client.text
    return worker.rows()[-1]


OBSERVE = "enforcement: observe"


async def test_a_budget_that_is_observed_refuses_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, config(budget="limit_usd: 0.003, enforcement: observe")) as worker:
        row = await served(worker, Client(chat()))
        assert (row["would_code"], row["would_by"]) == ("budget_exceeded", "key:acme/support/bot/own")
        assert (row.get("code", ""), row["outcome"]) == ("", "ok")
        row = await served(worker, Client(chat(max_tokens=1)))
        assert "would_code" not in row


async def test_what_would_not_be_refused_says_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, config(more=OBSERVE)) as worker:
        assert "would_code" not in await served(worker, Client(chat()))


@pytest.mark.parametrize(
    ("budget", "more", "code", "by"),
    [
        ("limit_usd: 0.001", "", "budget_exceeded", "key:acme/support/bot/own"),
        ("limit_usd: 0.001, ladder: [{at: 0.5, do: cache_only}]", "", "budget_exceeded", "key:acme/support/bot/own"),
        (
            "limit_usd: 9",
            'rate_limits: [{name: rate, scope: "org:acme", limit_tokens: 9}]',
            "rate_limited",
            "org:acme/rate",
        ),
        ("limit_usd: 9", "runs: {limits: [{tokens: 9}]}", "run_stopped", "run:acme/r1/runs of *"),
    ],
)
async def test_everything_may_only_be_observed(tmp_path: Path, budget: str, more: str, code: str, by: str) -> None:
    async with house(tmp_path, config(budget=budget, more=f"{more}\n{OBSERVE}")) as worker:
        row = await served(worker, Client(chat(), headers=[(b"x-flyball-run", b"r1")]))
    assert (row["would_code"], row["would_by"]) == (code, by)
    assert "ladder" not in row


async def test_a_model_that_the_key_may_not_use_is_written_down(tmp_path: Path) -> None:
    text = config(more=OBSERVE).replace("key_env: BOT_KEY", "key_env: BOT_KEY, models: [other]")
    async with house(tmp_path, text) as worker:
        row = await served(worker, Client(chat()))
    assert (row["would_code"], row["would_by"]) == ("model_not_allowed", "key:acme/support/bot/models")


async def test_a_policys_no_is_written_down(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    rule = 'package flyball.request\ndeny contains {"code": "weekend", "msg": "Not on weekends."}'
    (tmp_path / "rules" / "weekend.rego").write_text(rule)
    more = f'\npolicy: {{dir: "{tmp_path / "rules"}"}}\n'
    async with house(tmp_path, config(more=OBSERVE + more)) as worker:
        row = await served(worker, Client(chat()))
    assert (row["would_code"], row["would_by"]) == ("policy_denied", "policy/weekend")


async def test_a_model_without_a_price_is_written_down(tmp_path: Path) -> None:
    text = config(more=OBSERVE).replace("{model: m,", "{model: 'x*', targets: [{provider: up}]}, {model: m,")
    async with house(tmp_path, text) as worker:
        client = Client(chat(model="x-unheard-of"))
        await worker.call(client, Answer(BODY.replace(b'"m"', b'"x-unheard-of"'), headers=JSON_HEADERS))
        (row,) = worker.rows()
    assert client.status == 200
    assert (row["would_code"], row["would_by"]) == ("unpriced_model", "key:acme/support/bot/own")


async def test_a_stream_is_not_cut(tmp_path: Path) -> None:
    async with house(tmp_path, config(budget="limit_usd: 0.0001", more=OBSERVE)) as worker:
        body = chat(stream=True, max_tokens=None)
        client = await worker.call(Client(body), Answer(*[EVENT] * 3000, DONE))
        (row,) = worker.rows()
    assert client.text.count(b"Hi") == 3000
    assert (row["outcome"], row["would_code"]) == ("ok", "budget_exceeded")


async def test_a_bad_key_is_refused_all_the_same(tmp_path: Path) -> None:
    async with house(tmp_path, config(more=OBSERVE)) as worker:
        client = Client(chat(), headers=[(b"x-api-key", b"fb-not-a-key-0123456789-abcdef")])
        scope = client.scope
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
        await worker.parts.port(scope, client.receive, client.send)
    assert client.status == 401
