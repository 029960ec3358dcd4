"""Rate limits and runs on a call: how they refuse, what they tell, and what they count once it is over."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import Balance, HoldLine, LedgerUnavailable
from tests.harness.one_worker import DONE, EVENT, JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

USAGE = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}
KEY_SCOPE = "key:acme/support/bot"


@asynccontextmanager
async def house(folder: Path, more: str) -> AsyncIterator[OneWorker]:
    with one_worker(folder, config(more=more)) as made:
        try:
            yield made
        finally:
            await made.parts.ledger.close()


def limited(rule: str) -> str:
    return f'rate_limits: [{{name: rate, scope: "{KEY_SCOPE}", {rule}}}]'


def answer(calls: int = 0) -> Answer:
    message = {"content": "", "tool_calls": [{"id": str(n), "function": {"name": "f"}} for n in range(calls)]}
    body = {"model": "m", "choices": [{"index": 0, "message": message}], "usage": USAGE}
    headers = [*JSON_HEADERS, (b"x-ratelimit-remaining-requests", b"77")]
    return Answer(json.dumps(body).encode(), headers=headers)


async def ask(worker: OneWorker, *, run: str = "", calls: int = 0, **more: Any) -> Client:
    headers = [(b"x-flyball-run", run.encode())] if run else []
    return await worker.call(Client(chat(**more), headers=headers), answer(calls))


async def balances(worker: OneWorker, scope: str = KEY_SCOPE) -> dict[str, Balance]:
    lines: tuple[HoldLine, ...] = worker.rooms.snapshot().budgets.lines_for((scope,), worker.rooms.clock.now_ns())
    return {balance.line.name: balance for balance in await worker.rooms.ledger.balances(lines)}


async def test_too_many_requests_are_answered_429_with_a_time(tmp_path: Path) -> None:
    async with house(tmp_path, limited("limit_requests: 2, window: hour")) as worker:
        first, second, third = [await ask(worker) for _ in range(3)]
        rows = worker.rows()
    assert [first.status, second.status, third.status] == [200, 200, 429]
    error = json.loads(third.text)["error"]
    facts = error["flyball"]
    assert (error["code"], error["type"]) == ("rate_limited", "rate_limit_error")
    assert (facts["rate_limit"], facts["limit_requests"], facts["spent_requests"]) == ("rate", 2, 2)
    assert facts["wanted_requests"] == 1
    assert 1 <= int(third.answered[b"retry-after"]) <= 60
    assert facts["resets_at"] is not None
    assert b"x-should-retry" not in third.answered
    assert (rows[-1]["code"], rows[-1]["status"], rows[-1]["outcome"]) == ("rate_limited", 429, "refused")


async def test_our_limits_are_told_in_the_drafts_words_and_the_providers_pass(tmp_path: Path) -> None:
    async with house(tmp_path, limited("limit_requests: 2, window: hour")) as worker:
        told = [(await ask(worker)).answered for _ in range(3)]
    assert [each[b"ratelimit-policy"] for each in told] == [b'"rate";q=2;w=3600'] * 3
    assert [each[b"ratelimit"].partition(b";t=")[0] for each in told] == [b'"rate";r=1', b'"rate";r=0', b'"rate";r=0']
    assert all(0 < int(each[b"ratelimit"].partition(b";t=")[2]) <= 3600 for each in told)
    assert told[0][b"x-ratelimit-remaining-requests"] == b"77"


@pytest.mark.parametrize(
    ("rule", "policy"),
    [
        ("limit_tokens: 1000", b'"rate";q=1000;qu="tokens";w=60'),
        ("limit_requests: 9, window: day", b'"rate";q=9;w=86400'),
        ("limit_requests: 9, window: rolling, length: 10m", b'"rate";q=9;w=600'),
        ("limit_concurrent: 4", b'"rate";q=4;qu="concurrent-requests"'),
    ],
)
async def test_every_limit_tells_its_length_and_what_it_counts(tmp_path: Path, rule: str, policy: bytes) -> None:
    async with house(tmp_path, limited(rule)) as worker:
        assert (await ask(worker)).answered[b"ratelimit-policy"] == policy


async def test_without_limits_nothing_is_told(tmp_path: Path) -> None:
    async with house(tmp_path, "") as worker:
        assert b"ratelimit" not in (await ask(worker)).answered


async def test_a_limit_that_only_observes_is_not_told(tmp_path: Path) -> None:
    async with house(tmp_path, limited("limit_requests: 1, enforcement: observe")) as worker:
        for _ in range(2):
            client = await ask(worker)
            assert client.status == 200 and b"ratelimit" not in client.answered


async def test_tokens_are_told_as_they_were_used(tmp_path: Path) -> None:
    async with house(tmp_path, limited("limit_tokens: 1000, window: day")) as worker:
        client = await ask(worker)
        assert client.answered[b"ratelimit"].startswith(b'"rate";r=990;t=')
        assert (await balances(worker))["rate"].spent == 10


async def test_a_call_that_can_never_fit_is_not_to_be_repeated(tmp_path: Path) -> None:
    async with house(tmp_path, limited("limit_tokens: 40, window: day")) as worker:
        client = await ask(worker)
    assert client.status == 429
    assert client.answered[b"x-should-retry"] == b"false"


async def test_places_are_free_again_after_the_call(tmp_path: Path) -> None:
    async with house(tmp_path, limited("limit_concurrent: 1")) as worker:
        inner: list[Client] = []

        async def meanwhile() -> None:
            inner.append(await worker.call(Client(chat()), answer()))

        outer = await worker.call(Client(chat(stream=True)), Answer(EVENT, meanwhile, DONE))
        assert [outer.status, inner[0].status] == [200, 429]
        assert inner[0].answered[b"retry-after"] == b"1"
        facts = json.loads(inner[0].text)["error"]["flyball"]
        assert (facts["limit_concurrent"], facts["held_concurrent"], facts["resets_at"]) == (1, 1, None)
        after = await ask(worker)
        assert (after.status, after.answered[b"ratelimit"]) == (200, b'"rate";r=1')


async def test_a_run_ends_at_its_limit(tmp_path: Path) -> None:
    async with house(tmp_path, "runs: {limits: [{calls: 2}]}") as worker:
        clients = [await ask(worker, run="r1") for _ in range(3)]
        other = await ask(worker, run="r2")
        alone = await ask(worker)
        rows = worker.rows()
    assert [each.status for each in clients] == [200, 200, 403]
    assert (other.status, alone.status) == (200, 200)
    error = json.loads(clients[2].text)["error"]
    facts = error["flyball"]
    assert (error["code"], error["type"], facts["run"]) == ("run_stopped", "permission_error", "r1")
    assert (facts["limit_requests"], facts["spent_requests"], facts["scope"]) == (2, 2, "run:acme/r1")
    assert clients[2].answered[b"x-should-retry"] == b"false"
    assert (rows[2]["code"], rows[2]["run"]) == ("run_stopped", "r1")


async def test_tool_calls_of_a_run_are_counted_as_they_come(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    async with house(tmp_path, "runs: {limits: [{tool_calls: 3}]}") as worker:
        clients = [await ask(worker, run="r1", calls=2, tools=tools) for _ in range(3)]
        plain = await ask(worker, run="r1")
    # The second one was held for one call of tools, and made two.
    assert [each.status for each in clients] == [200, 200, 403]
    facts = json.loads(clients[2].text)["error"]["flyball"]
    assert (facts["limit_tool_calls"], facts["spent_tool_calls"], facts["wanted_tool_calls"]) == (3, 4, 1)
    assert plain.status == 403


async def test_a_runs_dollars_left_are_told(tmp_path: Path) -> None:
    async with house(tmp_path, "runs: {limits: [{usd: 0.5}]}") as worker:
        client = await ask(worker, run="r1")
    assert client.answered[b"x-flyball-budget-remaining-usd"] == b"0.49972"


async def test_what_was_used_is_kept_while_the_ledger_is_away(tmp_path: Path) -> None:
    """Tokens were once booked as they were held."""
    async with house(tmp_path, limited("limit_tokens: 1000, window: day")) as worker:
        ledger, real = worker.rooms.ledger, worker.rooms.ledger.settle

        async def away(*given: Any, **named: Any) -> Any:
            raise LedgerUnavailable("away")

        ledger.settle = away  # type: ignore[method-assign]
        await ask(worker)
        ledger.settle = real  # type: ignore[method-assign]
        ((operation, due),) = worker.rooms.unsettled.items()
        await ledger.settle(operation, due.cost, worker.rooms.clock.now_ns(), used=due.used)
        assert (await balances(worker))["rate"].spent == 10
