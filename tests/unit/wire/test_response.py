"""Whole answers, our error bodies, and the event that ends a stream cut short."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.refusal import NEVER_RETRIED, Refusal, Refused
from proxy.core.usage import ToolFee
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import UnaryFacts
from proxy.wire.openai.errors import error_body, error_headers
from proxy.wire.openai.response import read_response, truncated_event
from proxy.wire.openai.stream import StreamTap
from proxy.wire.sse import data_of, name_of


def read(endpoint: Endpoint, value: object) -> UnaryFacts:
    return read_response(endpoint, json.dumps(value).encode())


def test_a_chat_answer_tells_its_facts() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hi", "refusal": None, "tool_calls": [call]}
    facts = read(
        Endpoint.CHAT,
        {
            "model": "gpt-5-2026",
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
            "usage": {"prompt_tokens": 1},
            "service_tier": "default",
        },
    )
    assert (facts.model, facts.service_tier, facts.finish_reason) == ("gpt-5-2026", "default", "tool_calls")
    assert facts.raw_usage == b'{"prompt_tokens": 1}'
    assert "".join(facts.delivered) == "Hif{}"
    assert (facts.output_chars, facts.tool_call_count, facts.is_error) == (5, 1, False)


def test_a_completion_and_an_embedding_tell_usage() -> None:
    facts = read(Endpoint.COMPLETIONS, {"choices": [{"text": "abc", "finish_reason": "stop"}], "usage": {"a": 1}})
    assert (facts.delivered, facts.finish_reason, facts.raw_usage) == (["abc"], "stop", b'{"a": 1}')
    facts = read(Endpoint.EMBEDDINGS, {"model": "e", "data": [{"embedding": [0.1] * 50}], "usage": {"total_tokens": 3}})
    assert (facts.model, facts.raw_usage, facts.output_chars) == ("e", b'{"total_tokens": 3}', 0)


def test_a_response_tells_its_items() -> None:
    facts = read(
        Endpoint.RESPONSES,
        {
            "model": "gpt-5",
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "service_tier": "flex",
            "error": None,
            "usage": {"input_tokens": 1},
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}], "content": None},
                {"type": "web_search_call", "action": {"type": "search"}},
                {"type": "function_call", "name": "f", "arguments": "{}"},
                {
                    "type": "message",
                    "content": [{"type": "output_text", "text": "hi"}, {"type": "refusal", "refusal": "no"}],
                },
            ],
        },
    )
    assert (facts.model, facts.finish_reason, facts.service_tier) == ("gpt-5", "max_output_tokens", "flex")
    assert facts.tool_calls == {ToolFee.WEB_SEARCH: 1}
    assert facts.tool_call_count == 1
    assert "".join(facts.delivered) == "sf{}hino"
    assert facts.raw_usage == b'{"input_tokens": 1}'


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_an_error_is_told_whatever_the_status(endpoint: Endpoint) -> None:
    facts = read(endpoint, {"error": {"message": "no"}})
    assert facts.is_error
    assert facts.error == b'{"message": "no"}'


def test_an_error_in_an_array_is_found() -> None:
    assert read(Endpoint.CHAT, [{"error": {"code": 429}}]).is_error
    assert not read(Endpoint.CHAT, []).is_error
    assert not read(Endpoint.CHAT, [5]).is_error


@given(st.binary(max_size=60), st.sampled_from(list(Endpoint)))
def test_an_unreadable_body_has_no_facts(body: bytes, endpoint: Endpoint) -> None:
    assert read_response(endpoint, b"\x00" + body) == UnaryFacts()
    read_response(endpoint, body)
    read_response(endpoint, b'{"usage":{"a":1},"model":' + body + b"}")


@pytest.mark.parametrize("usage", [None, {}, 5, "many"])
def test_what_is_no_usage_object_is_no_usage(usage: object) -> None:
    for endpoint in Endpoint:
        assert read(endpoint, {"usage": usage}).raw_usage is None


def test_usage_survives_an_odd_field() -> None:
    assert read(Endpoint.RESPONSES, {"usage": {"a": 1}, "model": 5, "output": "x"}).raw_usage == b'{"a": 1}'


@pytest.mark.parametrize("why", list(Refusal))
def test_every_refusal_has_the_dialects_shape(why: Refusal) -> None:
    refused = Refused(why, "no, because", facts={"limit_usd": "1.00"}, param="model", retry_after_s=7)
    error = json.loads(error_body(refused, "op_1"))["error"]
    assert error == {
        "message": "no, because",
        "type": why.error_type,
        "param": "model",
        "code": why.code,
        "flyball": {"operation": "op_1", "limit_usd": "1.00"},
    }
    headers = dict(error_headers(refused))
    assert headers[b"content-type"] == b"application/json"
    if why in NEVER_RETRIED:
        assert headers[b"x-should-retry"] == b"false"
        assert b"retry-after" not in headers
    else:
        assert headers[b"retry-after"] == b"7"
        assert b"x-should-retry" not in headers


def test_a_refusal_without_an_operation_or_a_time_names_neither() -> None:
    refused = Refused(Refusal.INVALID_API_KEY, "no")
    assert json.loads(error_body(refused, None))["error"]["flyball"] == {}
    assert error_headers(refused) == [(b"content-type", b"application/json")]


@pytest.mark.parametrize("endpoint", [Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES])
@pytest.mark.parametrize("before", [b"", b"data: {}\n\n", b"data: {}\r\n\r\n"])
def test_a_stream_cut_short_ends_in_an_error_its_sdk_raises(endpoint: Endpoint, before: bytes) -> None:
    tap = StreamTap(endpoint, strip_usage=False)
    sent = tap.feed(before + truncated_event(endpoint, "op_1", "it stopped"))
    last = sent.removeprefix(before)
    told = json.loads(data_of(last) or b"")
    assert told["error"]["message"] == "it stopped"
    assert told["error"]["code"] == "upstream_truncated"
    assert told["error"]["flyball"] == {"operation": "op_1"}
    assert tap.facts.terminal
    assert tap.facts.error is not None
    if endpoint is Endpoint.RESPONSES:
        assert name_of(last) == b"error"
        assert (told["type"], told["message"], told["code"]) == ("error", "it stopped", "upstream_truncated")


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("broken", [b"", b"data: {}\n", b"data: {", b"da"])
def test_only_whole_events_are_forwarded_so_that_another_can_follow(strip: bool, broken: bytes) -> None:
    tap = StreamTap(Endpoint.CHAT, strip_usage=strip)
    assert tap.feed(b"data: {}\n\n" + broken) == b"data: {}\n\n"
    assert tap.between_events
    assert tap.close() == broken


def test_an_event_too_large_to_wait_for_is_forwarded_in_parts() -> None:
    event = b'data: {"x": "' + b"y" * 400_000 + b'"}\n\n'
    tap = StreamTap(Endpoint.CHAT, strip_usage=False)
    parts = [tap.feed(event[at : at + 50_000]) for at in range(0, len(event), 50_000)]
    assert max(map(len, parts)) <= 200_000
    assert b"".join(parts) + tap.close() == event
    assert not StreamTap(Endpoint.CHAT, strip_usage=False).feed(event[:100_000])
    cut = StreamTap(Endpoint.CHAT, strip_usage=False)
    assert cut.feed(event[:200_000]) == event[:200_000]
    assert not cut.between_events
