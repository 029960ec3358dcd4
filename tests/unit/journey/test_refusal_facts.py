"""What a refusal tells: numbers that hold when they are acted on, the rule, the field; and the row it leaves."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.core.money import exact_usd
from proxy.journey.resolve import may_use
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
BODY = json.dumps({"model": "m", "choices": [], "usage": USAGE}).encode()


@asynccontextmanager
async def house(folder: Path, text: str) -> AsyncIterator[OneWorker]:
    with one_worker(folder, text) as made:
        try:
            yield made
        finally:
            await made.parts.ledger.close()


async def refusal(worker: OneWorker, client: Client, status: int, code: str) -> dict[str, Any]:
    """The error of a call that must be refused so, with its one row; nothing may be sent or held."""
    before = len(worker.rows())
    await worker.call(client)
    error: dict[str, Any] = json.loads(client.text)["error"]
    assert (client.status, error["code"]) == (status, code), error
    rows = worker.rows()
    assert len(rows) == before + 1
    row = rows[-1]
    assert (row["outcome"], row["code"], row["status"]) == ("refused", code, status)
    assert row["operation_id"] == error["flyball"]["operation"] == client.answered[b"x-flyball-operation"].decode()
    assert (row.get("attempts", 0), row.get("usage_source", "none")) == (0, "none")
    assert row["org"], row["key_name"] == ("acme", "bot")
    assert (await worker.standing())[1] == 0
    return error


async def served(worker: OneWorker, client: Client) -> dict[str, Any]:
    """The row of a call that must be served."""
    await worker.call(client, Answer(BODY, headers=JSON_HEADERS))
    assert client.status == 200, client.text
    return worker.rows()[-1]


async def test_the_output_that_is_said_to_fit_does_fit_and_one_token_more_does_not(tmp_path: Path) -> None:
    async with house(tmp_path, config(budget="limit_usd: 0.0042")) as worker:
        error = await refusal(worker, Client(chat()), 402, "budget_exceeded")
        assert worker.rows()[-1]["refused_by"] == "key:acme/support/bot/own"
        fits = error["flyball"]["fits"]["max_tokens"]
        assert 0 < fits < 50
        await refusal(worker, Client(chat(max_tokens=fits + 1)), 402, "budget_exceeded")
        row = await served(worker, Client(chat(max_tokens=fits)))
        assert exact_usd(row["held_usd"]) <= exact_usd("0.0042")


async def test_a_refusal_tells_the_numbers_of_the_budget_that_is_short(tmp_path: Path) -> None:
    async with house(tmp_path, config(budget="limit_usd: 0.001")) as worker:
        client = Client(chat())
        facts = (await refusal(worker, client, 402, "budget_exceeded"))["flyball"]
    assert (facts["budget"], facts["scope"], facts["window"]) == ("own", "key:acme/support/bot", "total")
    assert (facts["limit_usd"], facts["spent_usd"], facts["held_usd"]) == ("0.001", "0.00", "0.00")
    assert exact_usd(facts["wanted_usd"]) > exact_usd("0.001")
    assert facts["resets_at"] is None
    assert client.answered[b"x-should-retry"] == b"false"


async def test_where_not_even_the_question_fits_nothing_is_said_to_fit(tmp_path: Path) -> None:
    async with house(tmp_path, config(budget="limit_usd: 0.000001")) as worker:
        error = await refusal(worker, Client(chat()), 402, "budget_exceeded")
    assert error["flyball"]["fits"]["max_tokens"] is None


async def test_a_model_without_a_price_is_refused_under_a_hard_budget(tmp_path: Path) -> None:
    text = config().replace("routes: [{model: m", "routes: [{model: 'x*', targets: [{provider: up}]}, {model: m")
    async with house(tmp_path, text) as worker:
        error = await refusal(worker, Client(chat(model="x-unheard-of")), 400, "unpriced_model")
    assert "'own'" in error["message"]
    assert error["param"] == "model"


async def test_a_model_without_a_price_is_refused_where_that_is_set(tmp_path: Path) -> None:
    text = config().replace("routes: [{model: m", "routes: [{model: 'x*', targets: [{provider: up}]}, {model: m")
    text = text.replace("hard: true", "hard: false").replace(
        "{overlay: prices.yaml}", "{overlay: prices.yaml, unpriced: deny}"
    )
    async with house(tmp_path, text) as worker:
        error = await refusal(worker, Client(chat(model="x-unheard-of")), 400, "unpriced_model")
    assert "unpriced models are denied" in error["message"]


async def test_a_model_without_a_price_costs_null_where_it_is_let_through(tmp_path: Path) -> None:
    text = config().replace("routes: [{model: m", "routes: [{model: 'x*', targets: [{provider: up}]}, {model: m")
    async with house(tmp_path, text.replace("hard: true", "hard: false")) as worker:
        unheard = Answer(BODY.replace(b'"m"', b'"x-unheard-of"'), headers=JSON_HEADERS)
        await worker.call(Client(chat(model="x-unheard-of")), unheard)
        (row,) = worker.rows()
    assert row.get("cost_usd") is None
    assert row["outcome"] == "ok"
    assert row["requested_model"] == "x-unheard-of"


@pytest.mark.parametrize("ceiling", [None, "0.5"])
async def test_tools_the_provider_runs_need_a_ceiling_under_a_hard_budget(tmp_path: Path, ceiling: str | None) -> None:
    more = f"limits: {{hosted_tools_ceiling_usd: {ceiling}}}" if ceiling else ""
    async with house(tmp_path, config(more=more)) as worker:
        asked = chat(tools=[{"type": "web_search"}])
        if ceiling is None:
            error = await refusal(worker, Client(asked), 400, "capability_missing")
            assert error["flyball"]["tools"] == ["web_search"]
            return
        plain = await served(worker, Client(chat()))
        row = await served(worker, Client(asked))
        assert exact_usd(row["held_usd"]) >= exact_usd(plain["held_usd"]) + exact_usd(ceiling)


async def test_what_is_held_grows_with_what_is_asked(tmp_path: Path) -> None:
    """Output at 100 USD a million tokens: the hold differs by exactly the tokens asked for."""
    async with house(tmp_path, config()) as worker:
        one = exact_usd((await served(worker, Client(chat(max_tokens=100))))["held_usd"])
        two = exact_usd((await served(worker, Client(chat(max_tokens=200))))["held_usd"])
        four = exact_usd((await served(worker, Client(chat(max_tokens=100, n=4))))["held_usd"])
        newer = exact_usd((await served(worker, Client(chat(max_completion_tokens=200))))["held_usd"])
    assert two - one == 100 * 100_000
    # What n adds to the body is a few bytes of input at most.
    assert 3 * 100 * 100_000 <= four - one <= 3 * 100 * 100_000 + 20 * 10_000
    assert two <= newer <= two + 20 * 10_000


async def test_embeddings_hold_all_their_input(tmp_path: Path) -> None:
    def asked(words: int) -> Client:
        body = json.dumps({"model": "embed", "input": "word " * words}).encode()
        return Client(body, path="/v1/embeddings")

    async with house(tmp_path, config()) as worker:
        few = await served(worker, asked(10))
        many = await served(worker, asked(100_000))
    assert 0 < exact_usd(few["held_usd"]) < exact_usd(many["held_usd"])
    # The model takes 100 tokens of each input, and a request has as many inputs as it likes.
    assert exact_usd(many["held_usd"]) >= 100_000 * 10_000


@pytest.mark.parametrize(
    ("body", "code", "known"),
    [
        (b"", "invalid_request", ""),
        (chat(model="no-such"), "model_not_found", "no-such"),
        (chat(n=0), "invalid_request", ""),
    ],
)
async def test_a_row_tells_as_much_as_was_known(tmp_path: Path, body: bytes, code: str, known: str) -> None:
    async with house(tmp_path, config()) as worker:
        client = Client(body, headers=[(b"user-agent", b"test/1.0")])
        await worker.call(client)
        (row,) = worker.rows()
    assert row["code"] == code
    assert row["request_bytes" if body else "status"] == (len(body) if body else 400)
    assert row["client"] == "test/1.0"
    assert row.get("requested_model", "") in (known, "m")
    assert row["duration_ms"] > 0


@pytest.mark.parametrize(
    ("patterns", "model", "may"),
    [
        ((), "anything", True),
        (("gpt-*",), "gpt-5", True),
        (("gpt-*",), "xgpt-5", False),
        (("gpt-*",), "GPT-5", False),
        (("gpt-*",), "gpt-", True),
        (("gpt-5",), "gpt-5-mini", False),
        (("a", "b?"), "bx", True),
        (("[ab]*",), "c", False),
    ],
)
def test_a_keys_patterns_are_taken_whole_and_by_case(patterns: tuple[str, ...], model: str, may: bool) -> None:
    assert may_use(patterns, model) is may
