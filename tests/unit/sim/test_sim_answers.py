"""What the simulated provider answers when nothing is to go wrong."""

import base64
import json
import struct
from typing import Any

import httpx
import pytest

from proxy.sim import SimServer

CHAT: dict[str, Any] = {"model": "sim-small", "messages": [{"role": "user", "content": "one two three"}]}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def events(response: httpx.Response) -> list[dict[str, Any]]:
    """The JSON objects of a stream."""
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_a_chat_answer_honours_its_limit_and_says_so(client: httpx.Client) -> None:
    body = client.post("/chat/completions", json=CHAT | {"max_tokens": 7}).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert len(body["choices"][0]["message"]["content"].split()) == 7
    assert body["usage"]["completion_tokens"] == 7
    assert body["usage"]["prompt_tokens"] == 3 + 2 * 3
    assert body["usage"]["total_tokens"] == 16


def test_the_length_that_metadata_names_is_the_length_of_the_answer(client: httpx.Client) -> None:
    body = client.post("/chat/completions", json=CHAT | {"metadata": {"sim_output_tokens": "12"}}).json()
    assert (body["usage"]["completion_tokens"], body["choices"][0]["finish_reason"]) == (12, "stop")


def test_headers_of_a_provider_come_with_it(client: httpx.Client) -> None:
    headers = client.post("/chat/completions", json=CHAT).headers
    assert headers["x-request-id"].startswith("req_")
    assert int(headers["x-ratelimit-remaining-requests"]) < int(headers["x-ratelimit-limit-requests"])
    assert headers["openai-processing-ms"].isdecimal()


def test_the_same_request_gets_the_same_answer(client: httpx.Client) -> None:
    first, again = (client.post("/chat/completions", json=CHAT).json() for _ in range(2))
    assert first["choices"] == again["choices"]
    assert first["id"] != again["id"]


def test_a_stream_has_no_usage_unless_it_is_asked_for(client: httpx.Client) -> None:
    chunks = events(client.post("/chat/completions", json=CHAT | {"stream": True}))
    assert all("usage" not in chunk for chunk in chunks)


def test_a_stream_that_asks_gets_usage_in_a_last_chunk_without_choices(client: httpx.Client) -> None:
    asked = CHAT | {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 5}
    response = client.post("/chat/completions", json=asked)
    chunks = events(response)
    assert response.text.endswith("data: [DONE]\n\n")
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 5
    assert sum(bool(chunk["choices"][0]["delta"].get("content")) for chunk in chunks[:-1]) == 5


def test_stream_options_without_a_stream_are_turned_down(client: httpx.Client) -> None:
    response = client.post("/chat/completions", json=CHAT | {"stream_options": {"include_usage": True}})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "stream_options"


def test_the_reasoner_counts_its_thoughts_as_output(client: httpx.Client) -> None:
    usage = client.post("/chat/completions", json=CHAT | {"model": "sim-reasoner"}).json()["usage"]
    thinking = usage["completion_tokens_details"]["reasoning_tokens"]
    assert 0 < thinking < usage["completion_tokens"]


def test_several_choices_are_all_billed(client: httpx.Client, sim: SimServer) -> None:
    body = client.post("/chat/completions", json=CHAT | {"n": 3, "max_tokens": 4}).json()
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert body["usage"]["completion_tokens"] == 12
    assert sim.provider.bill.accounts["sim-small"].output_tokens == 12


@pytest.mark.parametrize(
    ("choice", "last_role", "called"),
    [
        ("auto", "user", True),
        ("auto", "tool", False),
        ("none", "user", False),
        ("required", "tool", True),
        ({"type": "function", "function": {"name": "weather"}}, "tool", True),
    ],
)
def test_a_tool_is_called_when_the_choice_says_so(
    client: httpx.Client, choice: object, last_role: str, called: bool
) -> None:
    turns = [*CHAT["messages"], {"role": last_role, "content": "sunny", "tool_call_id": "call_1"}]
    asked = {"model": "sim-small", "messages": turns, "tools": [TOOL], "tool_choice": choice}
    answer = client.post("/chat/completions", json=asked).json()["choices"][0]
    assert (answer["finish_reason"] == "tool_calls") is called
    if called:
        function = answer["message"]["tool_calls"][0]["function"]
        assert (function["name"], json.loads(function["arguments"])) == ("weather", {"city": "sample"})


def test_a_streamed_tool_call_adds_up_to_the_whole_one(client: httpx.Client) -> None:
    asked = CHAT | {"tools": [TOOL]}
    whole = client.post("/chat/completions", json=asked).json()["choices"][0]["message"]["tool_calls"][0]
    deltas = [
        chunk["choices"][0]["delta"]
        for chunk in events(client.post("/chat/completions", json={**asked, "stream": True}))
    ]
    calls = [delta["tool_calls"][0]["function"] for delta in deltas if "tool_calls" in delta]
    assert calls[0]["name"] == "weather"
    assert "".join(call["arguments"] for call in calls) == whole["function"]["arguments"]


def test_responses_tell_their_story_in_named_and_numbered_events(client: httpx.Client) -> None:
    response = client.post("/responses", json={"model": "sim-small", "input": "hello you", "stream": True})
    names = [line.removeprefix("event: ") for line in response.text.splitlines() if line.startswith("event: ")]
    told = events(response)
    assert names == [event["type"] for event in told]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert (names[0], names[-1]) == ("response.created", "response.completed")
    final = told[-1]["response"]
    deltas = "".join(event["delta"] for event in told if event["type"] == "response.output_text.delta")
    assert final["output"][-1]["content"][0]["text"] == deltas
    assert final["usage"]["output_tokens"] == len(deltas.split())
    assert told[0]["response"]["usage"] is None


def test_a_response_cut_by_its_limit_is_incomplete(client: httpx.Client) -> None:
    body = client.post("/responses", json={"model": "sim-small", "input": "hello", "max_output_tokens": 3}).json()
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


def test_completions_answer_each_prompt(client: httpx.Client) -> None:
    asked = {"model": "sim-small", "prompt": ["a b", "c"], "max_tokens": 2}
    body = client.post("/completions", json=asked).json()
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_embeddings_are_the_same_numbers_as_floats_and_as_base64(client: httpx.Client) -> None:
    asked = {"model": "sim-embed", "input": ["red apple", "red pear", "fast car"], "dimensions": 64}
    floats = [item["embedding"] for item in client.post("/embeddings", json=asked).json()["data"]]
    packed = client.post("/embeddings", json=asked | {"encoding_format": "base64"}).json()["data"][0]["embedding"]
    assert struct.unpack("<64f", base64.b64decode(packed)) == pytest.approx(floats[0])
    apple, pear, car = floats
    assert sum(a * b for a, b in zip(apple, pear, strict=True)) > sum(a * b for a, b in zip(apple, car, strict=True))


def test_a_long_prompt_seen_before_is_read_from_the_cache_for_the_same_key_only(client: httpx.Client) -> None:
    def cached(prompt: str, key: str) -> int:
        asked = {"model": "sim-small", "messages": [{"role": "user", "content": prompt}], "max_tokens": 1}
        body = client.post("/chat/completions", json=asked, headers={"authorization": key}).json()
        return int(body["usage"]["prompt_tokens_details"]["cached_tokens"])

    beginning = " ".join(f"word{number}" for number in range(1500))
    assert cached(beginning, "Bearer a") == 0
    assert cached(beginning + " and something new", "Bearer a") == 1408
    assert cached(beginning, "Bearer b") == 0
    assert cached("short prompt", "Bearer a") == cached("short prompt", "Bearer a") == 0


def test_the_models_are_listed(client: httpx.Client) -> None:
    listed = [model["id"] for model in client.get("/models").json()["data"]]
    assert listed == ["sim-small", "sim-large", "sim-reasoner", "sim-embed"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        (b'{"model": "gpt-9", "messages": [{"role": "user", "content": "x"}]}', 404, "model_not_found"),
        (b'{"model": "sim-small"}', 400, None),
        (b'{"model": "sim-small!boom", "messages": [{}]}', 400, "unknown_fault"),
        (b'{"model": "sim-small", "messages": [{}], "max_tokens": 0}', 400, "integer_below_min_value"),
        (b'{"model": "sim-small", "messages": [{}], "tools": [1]}', 400, "invalid_type"),
        (b'{"model": "sim-embed", "messages": [{}]}', 400, None),
    ],
)
def test_bad_requests_get_the_providers_own_error(client: httpx.Client, body: bytes, status: int, code: str) -> None:
    response = client.post("/chat/completions", content=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_its_bill_is_what_its_answers_said(client: httpx.Client) -> None:
    usage = client.post("/chat/completions", json=CHAT | {"model": "sim-large"}).json()["usage"]
    account = httpx.get(str(client.base_url).replace("/v1/", "/sim/bill")).json()
    nano = usage["prompt_tokens"] * 2500 + usage["completion_tokens"] * 10_000
    assert account["models"]["sim-large"]["cost_nano"] == account["cost_nano"] == nano


def test_an_image_counts_as_eighty_five_tokens(client: httpx.Client) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    asked = {"model": "sim-small", "messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, image]}]}
    assert client.post("/chat/completions", json=asked).json()["usage"]["prompt_tokens"] == 1 + 2 * 3 + 85


def test_prompts_of_token_numbers_are_counted(client: httpx.Client) -> None:
    asked = {"model": "sim-embed", "input": [[1, 2, 3], [4]]}
    body = client.post("/embeddings", json=asked).json()
    assert (len(body["data"]), body["usage"]["prompt_tokens"]) == (2, 4)
