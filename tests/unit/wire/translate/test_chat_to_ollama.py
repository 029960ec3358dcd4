"""Chat requests as Ollama's own chats get them: each field carried in its place, or refused by name; and answers."""

import json
from typing import Any

import pytest

from proxy.wire.translate.ollama.lines import MOST_BYTES
from proxy.wire.translate.openai_ollama import PAIR
from tests.harness.accumulated import chat_of, events_of
from tests.unit.wire.translate.asking import CONTEXT, asked, chat, refused_field

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
STREAM = json.dumps(chat(stream=True)).encode()


def test_the_path_and_the_stream_are_told_as_it_has_them() -> None:
    request = PAIR.translation()(STREAM, CONTEXT).request
    assert (request.path, json.loads(request.body)["stream"]) == ("/api/chat", True)
    assert asked(PAIR, chat())["stream"] is False, "where it is not told, it streams"


def test_a_conversation_with_tools_and_pictures() -> None:
    said = [{"type": "text", "text": "Add"}, PICTURE, {"type": "text", "text": "these"}]
    told = asked(
        PAIR,
        chat(
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": said},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "3"},
            tools=[TOOL],
            tool_choice="auto",
        ),
    )
    assert told == {
        "model": "there-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Add\n\nthese", "images": ["aGk="]},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "call_1", "function": {"name": "add", "arguments": {"a": 1}}}],
            },
            {"role": "tool", "content": "3", "tool_call_id": "call_1", "tool_name": "add"},
        ],
        "stream": False,
        "tools": [TOOL],
    }


def test_settings_are_carried_among_its_options() -> None:
    given = {"temperature": 0.5, "top_p": 0.25, "top_k": 3, "seed": 7, "frequency_penalty": 0.5, "stop": "END"}
    told = asked(PAIR, chat(max_tokens=50, presence_penalty=0.25, reasoning_effort="low", user="u", **given))
    assert told["options"] == {
        "num_predict": 50,
        "temperature": 0.5,
        "top_p": 0.25,
        "top_k": 3,
        "seed": 7,
        "presence_penalty": 0.25,
        "frequency_penalty": 0.5,
        "stop": ["END"],
    }
    assert told["think"] == "low"
    assert asked(PAIR, chat(reasoning_effort="none"))["think"] is False
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    assert asked(PAIR, chat(response_format=form))["format"] == {"type": "object"}
    assert asked(PAIR, chat(response_format={"type": "json_object"}))["format"] == "json"
    assert "tools" not in asked(PAIR, chat(tools=[TOOL], tool_choice="none"))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning_effort": "xhigh"}, "reasoning_effort"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "add"}}}, "tool_choice"),
        ({"tools": [{**TOOL, "function": {"name": "b", "strict": True}}]}, "tools[0].function.strict"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
    ],
)
def test_what_it_does_not_have_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused_field(PAIR, chat(**fields)) == ("capability_missing", param)


def test_a_picture_that_it_would_have_to_fetch_is_refused() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}}
    code, param = refused_field(PAIR, chat({"role": "user", "content": [picture]}))
    assert code == "capability_missing" and param is not None and param.startswith("messages[0].content[0]")


def test_an_error_within_a_stream_ends_it() -> None:
    stream = PAIR.translation()(STREAM, CONTEXT).stream()
    begun = stream.feed(b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}\n')
    assert chat_of(begun)["message"]["content"] == "Hi"
    (told,) = events_of(stream.feed(b'{"error":"an error was encountered while running the model"}\n'))
    assert told["error"]["message"] == "an error was encountered while running the model"
    assert stream.feed(b'{"done":true}\n') + stream.close() == b""


def test_a_line_without_end_is_not_kept() -> None:
    stream = PAIR.translation()(STREAM, CONTEXT).stream()
    (told,) = events_of(stream.feed(b"x" * (MOST_BYTES + 1)))
    assert "could not be read" in told["error"]["message"]


def test_calls_without_ids_get_the_same_ones_each_time() -> None:
    call = {"function": {"name": "add", "arguments": {"a": 1}}}
    line = {"message": {"role": "assistant", "content": "", "tool_calls": [call, call]}, "done": True}
    translated = PAIR.translation()(json.dumps(chat()).encode(), CONTEXT)
    (choice,) = json.loads(translated.answer(200, json.dumps(line).encode()).body)["choices"]
    first, second = choice["message"]["tool_calls"]
    assert first["id"] != second["id"] and first["id"].startswith("fbcall_")
    assert choice["finish_reason"] == "tool_calls"
