"""What goes wrong reaches the openai package's users as its own classes, and is repeated only where that can help."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from functools import partial
from typing import Any, Final

import openai
import pytest

from proxy.sim import Faults
from tests.harness.openai_client import Bench, Sdk, all_of, bench, done, refusal, sdk

HELLO: Final[list[dict[str, Any]]] = [{"role": "user", "content": "Hello, how are you?"}]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("sdk-errors")) as running:
        yield running


@pytest.fixture(params=["sync", "async"])
async def ours(running: Bench, request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    made = sdk(running, kind=request.param)
    yield made
    await done(made.client.close())


def another(running: Bench, ours: Sdk, key: str, **options: Any) -> Sdk:
    return sdk(running, key, kind=ours.kind, **options)


def chat(ours: Sdk, **options: Any) -> Any:
    return ours.client.chat.completions.create(**{"model": "sim-small", "messages": HELLO, **options})


def told(error: Any) -> tuple[Any, ...]:
    """What the package's users look at; the request id must be there, and be the operation where it is our answer."""
    assert error.request_id
    return error.status_code, error.code, error.type, error.param


async def test_a_wrong_key(running: Bench, ours: Sdk) -> None:
    wrong = another(running, ours, "sdk-wrong-key-0123456789abcdef")
    error = await refusal(openai.AuthenticationError, lambda: chat(wrong))
    assert told(error) == (401, "invalid_api_key", "authentication_error", None)
    assert len(wrong.sent) == 1


@pytest.mark.parametrize("kind", ["azure", "async azure"])
async def test_azures_clients_raise_the_same_classes(running: Bench, kind: str) -> None:
    for key, model, error, facts in (
        ("sdk-wrong-key-0123456789abcdef", "sim-small", openai.AuthenticationError, (401, "invalid_api_key")),
        ("NARROW", "sim-large", openai.PermissionDeniedError, (403, "model_not_allowed")),
        ("OPEN", "smi-small", openai.NotFoundError, (404, "model_not_found")),
        ("POOR", "sim-small", openai.APIStatusError, (402, "budget_exceeded")),
    ):
        made = sdk(running, key, kind=kind)
        raised = await refusal(error, partial(chat, made, model=model))
        assert told(raised)[:2] == facts
        assert len(made.sent) == 1
        await done(made.client.close())
    once = sdk(running, kind=kind, max_retries=0)
    for status, error in ((429, openai.RateLimitError), (503, openai.InternalServerError)):
        running.provider.script.add(Faults(status=status))
        assert told(await refusal(error, lambda: chat(once)))[0] == status
    await done(once.client.close())


async def test_a_model_outside_the_keys_list(running: Bench, ours: Sdk) -> None:
    narrow = another(running, ours, "NARROW")
    error = await refusal(openai.PermissionDeniedError, lambda: chat(narrow, model="sim-large"))
    assert told(error) == (403, "model_not_allowed", "permission_error", "model")
    assert error.body["flyball"]["allowed"] == ["sim-small"]
    row = running.row(error.request_id)
    assert (row["outcome"], row["code"], row["attempts"]) == ("refused", "model_not_allowed", 0)
    missing = await refusal(openai.NotFoundError, lambda: narrow.client.models.retrieve("sim-large"))
    assert told(missing) == (404, "model_not_found", "invalid_request_error", "model")


async def test_an_unknown_model(ours: Sdk) -> None:
    error = await refusal(openai.NotFoundError, lambda: chat(ours, model="smi-small"))
    assert told(error) == (404, "model_not_found", "invalid_request_error", "model")
    assert "sim-small" in error.message
    assert error.body["flyball"]["nearest"][0] == "sim-small"


@pytest.mark.parametrize("call", ["chat", "completions", "responses", "embeddings"])
async def test_a_request_that_cannot_be_meant(running: Bench, ours: Sdk, call: str) -> None:
    client, seen = ours.client, running.provider.seen.total
    wrong: dict[str, Any] = {"model": "sim-small", "extra_body": {"stream": "perhaps", "model": 7}}
    calls = {
        "chat": lambda: client.chat.completions.create(messages=HELLO, **wrong),
        "completions": lambda: client.completions.create(prompt="", **wrong),
        "responses": lambda: client.responses.create(input="", **wrong),
        "embeddings": lambda: client.embeddings.create(input="", **wrong),
    }
    error = await refusal(openai.BadRequestError, calls[call])
    assert told(error)[:3] == (400, "invalid_request", "invalid_request_error")
    assert error.param in ("model", "stream")
    assert running.provider.seen.total == seen


async def test_what_nobody_has_made_through_us_is_not_there(ours: Sdk) -> None:
    create = ours.client.responses.create
    error = await refusal(
        openai.NotFoundError, lambda: create(model="sim-small", input="", previous_response_id="resp_1")
    )
    assert told(error) == (404, "not_found", "invalid_request_error", "previous_response_id")
    gone = await refusal(openai.NotFoundError, lambda: ours.client.responses.retrieve("resp_1"))
    assert told(gone) == (404, "not_found", "invalid_request_error", None)


async def test_the_providers_own_refusal_passes(running: Bench, ours: Sdk) -> None:
    error = await refusal(openai.BadRequestError, lambda: chat(ours, max_tokens=0))
    assert told(error) == (400, "integer_below_min_value", "invalid_request_error", "max_tokens")
    assert error.request_id.startswith("req_")
    assert error.response.headers["x-flyball-operation"] != error.request_id
    row = running.row(error.response.headers["x-flyball-operation"])
    assert (row["outcome"], row["status"], row["usage_source"]) == ("upstream_error", 400, "none")


async def test_a_budget_stop_makes_one_request(running: Bench, ours: Sdk) -> None:
    """402 is no class of its own in the package; its retries stay at their default of two."""
    poor, seen = another(running, ours, "POOR"), running.provider.seen.total
    error = await refusal(openai.APIStatusError, lambda: chat(poor))
    assert told(error) == (402, "budget_exceeded", "insufficient_quota", None)
    assert error.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in error.response.headers
    facts = error.body["flyball"]
    assert (facts["budget"], facts["scope"], facts["operation"]) == ("poor", "key:acme/t/poor", error.request_id)
    assert (facts["limit_usd"], facts["spent_usd"], facts["held_usd"]) == ("0.000001", "0.00", "0.00")
    streamed = await refusal(openai.APIStatusError, lambda: chat(poor, stream=True))
    assert streamed.status_code == 402
    assert len(poor.sent) == 2
    assert running.provider.seen.total == seen
    running.row(error.request_id)
    # A later call's row is there, so a repeat's would be too.
    running.row(streamed.request_id)
    agent = "AsyncOpenAI" if ours.is_async else "OpenAI"
    rows = running.flyball.query(f"SELECT * FROM operations WHERE key_name = 'poor' AND startsWith(client, '{agent}/')")
    assert {(row["outcome"], row["code"], row["status"]) for row in rows} == {("refused", "budget_exceeded", 402)}
    assert len(rows) == 2


async def test_a_providers_429_is_repeated_and_every_attempt_is_a_row(running: Bench, ours: Sdk) -> None:
    running.provider.script.add(Faults(status=429, retry_after_s=1))
    raw = await done(ours.client.chat.completions.with_raw_response.create(model="sim-small", messages=HELLO))
    assert raw.retries_taken == 1
    assert len(ours.sent) == 2
    first, second = list(running.provider.seen.requests)[-2:]
    assert [first.header("x-stainless-retry-count"), second.header("x-stainless-retry-count")] == ["0", "1"]
    running.row(raw.headers["x-flyball-operation"])
    refused = running.flyball.query("SELECT * FROM operations WHERE status = 429 ORDER BY charged_at DESC LIMIT 1")
    assert [(row["outcome"], row["usage_source"]) for row in refused] == [("upstream_error", "none")]
    (attempt,) = running.flyball.query(f"SELECT * FROM attempts WHERE operation_id = '{refused[0]['operation_id']}'")
    assert attempt["retry_after_s"] == 1


async def test_a_429_arrives_with_its_retry_after(running: Bench, ours: Sdk) -> None:
    running.provider.script.add(Faults(status=429, retry_after_s=7))
    once = ours.client.with_options(max_retries=0)
    error = await refusal(
        openai.RateLimitError, lambda: once.chat.completions.create(model="sim-small", messages=HELLO)
    )
    assert told(error) == (429, "rate_limit_exceeded", "requests", None)
    assert error.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("status", [500, 503, 529])
async def test_a_providers_failure(running: Bench, ours: Sdk, status: int) -> None:
    running.provider.script.add(Faults(status=status))
    once = ours.client.with_options(max_retries=0)
    error = await refusal(
        openai.InternalServerError, lambda: once.chat.completions.create(model="sim-small", messages=HELLO)
    )
    assert told(error)[0] == status


async def test_a_provider_that_is_not_there(running: Bench, ours: Sdk) -> None:
    once = ours.client.with_options(max_retries=0)
    error = await refusal(openai.InternalServerError, lambda: once.completions.create(model="gone", prompt=""))
    assert told(error) == (502, "upstream_refused", "upstream_error", None)
    assert error.body["flyball"]["provider"] == "gone"
    row = running.row(error.request_id)
    assert (row["outcome"], row["code"], row["cost_usd"]) == ("upstream_error", "upstream_refused", "0")


STREAMS: Final[dict[str, Any]] = {
    "chat": lambda client, **options: client.chat.completions.create(messages=HELLO, **options),
    "completions": lambda client, **options: client.completions.create(prompt="Hello", **options),
    "responses": lambda client, **options: client.responses.create(input="Hello", **options),
}


@pytest.mark.parametrize("call", STREAMS)
async def test_a_stream_that_its_provider_breaks_off(running: Bench, ours: Sdk, call: str) -> None:
    running.provider.script.add(Faults(close_at=1500))
    stream = await done(STREAMS[call](ours.client, model="sim-small", stream=True))
    error = await refusal(openai.APIError, lambda: all_of(stream))
    assert (error.code, error.type) == ("upstream_truncated", "upstream_error")
    operation = stream.response.headers["x-flyball-operation"]
    assert error.body["flyball"]["operation"] == operation
    row = running.row(operation)
    assert (row["outcome"], row["error"], row["usage_source"]) == ("truncated", "reset", "estimated")
    assert Decimal(row["cost_usd"]) > 0


@pytest.mark.parametrize("call", STREAMS)
async def test_an_error_that_the_provider_says_in_its_stream(running: Bench, ours: Sdk, call: str) -> None:
    running.provider.script.add(Faults(error_after=3))
    stream = await done(STREAMS[call](ours.client, model="sim-small", stream=True))
    if call == "responses":
        # The package hands this one to its user as an event.
        assert (await all_of(stream))[-1].type == "error"
    else:
        await refusal(openai.APIError, lambda: all_of(stream))
    row = running.row(stream.response.headers["x-flyball-operation"])
    assert (row["outcome"], row["error"]) == ("upstream_error", "in_band_error")
