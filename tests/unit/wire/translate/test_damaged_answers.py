"""Answers that are damaged, cut off or none at all: nothing raises, and a client is told of an error in its dialect."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.translate import PAIRS, Unreadable
from proxy.wire.translate.pair import Pair
from tests.harness.accumulated import events_of
from tests.unit.wire.translate.answers import (
    Answer,
    anthropic_answers,
    chat_answers,
    cohere_answers,
    converse_answers,
    cut,
    cuts,
    gemini_answers,
    ollama_answers,
)
from tests.unit.wire.translate.asking import CONTEXT, chat, messages

_BODIES = {
    "chat.completions": json.dumps(chat(stream=True)).encode(),
    "messages": json.dumps(messages(stream=True)).encode(),
    "responses": json.dumps({"model": "asked-1", "input": "Hi", "stream": True}).encode(),
}
_ANSWERS = st.one_of(
    anthropic_answers(), chat_answers(), gemini_answers(), converse_answers(), cohere_answers(), ollama_answers()
)
_pairs = pytest.mark.parametrize(("client", "pair"), [(client, pair) for (client, _), pair in PAIRS.items()])


@_pairs
@given(answer=_ANSWERS, places=cuts, at=st.integers(0, 10_000), junk=st.binary(max_size=12))
def test_any_bytes_are_read_without_a_fall(
    client: str, pair: Pair, answer: Answer, places: list[int], at: int, junk: bytes
) -> None:
    at %= len(answer.stream) + 1
    damaged = answer.stream[:at] + junk + answer.stream[at + len(junk) :]
    stream = pair.translation()(_BODIES[client], CONTEXT).stream()
    told = b"".join([*map(stream.feed, cut(damaged, places)), stream.close()])
    assert all(isinstance(event, dict) for event in events_of(told))
    stream.metered()


@_pairs
def test_an_answer_that_is_none_of_its_dialect_is_not_told_as_one(client: str, pair: Pair) -> None:
    call = pair.translation()(_BODIES[client], CONTEXT)
    for body in (b"", b"<html>", b"[]", b'{"odd": 1}'):
        with pytest.raises(Unreadable):
            call.answer(200, body)


@_pairs
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (429, "rate_limit_error"),
    ],
)
def test_an_error_that_is_no_json_keeps_its_status_and_its_words(
    client: str, pair: Pair, status: int, kind: str
) -> None:
    body = pair.translation()(_BODIES[client], CONTEXT).answer(status, b"<p>No</p>").body
    error = json.loads(body)["error"]
    assert (error["type"], error["original"]) == (kind, "<p>No</p>")
    assert str(status) in error["message"]
