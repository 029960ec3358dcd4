"""Calls to a provider of another dialect: asked in its own, answered in the client's, billed by what it told itself."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from proxy.routing import Health, HealthSettings
from proxy.upstream import UpstreamFailed
from proxy.wire.eventstream import event_frame
from tests.harness.accumulated import chat_of, events_of
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, Upstream, chat, config, one_worker

USAGE = {"input_tokens": 10, "output_tokens": 4}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hello there"}],
    "stop_reason": "end_turn",
    "usage": USAGE,
}
pytestmark = pytest.mark.asyncio(loop_scope="module")


def event(kind: str, **members: Any) -> bytes:
    """One event of Anthropic's."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


STREAM = [
    event("message_start", message={**MESSAGE, "content": [], "usage": {**USAGE, "output_tokens": 1}}),
    event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hello "}),
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": "there"}),
    event("content_block_stop", index=0),
    event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 4}),
    event("message_stop"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneWorker]:
    text = config().replace("providers: {up:", 'providers: {other: {base_url: "http://127.0.0.1:9/v1"}, up:')
    text = text.replace(
        "{model: m, targets: [{provider: up}]}", "{model: m, targets: [{provider: up}, {provider: other}]}"
    )
    with one_worker(tmp_path_factory.mktemp("house"), text) as made:
        yield made
        await made.parts.ledger.close()


@pytest.fixture
def house(one_house: OneWorker) -> OneWorker:
    speak(one_house, up="anthropic", other="nobody's")
    one_house.rooms.health = Health(HealthSettings(), one_house.rooms.clock)  # what failed in other tests is forgotten
    return one_house


def rows(house: OneWorker) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The rows of the last call: its operation, and its attempt if there was one."""
    row = house.rows()[-1]
    return row, next((each for each in house.rows("attempts") if each["operation_id"] == row["operation_id"]), None)


def speak(house: OneWorker, **dialects: str) -> None:
    """Have providers speak these dialects."""
    snapshot = house.rooms.snapshot()
    providers = {
        name: replace(provider, dialect=dialects.get(name, provider.dialect))
        for name, provider in snapshot.providers.items()
    }
    changed = replace(snapshot, providers=providers)
    house.rooms.snapshot = lambda: changed


def asked_of(house: OneWorker) -> Any:
    """The request that the provider got."""
    assert isinstance(house.rooms.transport, Upstream)
    (request,) = house.rooms.transport.seen
    return request


def whole(**members: Any) -> Answer:
    """The provider's answer in one piece."""
    return Answer(json.dumps({**MESSAGE, **members}).encode(), headers=[*JSON_HEADERS, (b"request-id", b"req_1")])


async def test_an_answer_in_one_piece(house: OneWorker) -> None:
    headers = [(b"openai-beta", b"x"), (b"x-stainless-lang", b"python"), (b"accept", b"application/json")]
    spent, _ = await house.standing()
    client = await house.call(Client(chat(), headers=headers), whole())
    request = asked_of(house)
    assert (request.path, request.query, request.streamed) == ("/v1/messages", b"", False)
    assert json.loads(request.body) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 50,
    }
    sent = dict(request.headers)
    assert sent[b"anthropic-version"] == b"2023-06-01"
    assert not {b"openai-beta", b"x-stainless-lang"} & set(sent)
    assert client.status == 200
    told = json.loads(client.text)
    assert told["choices"][0]["message"]["content"] == "Hello there"
    assert told["usage"] == {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
    assert client.answered[b"x-request-id"] == b"req_1"
    assert int(client.answered[b"content-length"]) == len(client.text)
    row, attempt = rows(house)
    assert attempt is not None
    assert (row["outcome"], row["endpoint"], row["usage_source"]) == ("ok", "chat.completions", "provider")
    assert json.loads(attempt["raw_usage"]) == USAGE, "what is billed is what the provider itself said"
    assert row["cost_usd"] == "0.000500000"
    assert await house.standing() == (spent + 500_000, 0)


async def test_a_stream_is_told_event_by_event_and_billed_though_its_client_asked_for_no_usage(
    house: OneWorker,
) -> None:
    client = await house.call(Client(chat(stream=True)), Answer(*STREAM))
    assert client.answered[b"content-type"].startswith(b"text/event-stream")
    told = chat_of(client.text)
    assert (told["message"]["content"], told["finish_reason"], told["usage"]) == ("Hello there", "stop", None)
    assert client.text.endswith(b"data: [DONE]\n\n")
    assert b'"usage"' not in client.text
    bodies = [message["body"] for message in client.sent if b"content" in message.get("body", b"")]
    assert len(bodies) == 2, "each delta is sent as it comes"
    row, attempt = rows(house)
    assert attempt is not None
    assert (row["outcome"], row["cost_usd"]) == ("ok", "0.000500000")
    assert json.loads(attempt["raw_usage"]) == USAGE


async def test_a_stream_that_breaks_off_says_so_in_the_clients_dialect(house: OneWorker) -> None:
    cut = UpstreamFailed("reset", "gone", sent=True)
    client = await house.call(Client(chat(stream=True)), Answer(*STREAM[:3], cut))
    assert b"[DONE]" not in client.text
    assert events_of(client.text)[-1]["error"]["code"] == "upstream_truncated"
    row, _ = rows(house)
    assert row["outcome"] == "truncated"


async def test_an_error_keeps_its_status_and_what_it_says_of_waiting(house: OneWorker) -> None:
    original = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}}
    headers = [*JSON_HEADERS, (b"retry-after", b"7"), (b"anthropic-ratelimit-requests-remaining", b"0")]
    answer = Answer(json.dumps(original).encode(), status=429, headers=headers)
    client = await house.call(Client(chat(stream=True)), answer)
    assert client.status == 429
    assert client.answered[b"retry-after"] == b"7"
    assert client.answered[b"anthropic-ratelimit-requests-remaining"] == b"0"
    error = json.loads(client.text)["error"]
    assert (error["code"], error["original"]) == ("rate_limit_exceeded", original)
    row, _ = rows(house)
    assert (row["outcome"], row["cost_usd"]) == ("upstream_error", "0.000000000")


async def test_a_compressed_answer_is_read(house: OneWorker) -> None:
    packed = gzip.compress(json.dumps(MESSAGE).encode())
    answer = Answer(packed[:30], packed[30:], headers=[*JSON_HEADERS, (b"content-encoding", b"gzip")])
    client = await house.call(Client(chat()), answer)
    assert json.loads(client.text)["choices"][0]["message"]["content"] == "Hello there"
    assert b"content-encoding" not in client.answered


async def test_an_answer_that_is_none_is_not_passed_on(house: OneWorker) -> None:
    client = await house.call(Client(chat()), Answer(b"<html>", headers=list(JSON_HEADERS)))
    assert client.status == 502
    assert json.loads(client.text)["error"]["code"] == "upstream_truncated"


async def test_a_field_that_cannot_be_carried_is_refused_by_name_and_nothing_is_kept(house: OneWorker) -> None:
    before = await house.standing()
    client = await house.call(Client(chat(logprobs=True)))
    error = json.loads(client.text)["error"]
    assert (client.status, error["code"], error["param"]) == (400, "capability_missing", "logprobs")
    row, _ = rows(house)
    assert (row["outcome"], row["code"]) == ("refused", "capability_missing")
    assert await house.standing() == before


async def test_a_target_that_can_be_asked_all_of_it_is_taken_before_one_that_cannot(house: OneWorker) -> None:
    speak(house, other="openai")
    native = {"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    answer = Answer(json.dumps(native).encode(), headers=list(JSON_HEADERS))
    client = await house.call(Client(chat(logprobs=True)), answer)
    request = asked_of(house)
    assert (request.provider.name, request.path) == ("other", "/chat/completions")
    assert json.loads(client.text) == native, "who speaks the client's dialect is relayed as it is"
    await house.call(Client(chat()), whole())
    assert asked_of(house).provider.name == "up"


async def test_where_nobody_speaks_it_or_is_translated_to_the_dialects_are_named(house: OneWorker) -> None:
    speak(house, up="nobody's", other="else's")
    client = await house.call(Client(chat()))
    error = json.loads(client.text)["error"]
    assert (client.status, error["code"]) == (400, "capability_missing")
    assert error["flyball"]["dialects"] == ["else's", "nobody's"]


async def test_a_stream_of_frames_is_told_as_events_and_billed_by_its_own_numbers(house: OneWorker) -> None:
    speak(house, up="bedrock")
    usage = {"inputTokens": 10, "outputTokens": 4, "totalTokens": 14}
    frames = [
        event_frame("messageStart", b'{"role":"assistant"}'),
        event_frame("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hello there"}}'),
        event_frame("messageStop", b'{"stopReason":"end_turn"}'),
        event_frame("metadata", json.dumps({"usage": usage}).encode()),
    ]
    headers = [(b"content-type", b"application/vnd.amazon.eventstream")]
    client = await house.call(Client(chat(stream=True)), Answer(*frames, headers=headers))
    assert asked_of(house).path == "/model/m/converse-stream"
    told = chat_of(client.text)
    assert (told["message"]["content"], told["finish_reason"]) == ("Hello there", "stop")
    row, attempt = rows(house)
    assert attempt is not None
    assert (row["outcome"], row["cost_usd"], json.loads(attempt["raw_usage"])) == ("ok", "0.000500000", usage)
