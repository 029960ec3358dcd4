"""A stream that we end for want of money is an ordinary end to the openai package: `length`, or `incomplete`."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import openai
import pytest

from proxy.sim import SimProvider, SimServer, SimSettings
from tests.harness.flyball import Flyball
from tests.harness.openai_client import Bench, Sdk, all_of, done, each

STEP: Final = 512
LIMIT_USD: Final = "0.08"
SECRETS: Final = {f"CUT_{number}": f"sdk-cut-key-{number:02d}-0123456789abcdef" for number in range(24)}
"""A key for every test, since each spends its budget."""
LONG: Final = {"sim_output_tokens": "3000"}
HELLO: Final[list[dict[str, Any]]] = [{"role": "user", "content": "Tell me everything you know."}]
PRICES: Final = """
models:
  sim-small: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
"""


def _config(url: str) -> dict[str, Any]:
    names = [variable.lower() for variable in SECRETS]
    keys = [{"name": name, "key_env": name.upper()} for name in names]
    return {
        "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": 1},
        "holds": {"first_hold_output_tokens": STEP},
        "metering": {"margin_percent": 0},
        "providers": {"sim": {"base_url": url, "profile": "sim", "inject_usage": True}},
        "routes": [{"model": "*", "targets": [{"provider": "sim"}]}],
        "prices": {"overlay": "prices.yaml"},
        "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": keys}]}],
        "budgets": [
            {"name": name, "scope": f"key:acme/t/{name}", "window": "total", "limit_usd": LIMIT_USD} for name in names
        ],
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("sdk-cut")
    (folder / "prices.yaml").write_text(PRICES)
    provider = SimProvider(settings=SimSettings(speed=8))
    with SimServer(provider) as sim, Flyball(folder, json.dumps(_config(sim.url)), SECRETS) as flyball:
        yield Bench(flyball, provider)


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count()


@pytest.fixture(params=["sync", "async"])
def ours(running: Bench, numbers: Iterator[int], request: pytest.FixtureRequest) -> Sdk:
    secret = SECRETS[f"CUT_{next(numbers)}"]
    kind = openai.AsyncOpenAI if request.param == "async" else openai.OpenAI
    return Sdk(kind(base_url=running.flyball.data + "/v1", api_key=secret))


def checked(running: Bench, facts: dict[str, Any]) -> dict[str, Any]:
    """The row of a cut call: what the client was told, and that the limit held."""
    assert (facts["code"], facts["limit_usd"]) == ("budget_exceeded", LIMIT_USD)
    row = running.row(facts["operation"])
    assert (row["outcome"], row["code"], row["finish_reason"]) == ("truncated", "budget_exceeded", "length")
    assert row["overrun_usd"] == "0"
    assert 0.06 < float(row["cost_usd"]) <= float(LIMIT_USD)
    return row


def chat(ours: Sdk, **options: Any) -> Any:
    return ours.client.chat.completions.create(
        **{"model": "sim-small", "messages": HELLO, "metadata": LONG, "stream": True, **options}
    )


async def test_a_chat_stream(running: Bench, ours: Sdk) -> None:
    chunks = await all_of(chat(ours))
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["length"]
    assert len({chunk.id for chunk in chunks}) == len({chunk.created for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)
    checked(running, chunks[-1].flyball)


async def test_a_chat_stream_that_is_told_its_usage(running: Bench, ours: Sdk) -> None:
    *chunks, usage = await all_of(chat(ours, stream_options={"include_usage": True}))
    row = checked(running, chunks[-1].flyball)
    assert usage.choices == []
    assert (usage.usage.prompt_tokens, usage.usage.completion_tokens) == (row["input_tokens"], row["output_tokens"])


async def test_the_chat_stream_helper(running: Bench, ours: Sdk) -> None:
    options: dict[str, Any] = {"model": "sim-small", "messages": HELLO, "metadata": LONG}
    manager = ours.client.chat.completions.stream(**options)
    if ours.is_async:
        async with manager as stream:
            events = [event async for event in each(stream)]
            final = stream.current_completion_snapshot
    else:
        with manager as stream:
            events = list(stream)
            final = stream.current_completion_snapshot
    assert [event.type for event in events[-2:]] == ["chunk", "content.done"]
    assert final.choices[0].finish_reason == "length"
    assert final.choices[0].message.content == events[-1].content
    checked(running, events[-2].chunk.flyball)


async def test_a_completion_stream(running: Bench, ours: Sdk) -> None:
    made = ours.client.completions.create(
        model="sim-small", prompt="Tell me.", stream=True, extra_body={"metadata": LONG}
    )
    chunks = await all_of(made)
    assert chunks[-1].choices[0].finish_reason == "length"
    assert chunks[-1].choices[0].text == ""
    checked(running, chunks[-1].flyball)


async def test_a_response_stream(running: Bench, ours: Sdk) -> None:
    made = ours.client.responses.create(model="sim-small", input="Tell me.", stream=True, metadata=LONG)
    events = await all_of(made)
    last = events[-1]
    assert last.type == "response.incomplete"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    told = last.response
    assert (told.status, told.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert told.id == events[0].response.id
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert told.output_text == said
    row = checked(running, told.flyball)
    assert (told.usage.input_tokens, told.usage.output_tokens) == (row["input_tokens"], row["output_tokens"])


async def test_the_response_stream_helper(running: Bench, ours: Sdk) -> None:
    manager = ours.client.responses.stream(model="sim-small", input="Tell me.", metadata=LONG)
    if ours.is_async:
        async with manager as stream:
            events = [event async for event in each(stream)]
    else:
        with manager as stream:
            events = list(stream)
    assert events[-1].type == "response.incomplete"
    checked(running, events[-1].response.flyball)


async def test_a_cut_stream_is_not_repeated(running: Bench, ours: Sdk) -> None:
    before = running.provider.seen.total
    chunks = await all_of(chat(ours))
    assert chunks[-1].choices[0].finish_reason == "length"
    assert running.provider.seen.total - before == 1
    with pytest.raises(openai.APIStatusError) as refused:
        await done(chat(ours))
    assert refused.value.status_code == 402
    assert running.provider.seen.total - before == 1
