"""Runs that no client names: the same while a history grows, another one for another conversation."""

import json
from typing import Any

import pytest

from proxy.runs import derived_run
from proxy.wire.endpoint import Endpoint

SYSTEM: dict[str, Any] = {"role": "system", "content": "You fix bugs."}
USER: dict[str, Any] = {"role": "user", "content": "Fix the parser."}
ANSWER: dict[str, Any] = {"role": "assistant", "content": "Done."}


def chat(*messages: dict[str, Any], model: str = "gpt-5", key: str = "key_1", **more: Any) -> str:
    body = json.dumps({"messages": messages, "model": model, **more}).encode()
    return derived_run(Endpoint.CHAT, body, key)


def response(given: Any, **more: Any) -> str:
    return derived_run(Endpoint.RESPONSES, json.dumps({"model": "gpt-5", **more, "input": given}).encode(), "key_1")


def test_a_growing_history_stays_one_run_whatever_the_model() -> None:
    first = chat(SYSTEM, USER)
    assert first.startswith("derived-") and len(first) == len("derived-") + 24
    assert chat(SYSTEM, USER, ANSWER, {"role": "user", "content": "And the lexer."}) == first
    assert chat(SYSTEM, USER, ANSWER, model="gpt-5-mini", temperature=0.3) == first


def test_another_beginning_or_key_is_another_run() -> None:
    runs = {
        chat(SYSTEM, USER),
        chat(USER),
        chat(SYSTEM, {"role": "user", "content": "Fix the lexer."}),
        chat({"role": "system", "content": "You write tests."}, USER),
        chat(SYSTEM, USER, key="key_2"),
    }
    assert len(runs) == 5


def test_responses_begin_with_their_instructions_and_input() -> None:
    first = response([USER], instructions="You fix bugs.")
    assert response([USER, ANSWER, {"type": "function_call"}], instructions="You fix bugs.") == first
    assert response([USER], instructions="You write tests.") != first
    assert response("Fix the parser.") == response("Fix the parser.", temperature=1) != ""


@pytest.mark.parametrize("messages", [[], [SYSTEM], None, [1, "two"], {"role": "user"}])
def test_without_a_users_message_there_is_no_run(messages: Any) -> None:
    assert derived_run(Endpoint.CHAT, json.dumps({"model": "m", "messages": messages}).encode(), "key_1") == ""


@pytest.mark.parametrize("endpoint", [Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS])
def test_what_is_no_conversation_is_no_run(endpoint: Endpoint) -> None:
    assert derived_run(endpoint, b'{"model":"m","prompt":"a","input":"b"}', "key_1") == ""
