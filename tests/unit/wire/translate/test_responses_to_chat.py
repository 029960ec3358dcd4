"""Responses at a provider that has chats only: requests, answers and streams, and what cannot be carried."""

import json
from typing import Any

import pytest
from hypothesis import given

from proxy.wire.translate.responses_chat import PAIR
from tests.harness.accumulated import events_of
from tests.unit.wire.translate.answers import Answer, chat_answers, cut, cuts
from tests.unit.wire.translate.asking import CONTEXT, asked, refused_field

TOOL = {"type": "function", "name": "add", "description": "Adds", "parameters": {"type": "object"}, "strict": True}


def request(given_input: Any = "Hi", **fields: Any) -> dict[str, Any]:
    """A request for a response."""
    return {"model": "asked-1", "input": given_input, **fields}


def test_a_text_with_instructions() -> None:
    told = asked(PAIR, request(instructions="Be brief.", max_output_tokens=50, temperature=0.5, store=True, user="u"))
    assert told == {
        "model": "there-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_tokens": 50,
        "temperature": 0.5,
        "user": "u",
    }


def test_items_of_a_conversation_with_tools() -> None:
    items = [
        {"role": "developer", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": "https://example.org/cat.png", "detail": "auto"},
            ],
        },
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "On it", "annotations": [], "logprobs": []}],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "add", "arguments": '{"a": 1}'},
        {"type": "function_call", "call_id": "call_2", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "3"},
        {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "4"}]},
    ]
    messages = asked(PAIR, request(items, tools=[TOOL]))["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "tool"]
    assert messages[1]["content"][1] == {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
    assert messages[2]["content"] == "On it"
    assert [call["id"] for call in messages[2]["tool_calls"]] == ["call_1", "call_2"]
    assert messages[2]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 1}'}
    assert messages[4] == {"role": "tool", "tool_call_id": "call_2", "content": "4"}


def test_settings_are_carried_under_their_names_there() -> None:
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    told = asked(
        PAIR,
        request(
            tools=[TOOL],
            tool_choice={"type": "function", "name": "add"},
            parallel_tool_calls=False,
            reasoning={"effort": "low", "summary": "auto"},
            text={"format": form, "verbosity": "medium"},
            include=["reasoning.encrypted_content"],
            truncation="disabled",
        ),
    )
    function = {"name": "add", "description": "Adds", "parameters": {"type": "object"}, "strict": True}
    assert told["tools"] == [{"type": "function", "function": function}]
    assert told["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert (told["parallel_tool_calls"], told["reasoning_effort"]) == (False, "low")
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    assert told["response_format"] == {"type": "json_schema", "json_schema": schema}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (request(previous_response_id="resp_1"), "previous_response_id"),
        (request(conversation="conv_1"), "conversation"),
        (request(background=True), "background"),
        (request(truncation="auto"), "truncation"),
        (request(tools=[{"type": "web_search"}]), "tools[0].type"),
        (request(include=["file_search_call.results"]), "include[0]"),
        (request(text={"verbosity": "low"}), "text.verbosity"),
        (request([{"type": "item_reference", "id": "x"}]), "input[0].type"),
        (
            request([{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]),
            "input[0].content[0].file_id",
        ),
        (request(tool_choice={"type": "web_search"}), "tool_choice.type"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    assert refused_field(PAIR, body) == ("capability_missing", field)


@given(chat_answers(), cuts)
def test_the_same_answer_whole_or_streamed_is_the_same_response(answer: Answer, places: list[int]) -> None:
    call = PAIR.translation()(json.dumps(request(stream=True)).encode(), CONTEXT)
    whole = json.loads(call.answer(200, answer.whole).body)
    stream = call.stream()
    events = events_of(b"".join([*map(stream.feed, cut(answer.stream, places)), stream.close()]))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"] == whole
    assert events[-1]["type"] == f"response.{whole['status']}"
    assert _added_up(events) == whole["output"]
    assert whole["usage"]["total_tokens"] == 21


def _added_up(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items that a client has when it adds up what is added, and the deltas to it."""
    items: dict[int, dict[str, Any]] = {}
    for event in events:
        kind, item = event["type"], items.get(event.get("output_index", -1), {})
        if kind == "response.output_item.added":
            items[event["output_index"]] = event["item"]
        elif kind == "response.content_part.added":
            item.setdefault("content", []).append(event["part"])
        elif kind == "response.function_call_arguments.delta":
            item["arguments"] += event["delta"]
        elif kind.endswith(".delta"):
            part = item["content"][0]
            name = "refusal" if part["type"] == "refusal" else "text"
            part[name] += event["delta"]
        elif kind == "response.output_item.done":
            assert {**item, **{name: event["item"].get(name) for name in ("status", "encrypted_content")}} == {
                "status": None,
                "encrypted_content": None,
                **event["item"],
            }
            items[event["output_index"]] = event["item"]
    return [items[index] for index in sorted(items)]


@given(chat_answers())
def test_what_a_provider_said_comes_back_to_it(answer: Answer) -> None:
    (choice,) = json.loads(answer.whole)["choices"]
    made = choice["message"]
    call = PAIR.translation()(json.dumps(request()).encode(), CONTEXT)
    output = json.loads(call.answer(200, answer.whole).body)["output"]
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "ok"}
        for item in output
        if item["type"] == "function_call"
    ]
    messages = asked(PAIR, request([{"role": "user", "content": "Hi"}, *output, *results]))["messages"]
    if not output:
        return
    assert messages[1]["content"] == (made["content"] or (None if results else ""))
    told = [
        (each["id"], each["function"]["name"], each["function"]["arguments"]) for each in made.get("tool_calls", ())
    ]
    back = messages[1].get("tool_calls", ())
    assert [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in back] == told
    assert messages[1].get("reasoning_content") == (made.get("reasoning_content") or made.get("reasoning"))
