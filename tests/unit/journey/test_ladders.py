"""A ladder's rungs: another model, a delay, answers from memory only; and less output where a budget says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.routing import Resolution, Router
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, Upstream, chat, config, one_worker

USAGE = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}
"""What 50 tokens of the dear model are held for is a little over 0.005 dollars, of the cheap one a tenth."""


@asynccontextmanager
async def house(folder: Path, ladder: str, limit: str = "0.01", more: str = "") -> AsyncIterator[OneWorker]:
    budget = f"limit_usd: {limit}, ladder: [{ladder}]"
    with one_worker(folder, config(budget=budget, more=more)) as made:
        try:
            yield made
        finally:
            await made.parts.ledger.close()


def answer(model: str = "m") -> Answer:
    return Answer(json.dumps({"model": model, "choices": [], "usage": USAGE}).encode(), headers=JSON_HEADERS)


async def served(worker: OneWorker, client: Client, model: str = "m") -> dict[str, Any]:
    """The row of a call that must be served."""
    await worker.call(client, answer(model))
    assert client.status == 200, client.text
    return worker.rows()[-1]


def sent_body(worker: OneWorker) -> dict[str, Any]:
    """What the provider got."""
    transport = worker.rooms.transport
    assert isinstance(transport, Upstream)
    body: dict[str, Any] = json.loads(transport.seen[-1].body)
    return body


DOWN = '{at: 0.5, do: downgrade, to: {"m": cheap}}'


async def test_a_call_past_a_downgrade_is_served_by_the_cheaper_model(tmp_path: Path) -> None:
    async with house(tmp_path, DOWN) as worker:
        client = Client(chat())
        row = await served(worker, client, "cheap")
        assert sent_body(worker)["model"] == "cheap"
        assert (row["requested_model"], row["model"], row["ladder"]) == ("m", "cheap", ["downgrade:own"])
        assert row["reason"] == "downgraded from m to cheap: budget own"
        assert client.answered[b"x-flyball-reason"].decode() == row["reason"]
        assert client.answered[b"x-flyball-model"] == b"cheap"
        # Held and billed as what it is.
        assert (await worker.standing()) == (8 * 1_000 + 2 * 10_000, 0)


async def test_below_its_rung_a_ladder_changes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, DOWN, limit="1") as worker:
        client = Client(chat())
        row = await served(worker, client)
    assert row["model"] == "m"
    assert "ladder" not in row
    assert b"x-flyball-reason" not in client.answered


async def test_a_model_that_no_pattern_of_the_downgrade_knows_stays(tmp_path: Path) -> None:
    async with house(tmp_path, '{at: 0.01, do: downgrade, to: {"gpt-*": cheap}}') as worker:
        row = await served(worker, Client(chat()))
    assert row["model"] == "m"
    assert "ladder" not in row


async def test_a_downgrade_to_what_no_route_serves_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = Router.resolve

    def without_cheap(router: Router, model: str, *more: Any, **named: Any) -> Resolution:
        return resolve(router, "nowhere" if model == "cheap" else model, *more, **named)

    async with house(tmp_path, DOWN) as worker:
        monkeypatch.setattr(Router, "resolve", without_cheap)
        row = await served(worker, Client(chat()))
    assert row["model"] == "m"
    assert "ladder" not in row


async def test_a_call_is_downgraded_once(tmp_path: Path) -> None:
    """The second rung would give the first one's model another one."""
    second = '{at: 0.02, do: downgrade, to: {"cheap": m}}'
    async with house(tmp_path, '{at: 0.01, do: downgrade, to: {"m": cheap}}, ' + second) as worker:
        row = await served(worker, Client(chat()), "cheap")
    assert row["ladder"] == ["downgrade:own"]


async def test_a_downgrade_may_lead_out_of_the_keys_own_list(tmp_path: Path) -> None:
    text = config(budget=f"limit_usd: 0.01, ladder: [{DOWN}]").replace(
        "key_env: BOT_KEY", "key_env: BOT_KEY, models: [m]"
    )
    with one_worker(tmp_path, text) as worker:
        assert (await served(worker, Client(chat()), "cheap"))["model"] == "cheap"
        await worker.call(refused := Client(chat(model="cheap")))
        assert refused.status == 403
        await worker.parts.ledger.close()


async def test_a_throttle_delays_and_goes_on(tmp_path: Path) -> None:
    async with house(tmp_path, "{at: 0.5, do: throttle, delay_ms: 60}") as worker:
        client = Client(chat())
        row = await served(worker, client)
    assert row["ladder"] == ["throttle:own"]
    assert row["stages_us"]["throttle"] >= 55_000
    assert row["overhead_ms"] < row["duration_ms"] - 50
    assert client.answered[b"x-flyball-reason"] == b"delayed by 60 ms: budget own"


async def test_the_rungs_that_are_reached_at_once_are_climbed_from_below(tmp_path: Path) -> None:
    async with house(
        tmp_path, DOWN + ", {at: 0.501, do: throttle, delay_ms: 5}, {at: 0.505, do: cache_only}"
    ) as worker:
        # Cheap, it is far below the two others.
        row = await served(worker, Client(chat()), "cheap")
    assert row["ladder"] == ["downgrade:own"]


async def test_whoever_leaves_while_delayed_goes_no_further(tmp_path: Path) -> None:
    async with house(tmp_path, "{at: 0.5, do: throttle, delay_ms: 10000}") as worker:
        client = Client(chat())
        call = asyncio.ensure_future(worker.call(client))
        async with asyncio.timeout(10):
            while worker.rooms.throttled != 1:  # noqa: ASYNC110 - a plain number, looked at from outside
                await asyncio.sleep(0.01)
        client.hang_up()
        async with asyncio.timeout(5):
            await call
        assert worker.rooms.throttled == 0
        (row,) = worker.rows()
        assert (row["outcome"], row["error"], row.get("attempts", 0)) == ("cancelled", "client_left", 0)
        assert await worker.standing() == (0, 0)


async def test_no_more_calls_are_delayed_than_may(tmp_path: Path) -> None:
    ladder = "{at: 0.5, do: throttle, delay_ms: 1500}"
    async with house(tmp_path, ladder, more="limits: {max_throttled: 0}") as worker:
        client = await worker.call(Client(chat()))
    error = json.loads(client.text)["error"]
    assert (client.status, error["code"], error["flyball"]["step"]) == (429, "rate_limited", "throttle")
    assert client.answered[b"retry-after"] == b"2"


@pytest.mark.parametrize("status", [402, 429])
async def test_where_only_cached_answers_pass_the_others_are_refused(tmp_path: Path, status: int) -> None:
    async with house(tmp_path, "{at: 0.5, do: cache_only}", more=f"limits: {{budget_status: {status}}}") as worker:
        client = await worker.call(Client(chat()))
        (row,) = worker.rows()
        assert (await worker.standing()) == (0, 0)
    error = json.loads(client.text)["error"]
    assert (client.status, error["code"], error["flyball"]["step"]) == (status, "budget_exceeded", "cache_only")
    assert (row["ladder"], row["status"], row["code"]) == (["cache_only:own"], status, "budget_exceeded")
    assert client.answered[b"x-should-retry"] == b"false"
    assert b"retry-after" not in client.answered


async def test_a_blocking_rung_refuses_before_the_limit_and_tells_where(tmp_path: Path) -> None:
    async with house(tmp_path, "{at: 0.4, do: block}") as worker:
        client = await worker.call(Client(chat()))
    facts = json.loads(client.text)["error"]["flyball"]
    assert (client.status, facts["budget"]) == (402, "own")
