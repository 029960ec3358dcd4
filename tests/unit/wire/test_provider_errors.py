"""Too long and not allowed to be said: each provider's own words for the two, and everybody else's for neither."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.provider_errors import (
    CONTENT_FILTER,
    CONTEXT_LENGTH,
    is_spent,
    kind_of_error,
    kind_of_status,
    meaning_of,
    meaning_of_end,
)

TOO_LONG: dict[str, object] = {
    "openai": {"error": {"message": "…", "type": "invalid_request_error", "code": "context_length_exceeded"}},
    "openai, in words": {"error": {"message": "This model's maximum context length is 8192 tokens. However, …"}},
    "anthropic": {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"},
    },
    "gemini": {
        "error": {
            "code": 400,
            "message": "The input token count (1100000) exceeds the maximum number of tokens allowed (1048575).",
            "status": "INVALID_ARGUMENT",
        }
    },
    "gemini's compatibility layer": [
        {"error": {"code": 400, "message": "input token count (9) exceeds the maximum number of tokens allowed (8)"}}
    ],
    "bedrock": {"message": "Input is too long for requested model."},
    "vllm": {"error": {"message": "This model's maximum context length is 4096 tokens", "code": 400}},
}
FILTERED: dict[str, object] = {
    "azure": {
        "error": {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "…"}
    },
    "azure, within": {"error": {"code": "400", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
    "openai's images": {"error": {"code": "content_policy_violation", "message": "…"}},
}
NEITHER: tuple[object, ...] = (
    {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}},
    {"error": "a text"},
    {"error": {"message": 7, "code": None}},
    {"detail": [{"msg": "prompt"}]},
    [],
    None,
)


@pytest.mark.parametrize("who", TOO_LONG)
def test_a_prompt_that_is_too_long(who: str) -> None:
    assert meaning_of(json.dumps(TOO_LONG[who]).encode()) == CONTEXT_LENGTH


@pytest.mark.parametrize("who", FILTERED)
def test_what_may_not_be_said(who: str) -> None:
    assert meaning_of(json.dumps(FILTERED[who]).encode()) == CONTENT_FILTER


@pytest.mark.parametrize("value", NEITHER)
def test_everything_else_is_neither(value: object) -> None:
    assert meaning_of(json.dumps(value).encode()) is None


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        ("refusal", CONTENT_FILTER),
        ("model_context_window_exceeded", CONTEXT_LENGTH),
        ("SAFETY", CONTENT_FILTER),
        ("stop", None),
        ("end_turn", None),
        ("MAX_TOKENS", None),
        (None, None),
    ],
)
def test_how_an_answer_ended(reason: str | None, meaning: str | None) -> None:
    assert meaning_of_end(reason) == meaning


@given(st.binary(max_size=200) | st.from_regex(rb'\{"error": ?[\[{"].{0,40}', fullmatch=True))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    assert meaning_of(body) in (None, CONTEXT_LENGTH, CONTENT_FILTER)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded"),
        ({"type": "error", "error": {"type": "rate_limit_error"}}, "rate_limited"),
        ({"error": {"code": 503, "status": "UNAVAILABLE"}}, "server_error"),
        ({"error": {"code": "529"}}, "overloaded"),
        ({"error": {"code": 429, "message": "slow down"}}, "rate_limited"),
        ({"error": {"code": 504}}, "timeout"),
        ({"type": "timeout_error"}, "timeout"),
        ({"error": {"type": "invalid_request_error"}}, "request"),
        ({"error": {"code": "context_length_exceeded", "type": "invalid_request_error"}}, "context_length"),
        ({"error": {"code": "content_filter"}}, "content_filter"),
        ({"error": {"code": True, "type": None}}, "server_error"),
        ("broken", "server_error"),
    ],
)
def test_what_an_error_is_of(error: object, kind: str) -> None:
    assert kind_of_error(json.dumps(error).encode()) == kind


def test_what_a_status_is_of() -> None:
    kinds = {400: "request", 404: "request", 408: "timeout", 429: "rate_limited", 500: "server_error"}
    kinds |= {503: "server_error", 504: "timeout", 529: "overloaded"}
    assert {status: kind_of_status(status) for status in kinds} == kinds


def test_an_account_without_money_is_told_from_one_that_is_asked_too_often() -> None:
    spent = [
        {"error": {"type": "insufficient_quota", "code": "insufficient_quota"}},
        {
            "type": "error",
            "error": {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}},
        },
    ]
    assert all(is_spent(json.dumps(each).encode()) for each in spent)
    assert not is_spent(b'{"error":{"type":"requests","code":"rate_limit_exceeded"}}')
    assert not is_spent(b"<html>")
