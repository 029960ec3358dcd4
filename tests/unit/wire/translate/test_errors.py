"""Errors of each provider in the client's dialect, with the provider's own beside them."""

import json
from typing import Any

import pytest

from proxy.wire.eventstream import exception_frame
from proxy.wire.translate import (
    anthropic_openai,
    openai_anthropic,
    openai_bedrock,
    openai_cohere,
    openai_gemini,
    openai_ollama,
)
from proxy.wire.translate.pair import Pair
from tests.harness.accumulated import events_of
from tests.unit.wire.translate.asking import CONTEXT, chat, messages

CHAT = json.dumps(chat(stream=True)).encode()
MESSAGES = json.dumps(messages(stream=True)).encode()


def anthropics(kind: str, message: str, **more: Any) -> dict[str, Any]:
    """An error of Anthropic's."""
    return {"type": "error", "error": {"type": kind, "message": message, **more}, "request_id": "req_1"}


def googles(code: int, status: str, message: str, **more: Any) -> dict[str, Any]:
    """An error of Google's."""
    return {"error": {"code": code, "message": message, "status": status, **more}}


@pytest.mark.parametrize(
    ("pair", "status", "original", "kind", "code"),
    [
        (openai_anthropic.PAIR, 400, anthropics("invalid_request_error", "Bad"), "invalid_request_error", None),
        (
            openai_anthropic.PAIR,
            400,
            anthropics("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
            "invalid_request_error",
            "context_length_exceeded",
        ),
        (
            openai_anthropic.PAIR,
            429,
            anthropics("rate_limit_error", "Slow", details={"error_code": "enforced_spend_limit_reached"}),
            "insufficient_quota",
            "insufficient_quota",
        ),
        (openai_anthropic.PAIR, 429, anthropics("rate_limit_error", "S"), "rate_limit_error", "rate_limit_exceeded"),
        (openai_anthropic.PAIR, 529, anthropics("overloaded_error", "S"), "server_error", "server_is_overloaded"),
        (openai_anthropic.PAIR, 404, anthropics("not_found_error", "S"), "invalid_request_error", "model_not_found"),
        (openai_gemini.PAIR, 429, googles(429, "RESOURCE_EXHAUSTED", "S"), "rate_limit_error", "rate_limit_exceeded"),
        (
            openai_gemini.PAIR,
            400,
            googles(400, "INVALID_ARGUMENT", "API key not valid.", details=[{"reason": "API_KEY_INVALID"}]),
            "authentication_error",
            "invalid_api_key",
        ),
        (
            openai_gemini.PAIR,
            400,
            googles(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed"),
            "invalid_request_error",
            "context_length_exceeded",
        ),
        (
            openai_bedrock.PAIR,
            400,
            {"message": "Input is too long for requested model."},
            "invalid_request_error",
            "context_length_exceeded",
        ),
        (openai_bedrock.PAIR, 429, {"message": "Too many"}, "rate_limit_error", "rate_limit_exceeded"),
        (openai_cohere.PAIR, 429, {"id": "x", "message": "Slow"}, "rate_limit_error", "rate_limit_exceeded"),
        (
            openai_cohere.PAIR,
            400,
            {"message": "too many tokens: total number of tokens in the prompt cannot exceed 8"},
            "invalid_request_error",
            "context_length_exceeded",
        ),
        (openai_ollama.PAIR, 404, {"error": "model 'm' not found"}, "invalid_request_error", "model_not_found"),
        (openai_cohere.PAIR, 498, {"message": "Blocked"}, "invalid_request_error", "content_filter"),
    ],
)
def test_to_a_chat_client(pair: Pair, status: int, original: dict[str, Any], kind: str, code: str | None) -> None:
    answer = pair.translation()(CHAT, CONTEXT).answer(status, json.dumps(original).encode())
    error = json.loads(answer.body)["error"]
    assert (error["type"], error["code"], error["param"]) == (kind, code, None)
    assert error["original"] == original
    told = original.get("error") or original
    assert error["message"] == (told if isinstance(told, str) else told["message"])
    assert answer.metered.usage is None


@pytest.mark.parametrize(
    ("status", "original", "kind"),
    [
        (400, {"message": "Bad", "code": None, "type": "invalid_request_error"}, "invalid_request_error"),
        (401, {"message": "No", "code": "invalid_api_key"}, "authentication_error"),
        (429, {"message": "Slow", "code": "rate_limit_exceeded"}, "rate_limit_error"),
        (429, {"message": "Spent", "type": "insufficient_quota", "code": "credit_balance_exhausted"}, "billing_error"),
        (404, {"message": "Gone", "code": "model_not_found"}, "not_found_error"),
        (503, {"message": "Busy", "code": "slow_down"}, "overloaded_error"),
        (500, {"message": "Oh", "type": "server_error"}, "api_error"),
    ],
)
def test_to_a_client_of_anthropics(status: int, original: dict[str, Any], kind: str) -> None:
    body = json.dumps({"error": original}).encode()
    told = json.loads(anthropic_openai.PAIR.translation()(MESSAGES, CONTEXT).answer(status, body).body)
    assert told == {
        "type": "error",
        "error": {"type": kind, "message": original["message"], "original": {"error": original}},
    }


def test_a_window_that_is_full_is_told_in_the_words_that_clients_of_anthropics_know() -> None:
    body = {"error": {"message": "This model's maximum context length is 8 tokens.", "code": "context_length_exceeded"}}
    call = anthropic_openai.PAIR.translation()(MESSAGES, CONTEXT)
    message = json.loads(call.answer(400, json.dumps(body).encode()).body)["error"]["message"]
    assert message == "prompt is too long: This model's maximum context length is 8 tokens."


def test_errors_within_a_stream() -> None:
    stream = openai_anthropic.PAIR.translation()(CHAT, CONTEXT).stream()
    event = json.dumps(anthropics("overloaded_error", "Busy"))
    (told,) = events_of(stream.feed(f"event: error\ndata: {event}\n\n".encode()))
    assert told["error"]["code"] == "server_is_overloaded"
    stream = anthropic_openai.PAIR.translation()(MESSAGES, CONTEXT).stream()
    (told,) = events_of(stream.feed(b'data: {"error": {"message": "Oh", "type": "server_error"}}\n\n'))
    assert (told["type"], told["error"]["type"]) == ("error", "api_error")
    stream = openai_bedrock.PAIR.translation()(CHAT, CONTEXT).stream()
    (told,) = events_of(stream.feed(exception_frame("throttlingException", b'{"message": "Slow"}')))
    assert (told["error"]["code"], told["error"]["message"]) == ("rate_limit_exceeded", "Slow")
    stream = openai_gemini.PAIR.translation()(CHAT, CONTEXT).stream()
    (told,) = events_of(stream.feed(b"data: " + json.dumps(googles(503, "UNAVAILABLE", "Busy")).encode() + b"\n\n"))
    assert told["error"]["code"] == "server_is_overloaded"
    assert stream.close() == b"", "behind an error nothing more is told"
