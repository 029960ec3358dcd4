"""The same answer of a provider, whole or streamed, however its stream is cut, is the same answer to the client."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.translate import (
    anthropic_openai,
    openai_anthropic,
    openai_bedrock,
    openai_cohere,
    openai_gemini,
    openai_ollama,
)
from proxy.wire.translate.pair import Pair
from proxy.wire.translate.translated import Metered
from tests.harness.accumulated import chat_of, message_of, whole_chat_of
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

CHAT = json.dumps(chat(stream=True, stream_options={"include_usage": True})).encode()
MESSAGES = json.dumps(messages(stream=True)).encode()


def translated(pair: Pair, body: bytes, answer: Answer, places: list[int]) -> tuple[bytes, bytes, Metered, Metered]:
    """The answer in one piece and as a stream, as the client gets it, and what is metered of each."""
    call = pair.translation()(body, CONTEXT)
    whole, stream = call.answer(200, answer.whole), call.stream()
    told = b"".join([*map(stream.feed, cut(answer.stream, places)), stream.close()])
    return whole.body, told, whole.metered, stream.metered()


def same_arguments(message: dict[str, Any]) -> dict[str, Any]:
    """The message with its calls' arguments decoded: one form may have more white space in it."""
    for call in message["message"].get("tool_calls", ()):
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return message


@given(anthropic_answers(), cuts)
def test_anthropics_answers_to_a_chat_client(answer: Answer, places: list[int]) -> None:
    whole, stream, of_whole, of_stream = translated(openai_anthropic.PAIR, CHAT, answer, places)
    assert same_arguments(chat_of(stream)) == same_arguments(whole_chat_of(whole))
    assert stream.endswith(b"data: [DONE]\n\n")
    assert chat_of(stream)["usage"]["prompt_tokens_details"] == {"cached_tokens": 3, "cache_write_tokens": 2}
    assert _decoded(of_whole) == _decoded(of_stream)


@given(chat_answers(), cuts)
def test_chat_answers_to_a_client_of_anthropics(answer: Answer, places: list[int]) -> None:
    whole, stream, of_whole, of_stream = translated(anthropic_openai.PAIR, MESSAGES, answer, places)
    assert message_of(stream) == json.loads(whole)
    assert json.loads(whole)["usage"]["input_tokens"] == 8
    assert _decoded(of_whole) == _decoded(of_stream)
    assert stream.count(b"event: message_stop") == 1


@given(gemini_answers(), cuts)
def test_googles_answers_to_a_chat_client(answer: Answer, places: list[int]) -> None:
    whole, stream, of_whole, of_stream = translated(openai_gemini.PAIR, CHAT, answer, places)
    assert same_arguments(chat_of(stream)) == same_arguments(whole_chat_of(whole))
    assert stream.endswith(b"data: [DONE]\n\n")
    assert chat_of(stream)["usage"]["completion_tokens"] == 9, "thinking is not among the candidates' tokens"
    assert _decoded(of_whole) == _decoded(of_stream)


@given(converse_answers(), cuts)
def test_bedrocks_answers_to_a_chat_client(answer: Answer, places: list[int]) -> None:
    whole, stream, of_whole, of_stream = translated(openai_bedrock.PAIR, CHAT, answer, places)
    assert same_arguments(chat_of(stream)) == same_arguments(whole_chat_of(whole))
    assert stream.endswith(b"data: [DONE]\n\n")
    assert chat_of(stream)["usage"]["prompt_tokens"] == 12, "what was cached is not in the input tokens"
    assert _decoded(of_whole) == _decoded(of_stream)


@given(cohere_answers(), cuts)
def test_coheres_answers_to_a_chat_client(answer: Answer, places: list[int]) -> None:
    whole, stream, of_whole, of_stream = translated(openai_cohere.PAIR, CHAT, answer, places)
    assert chat_of(stream) == whole_chat_of(whole)
    assert stream.endswith(b"data: [DONE]\n\n")
    assert chat_of(stream)["usage"]["prompt_tokens"] == 7, "what it bills, not what it has counted"
    assert _decoded(of_whole) == _decoded(of_stream)


@given(ollama_answers(), cuts)
def test_ollamas_answers_to_a_chat_client(answer: Answer, places: list[int]) -> None:
    whole, stream, of_whole, of_stream = translated(openai_ollama.PAIR, CHAT, answer, places)
    assert same_arguments(chat_of(stream)) == same_arguments(whole_chat_of(whole))
    assert stream.endswith(b"data: [DONE]\n\n")
    assert chat_of(stream)["usage"]["total_tokens"] == 16
    assert _decoded(of_whole) == _decoded(of_stream)


@given(anthropic_answers(), st.integers(0, 5000))
def test_no_more_than_one_event_is_held_back(answer: Answer, _: int) -> None:
    stream = openai_anthropic.PAIR.translation()(CHAT, CONTEXT).stream()
    texts = ""
    for event in answer.stream.split(b"\n\n")[:-1]:
        told = stream.feed(event + b"\n\n")
        texts += chat_of(told)["message"].get("content", "") if told else ""
        if b'"text_delta"' in event:
            wanted = json.loads(event.split(b"data: ")[1])["delta"]["text"]
            assert texts.endswith(wanted)


def _decoded(metered: Metered) -> tuple[Any, str | None, str]:
    assert metered.usage is not None
    return json.loads(metered.usage), metered.service_tier, metered.finish
