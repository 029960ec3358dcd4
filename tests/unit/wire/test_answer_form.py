"""Whether JSON was asked for, and came, in each dialect."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.answer_form import asks_for_json, is_asked_form

SCHEMA = {"type": "json_schema", "schema": {}}


@pytest.mark.parametrize(
    ("asked", "wants"),
    [
        ({"response_format": {"type": "json_object"}}, True),
        ({"response_format": {"type": "text"}}, False),
        ({"text": {"format": SCHEMA}}, True),
        ({"text": "plain"}, False),
        ({"output_format": SCHEMA}, True),
        ({"output_config": {"format": SCHEMA}}, True),
        ({"thinking": {"budget_tokens": 2000}}, False),
        ({"generationConfig": {"responseMimeType": "application/json"}}, True),
        ([], False),
    ],
)
def test_what_is_asked_for(asked: Any, wants: bool) -> None:
    assert asks_for_json(json.dumps(asked).encode()) is wants


def answers(text: str) -> list[dict[str, Any]]:
    """An answer with that text in each dialect, with thoughts that are no JSON."""
    return [
        {"choices": [{"message": {"content": text, "reasoning_content": "hm"}}]},
        {"output": [{"type": "reasoning", "summary": []}, {"type": "message", "content": [{"text": text}]}]},
        {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}]},
        {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": text}]}}]},
    ]


def test_what_came() -> None:
    for answer in answers('{"a": [1]}'):
        assert is_asked_form(json.dumps(answer).encode())
    for answer in answers('{"a": [1'):
        assert not is_asked_form(json.dumps(answer).encode())
    for nothing in (b"{}", b"[]", b'{"choices": [{"message": {"content": null}}]}'):
        assert is_asked_form(nothing)
    two = {"choices": [{"message": {"content": "{"}}, {"message": {"content": "}"}}]}
    assert is_asked_form(json.dumps(two).encode()), "several are not looked at"


@given(st.binary(max_size=200))
def test_any_bytes_can_be_asked_about(body: bytes) -> None:
    assert isinstance(is_asked_form(body), bool)
    assert isinstance(asks_for_json(body), bool)
