"""Chat requests as Cohere's chats get them: each field carried in its place, or refused by name; and its answers."""

import json
from typing import Any

import pytest

from proxy.wire.translate.openai_cohere import PAIR
from tests.harness.accumulated import chat_of, events_of
from tests.unit.wire.translate.asking import CONTEXT, asked, chat, refused_field

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "add", "description": "Adds", "parameters": {"type": "object"}},
}
STREAM = json.dumps(chat(stream=True)).encode()


def test_the_path_is_that_of_its_second_version() -> None:
    request = PAIR.translation()(json.dumps(chat(stream=True)).encode(), CONTEXT).request
    assert (request.path, json.loads(request.body)["stream"]) == ("/v2/chat", True)
    assert asked(PAIR, chat())["stream"] is False


def test_a_tool_conversation() -> None:
    thought = {"type": "reasoning.text", "text": "Hm.", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
    told = asked(
        PAIR,
        chat(
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Add"}]},
            {"role": "assistant", "content": None, "reasoning_details": [thought], "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "3"},
            {"role": "system", "content": "Go on"},
            tools=[TOOL],
            tool_choice="required",
        ),
    )
    assert told == {
        "model": "there-1",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": [{"type": "text", "text": "Add"}]},
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "3"}]},
            {"role": "system", "content": [{"type": "text", "text": "Go on"}]},
        ],
        "tools": [TOOL],
        "tool_choice": "REQUIRED",
        "stream": False,
    }


def test_settings_are_carried_under_their_names_there() -> None:
    given = {"temperature": 0.5, "top_p": 0.25, "top_k": 3, "seed": 7, "frequency_penalty": 0.5, "stop": "END"}
    told = asked(PAIR, chat(max_completion_tokens=50, presence_penalty=0.25, user="u", **given))
    del told["model"], told["messages"], told["stream"]
    assert told == {
        "max_tokens": 50,
        "temperature": 0.5,
        "p": 0.25,
        "k": 3,
        "seed": 7,
        "frequency_penalty": 0.5,
        "presence_penalty": 0.25,
        "stop_sequences": ["END"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    assert asked(PAIR, chat(response_format=form))["response_format"] == {
        "type": "json_object",
        "json_schema": {"type": "object"},
    }
    assert asked(PAIR, chat(response_format={"type": "json_object"}))["response_format"] == {"type": "json_object"}
    assert asked(PAIR, chat(reasoning_effort="none"))["thinking"] == {"type": "disabled"}
    strict = {**TOOL, "function": {**TOOL["function"], "strict": True}}
    assert asked(PAIR, chat(tools=[strict]))["strict_tools"] is True
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    (message,) = asked(PAIR, chat({"role": "user", "content": [picture]}))["messages"]
    assert message["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "add"}}}, "tool_choice"),
        ({"tools": [TOOL, {**TOOL, "function": {"name": "b", "strict": True}}]}, "tools"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"logprobs": True}, "logprobs"),
    ],
)
def test_what_it_does_not_have_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused_field(PAIR, chat(**fields)) == ("capability_missing", param)


def test_sound_is_refused_where_it_stands() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}
    code, param = refused_field(PAIR, chat({"role": "user", "content": [sound]}))
    assert code == "capability_missing" and param is not None and param.startswith("messages[0].content[0]")


def test_calls_whose_index_comes_again_are_calls_of_their_own() -> None:
    def piece(kind: str, **call: Any) -> bytes:
        event = {"type": kind, "index": 0, "delta": {"message": {"tool_calls": call}}}
        return f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode()

    stream = PAIR.translation()(STREAM, CONTEXT).stream()
    out = b"".join(
        stream.feed(part)
        for name in ("one", "two")
        for part in (
            piece("tool-call-start", id=name, type="function", function={"name": name, "arguments": ""}),
            piece("tool-call-delta", function={"arguments": '{"a":'}),
            piece("tool-call-delta", function={"arguments": "1}"}),
        )
    )
    calls = chat_of(out)["message"]["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("one", '{"a":1}'), ("two", '{"a":1}')]


@pytest.mark.parametrize(("reason", "code"), [("ERROR", None), ("TIMEOUT", "timeout")])
def test_an_answer_that_ends_in_an_error_is_one(reason: str, code: str | None) -> None:
    stream = PAIR.translation()(STREAM, CONTEXT).stream()
    end = {"type": "message-end", "delta": {"finish_reason": reason}}
    (*_, told) = events_of(stream.feed(b"data: " + json.dumps(end).encode() + b"\n\n"))
    assert (told["error"]["code"], told["error"]["original"]) == (code, end)
    assert stream.close() == b""
