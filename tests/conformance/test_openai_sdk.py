"""The openai package, pointed at Flyball: everything it can do there works as it does at a provider."""

import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any, Final

import openai
import pydantic
import pytest

from tests.harness.openai_client import Bench, Sdk, all_of, bench, done, each, sdk

HELLO: Final[list[dict[str, Any]]] = [{"role": "user", "content": "Hello, how are you?"}]
WEATHER: Final[dict[str, Any]] = {
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Place(pydantic.BaseModel):
    """What a structured answer is to be."""

    city: str
    people: int


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("sdk")) as running:
        yield running


@pytest.fixture(params=["sync", "async", "azure"])
async def ours(running: Bench, request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    made = sdk(running, "RICH", kind=request.param)
    yield made
    await done(made.client.close())


async def test_chat(ours: Sdk) -> None:
    answer = await done(ours.client.chat.completions.create(model="sim-small", messages=HELLO))
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0
    assert answer._request_id.startswith("req_")
    assert len(ours.sent) == 1


async def test_chat_streamed_without_usage_asked_for(running: Bench, ours: Sdk) -> None:
    chunks = await all_of(ours.client.chat.completions.create(model="sim-small", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)
    assert b'"include_usage":true' in running.provider.seen.requests[-1].body


async def test_chat_streamed_with_usage_asked_for(ours: Sdk) -> None:
    options = {"include_usage": True}
    stream = ours.client.chat.completions.create(model="sim-small", messages=HELLO, stream=True, stream_options=options)
    chunks = await all_of(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens > 0
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in chunks[:-1])


async def test_a_tool_call_and_back(ours: Sdk) -> None:
    create = ours.client.chat.completions.create
    tools = [{"type": "function", "function": WEATHER}]
    first = (await done(create(model="sim-large", messages=HELLO, tools=tools))).choices[0]
    assert first.finish_reason == "tool_calls"
    (call,) = first.message.tool_calls
    assert call.function.name == "weather"
    answered = [*HELLO, first.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    second = (await done(create(model="sim-large", messages=answered, tools=tools))).choices[0]
    assert second.finish_reason == "stop"
    assert second.message.content


async def test_a_streamed_tool_call(ours: Sdk) -> None:
    tools = [{"type": "function", "function": WEATHER}]
    stream = ours.client.chat.completions.create(model="sim-large", messages=HELLO, tools=tools, stream=True)
    parts = [part for chunk in await all_of(stream) for part in chunk.choices[0].delta.tool_calls or ()]
    assert parts[0].function.name == "weather"
    assert '"city"' in "".join(part.function.arguments or "" for part in parts)


async def test_a_structured_answer(ours: Sdk) -> None:
    schema = {"name": "place", "strict": True, "schema": openai.pydantic_function_tool(Place)["function"]["parameters"]}
    wanted = {"type": "json_schema", "json_schema": schema}
    plain = await done(ours.client.chat.completions.create(model="sim-large", messages=HELLO, response_format=wanted))
    Place.model_validate_json(plain.choices[0].message.content)
    parsed = await done(ours.client.chat.completions.parse(model="sim-large", messages=HELLO, response_format=Place))
    assert isinstance(parsed.choices[0].message.parsed, Place)


async def test_the_streaming_helper(ours: Sdk) -> None:
    manager = ours.client.chat.completions.stream(model="sim-large", messages=HELLO, response_format=Place)
    if ours.is_async:
        async with manager as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_completion()
    else:
        with manager as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_completion()
    assert "content.done" in kinds
    assert isinstance(final.choices[0].message.parsed, Place)


async def test_legacy_completions(ours: Sdk) -> None:
    create = ours.client.completions.create
    answer = await done(create(model="sim-small", prompt="Once upon", max_tokens=9))
    assert answer.choices[0].text
    assert answer.usage.completion_tokens <= 9
    chunks = await all_of(create(model="sim-small", prompt="Once upon", max_tokens=9, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks)
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)


@pytest.mark.parametrize("form", [{}, {"encoding_format": "float"}, {"dimensions": 8}], ids=str)
async def test_embeddings(ours: Sdk, form: dict[str, Any]) -> None:
    """The package asks for base64 by itself, and decodes it."""
    answer = await done(ours.client.embeddings.create(model="sim-embed", input=["one", "two"], **form))
    assert len(answer.data) == 2
    assert all(isinstance(number, float) for number in answer.data[0].embedding)
    assert answer.usage.prompt_tokens > 0


async def test_responses(ours: Sdk) -> None:
    answer = await done(ours.client.responses.create(model="sim-reasoner", input="Hello"))
    assert answer.status == "completed"
    assert answer.output_text
    assert answer.usage.output_tokens_details.reasoning_tokens > 0


async def test_responses_streamed(ours: Sdk) -> None:
    events = await all_of(ours.client.responses.create(model="sim-small", input="Hello", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.total_tokens > 0


async def test_responses_parsed_and_the_streaming_helper(ours: Sdk) -> None:
    parsed = await done(ours.client.responses.parse(model="sim-large", input="Where?", text_format=Place))
    assert isinstance(parsed.output_parsed, Place)
    manager = ours.client.responses.stream(model="sim-large", input="Where?", text_format=Place)
    if ours.is_async:
        async with manager as stream:
            final = await stream.get_final_response()
    else:
        with manager as stream:
            final = stream.get_final_response()
    assert isinstance(final.output_parsed, Place)


async def test_a_responses_tool_call_and_back(ours: Sdk) -> None:
    create = ours.client.responses.create
    tools = [{"type": "function", **WEATHER}]
    asked = [{"role": "user", "content": "Weather?"}]
    first = await done(create(model="sim-large", input=asked, tools=tools, store=False))
    (call,) = [item for item in first.output if item.type == "function_call"]
    given = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = await done(create(model="sim-large", input=[*asked, call, given], tools=tools, store=False))
    assert second.output_text


async def test_models_are_those_the_key_may_use(running: Bench, ours: Sdk) -> None:
    seen = running.provider.seen.total
    names = [model.id async for model in each(await done(ours.client.models.list()))]
    assert {"sim-small", "sim-large", "sim-reasoner", "sim-embed", "gone"} <= set(names)
    assert (await done(ours.client.models.retrieve("sim-small"))).id == "sim-small"
    narrow = sdk(running, "NARROW", kind=ours.kind)
    assert [model.id async for model in each(await done(narrow.client.models.list()))] == ["sim-small"]
    assert running.provider.seen.total == seen


async def test_what_the_headers_tell(running: Bench, ours: Sdk) -> None:
    raw = await done(ours.client.chat.completions.with_raw_response.create(model="sim-small", messages=HELLO))
    row = running.row(raw.headers["x-flyball-operation"])
    assert Decimal(raw.headers["x-flyball-cost-usd"]) == Decimal(row["cost_usd"]) > 0
    assert raw.headers["x-flyball-model"] == "sim-small"
    assert Decimal(raw.headers["x-flyball-budget-remaining-usd"]) < 5
    (attempt,) = running.flyball.wait_for_rows(1, "attempts", f"operation_id = '{row['operation_id']}'")
    assert raw.request_id == attempt["provider_request_id"] != ""
    assert raw.headers["openai-organization"] == "sim"
    assert raw.headers["x-ratelimit-limit-requests"]
    parsed = raw.parse()
    assert parsed.usage.prompt_tokens == int(row["input_tokens"]) + int(row["cache_read_tokens"])
    assert row["client"].startswith(f"{type(ours.client).__name__}/Python")


async def test_a_stream_closed_early_is_cancelled_at_the_provider(running: Bench, ours: Sdk) -> None:
    stalls = {"sim_fault": "stall=4"}
    create = ours.client.chat.completions.create
    stream = await done(create(model="sim-small", messages=HELLO, stream=True, max_tokens=50, metadata=stalls))
    async for _ in each(stream):
        break
    operation = stream.response.headers["x-flyball-operation"]
    await done(stream.close())
    row = running.row(operation)
    assert (row["outcome"], row["usage_source"]) == ("cancelled", "estimated")
    assert Decimal(row["cost_usd"]) > 0
    assert running.provider.seen.requests[-1].ending == "client_left"


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("base", ["", "/openai/v1"])
async def test_the_base_url_may_go_without_v1(running: Bench, kind: str, base: str) -> None:
    made = sdk(running, "RICH", kind=kind)
    bare = made.client.with_options(base_url=running.flyball.data + base)
    assert (await done(bare.chat.completions.create(model="sim-small", messages=HELLO))).choices
    await done(made.client.close())


async def test_azures_deployment_is_the_model_of_every_call_below_it(running: Bench) -> None:
    made = sdk(running, "RICH", kind="azure", azure_deployment="sim-small")
    raw = made.client.chat.completions.with_raw_response.create(model="what is left out of the path", messages=HELLO)
    assert raw.http_request.url.path == "/openai/deployments/sim-small/chat/completions"
    assert raw.parse().choices
    sent = running.provider.seen.requests[-1]
    assert json.loads(sent.body)["model"] == raw.headers["x-flyball-model"] == "sim-small"
    assert "api-version" not in sent.path
    assert {model.id for model in made.client.models.list()} >= {"sim-small", "sim-large"}
    made.client.close()
