"""A call that does not fit is given less output where its budget says so, unless half an answer is worth nothing."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.core.money import exact_usd
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, Upstream, chat, config, one_worker

USAGE = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}
BODY = json.dumps({"model": "m", "choices": [], "usage": USAGE}).encode()
TOKEN_NANO = 100_000


@asynccontextmanager
async def house(folder: Path, budget: str, more: str = "", provider: str = "") -> AsyncIterator[OneWorker]:
    with one_worker(folder, config(provider, budget=f"{budget}, clamp: true", more=more)) as made:
        try:
            yield made
        finally:
            await made.parts.ledger.close()


async def asked(worker: OneWorker, body: bytes, path: str = "/v1/chat/completions") -> tuple[Client, dict[str, Any]]:
    """The call with its row."""
    client = await worker.call(Client(body, path=path), Answer(BODY, headers=JSON_HEADERS))
    return client, worker.rows()[-1]


def sent(worker: OneWorker) -> dict[str, Any]:
    transport = worker.rooms.transport
    assert isinstance(transport, Upstream)
    body: dict[str, Any] = json.loads(transport.seen[-1].body)
    return body


@pytest.mark.parametrize("unit", ["limit_usd: 0.05", "limit_tokens: 520", "tokens: output, limit_tokens: 500"])
async def test_a_call_gets_what_fits(tmp_path: Path, unit: str) -> None:
    """Money, or tokens, for about 500 of the 1000 that are asked for."""
    async with house(tmp_path, unit) as worker:
        client, row = await asked(worker, chat(max_tokens=1000))
        assert client.status == 200, client.text
        limit = sent(worker)["max_tokens"]
        assert 400 < limit <= 500
        assert row["clamped_to"] == limit
        assert row["reason"] == f"clamped to {limit} output tokens: budget own"
        assert client.answered[b"x-flyball-reason"].decode() == row["reason"]
        assert exact_usd(row["held_usd"]) >= limit * TOKEN_NANO
        if "usd" in unit:
            assert exact_usd("0.05") - exact_usd(row["held_usd"]) < TOKEN_NANO


async def test_a_call_that_fits_is_left_alone(tmp_path: Path) -> None:
    async with house(tmp_path, "limit_usd: 1") as worker:
        _, row = await asked(worker, chat(max_tokens=1000))
        assert sent(worker)["max_tokens"] == 1000
    assert "clamped_to" not in row


@pytest.mark.parametrize("limit", ["0.0250", "0.0200"])
async def test_what_would_be_too_little_is_refused(tmp_path: Path, limit: str) -> None:
    """Less than 256 tokens, and less than a quarter of 1000."""
    async with house(tmp_path, f"limit_usd: {limit}") as worker:
        client, row = await asked(worker, chat(max_tokens=1000))
    assert client.status == 402
    assert "clamped_to" not in row
    assert exact_usd(json.loads(client.text)["error"]["flyball"]["wanted_usd"]) > 1000 * TOKEN_NANO


async def test_a_quarter_of_what_was_asked_is_the_least(tmp_path: Path) -> None:
    """300 tokens fit, and 2000 were asked for."""
    async with house(tmp_path, "limit_usd: 0.0302") as worker:
        client, _ = await asked(worker, chat(max_tokens=2000))
        assert client.status == 402
        client, row = await asked(worker, chat(max_tokens=1000))
        assert (client.status, row["clamped_to"]) == (200, sent(worker)["max_tokens"])


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"functions": [{"name": "f"}]},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}},
        {"guided_json": {"type": "object"}},
    ],
)
async def test_tools_and_forms_are_never_cut_short(tmp_path: Path, more: dict[str, Any]) -> None:
    async with house(tmp_path, "limit_usd: 0.05") as worker:
        client, row = await asked(worker, chat(max_tokens=1000, **more))
    assert client.status == 402
    assert "clamped_to" not in row


async def test_the_text_format_is_no_form(tmp_path: Path) -> None:
    async with house(tmp_path, "limit_usd: 0.05") as worker:
        client, _ = await asked(worker, chat(max_tokens=1000, response_format={"type": "text"}))
    assert client.status == 200


async def test_responses_are_clamped_by_their_own_name(tmp_path: Path) -> None:
    body = {"model": "m", "input": "Hello", "max_output_tokens": 1000}
    async with house(tmp_path, "limit_usd: 0.05") as worker:
        client, row = await asked(worker, json.dumps(body).encode(), "/v1/responses")
        assert client.status == 200, client.text
        assert sent(worker) == {**body, "max_output_tokens": row["clamped_to"]}
        schema = {**body, "text": {"format": {"type": "json_schema", "name": "s", "schema": {}}}}
        client, _ = await asked(worker, json.dumps(schema).encode(), "/v1/responses")
    assert client.status == 402


@pytest.mark.parametrize(("profile", "name"), [("openai", "max_completion_tokens"), ("vllm", "max_tokens")])
async def test_a_call_without_a_maximum_gets_one(tmp_path: Path, profile: str, name: str) -> None:
    async with house(tmp_path, "limit_usd: 0.15", provider=f"profile: {profile}") as worker:
        client, row = await asked(worker, chat(max_tokens=None))
        assert client.status == 200, client.text
        assert sent(worker)[name] == row["clamped_to"]
        assert 1400 < row["clamped_to"] < 1500


async def test_another_budget_that_is_short_too_must_say_so_itself(tmp_path: Path) -> None:
    text = config(budget="limit_usd: 0.05, clamp: true").replace(
        "budgets: [", 'budgets: [{name: wide, scope: "org:acme", window: total, hard: true, limit_usd: 0.06}, '
    )
    with one_worker(tmp_path, text) as worker:
        client, row = await asked(worker, chat(max_tokens=1000))
        assert json.loads(client.text)["error"]["flyball"]["budget"] == "wide"
        # The one that may be clamped is short alone.
        client, row = await asked(worker, chat(max_tokens=580))
        assert (client.status, row["clamped_to"]) == (200, sent(worker)["max_tokens"])
        await worker.parts.ledger.close()


async def test_a_stream_that_was_clamped_is_bounded(tmp_path: Path) -> None:
    async with house(tmp_path, "limit_usd: 0.15") as worker:
        client = await worker.call(Client(chat(stream=True, max_tokens=None)), Answer(b"data: [DONE]\n\n"))
        assert client.status == 200
        assert sent(worker)["max_tokens"] == worker.rows()[-1]["clamped_to"]


async def test_a_call_that_does_not_fit_clamped_either_is_refused_by_what_it_asked(tmp_path: Path) -> None:
    async with house(tmp_path, "limit_usd: 0.05") as worker:
        real = worker.rooms.ledger.balances

        async def late(lines: Any) -> Any:
            """Somebody else takes a little of it right after."""
            found = await real(lines)
            await asked(worker, chat(max_tokens=400))
            return found

        worker.rooms.ledger.balances = late  # type: ignore[method-assign]
        client, row = await asked(worker, chat(max_tokens=1000))
    facts = json.loads(client.text)["error"]["flyball"]
    assert client.status == 402
    assert exact_usd(facts["wanted_usd"]) > 1000 * TOKEN_NANO
    assert exact_usd(facts["spent_usd"]) > 0
    assert "reason" not in row
    assert "clamped_to" not in row
