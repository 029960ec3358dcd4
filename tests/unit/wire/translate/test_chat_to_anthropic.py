"""Chat requests as Anthropic gets them: each field carried in its place, or refused by name."""

import json
from typing import Any

import pytest

from proxy.wire.translate.openai_anthropic import PAIR
from tests.unit.wire.translate.asking import CONTEXT, asked, chat, refused_field

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1.50, "b":[2]}'}}
TOOL = {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": {"type": "object"}}}
PNG = "data:image/png;base64,iVBORw0KGgo="


def test_instructions_at_the_beginning_are_the_system_prompt_and_later_ones_stay_where_they_are() -> None:
    told = asked(
        PAIR,
        chat(
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": "Hi"},
            {"role": "system", "content": "Now rhyme."},
            {"role": "user", "content": "Go"},
        ),
    )
    assert told["system"] == [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]
    assert [message["role"] for message in told["messages"]] == ["user", "system", "user"]
    assert told["messages"][1]["content"] == [{"type": "text", "text": "Now rhyme."}]


def test_one_instruction_is_a_plain_string() -> None:
    told = asked(PAIR, chat({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}))
    assert told["system"] == "Be brief."
    assert told["messages"] == [{"role": "user", "content": "Hi"}]


def test_parallel_calls_and_what_came_of_them_keep_their_ids() -> None:
    told = asked(
        PAIR,
        chat(
            {"role": "user", "content": "Add"},
            {"role": "assistant", "content": "On it", "tool_calls": [CALL, {**CALL, "id": "functions.add:1"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "3.5"},
            {"role": "tool", "tool_call_id": "functions.add:1", "content": [{"type": "text", "text": "4"}]},
        ),
    )
    _, assistant, results = told["messages"]
    text, first, second = assistant["content"]
    assert text == {"type": "text", "text": "On it"}
    assert first == {"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 1.5, "b": [2]}}
    assert [each["tool_use_id"] for each in results["content"]] == ["call_1", second["id"]]
    assert second["id"].replace("_", "").replace("-", "").isalnum(), "the API takes no other signs"
    assert results["role"] == "user"
    assert [each["content"] for each in results["content"]] == ["3.5", "4"]


def test_arguments_are_carried_byte_for_byte() -> None:
    body = chat({"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "call_1", "content": "x"})
    call = PAIR.translation()(_encoded(body), CONTEXT)
    assert b'"input":{"a": 1.50, "b":[2]}' in call.request.body


def test_thinking_goes_back_with_its_signature_and_that_of_others_does_not() -> None:
    details = [
        {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "opaque", "format": "anthropic-claude-v1", "index": 1},
        {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "format": "google-gemini-v1", "index": 2},
        {"type": "reasoning.summary", "summary": "x", "format": "openai-responses-v1", "index": 3},
    ]
    message = {"role": "assistant", "content": "4", "reasoning_content": "Hm.", "reasoning_details": details}
    told = asked(PAIR, chat({"role": "user", "content": "2+2"}, message, {"role": "user", "content": "And 3+3?"}))
    assert told["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "text", "text": "4"},
    ]


def test_pictures_and_documents_are_carried_by_bytes_or_address() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,SGVsbG8="}},
    ]
    told = asked(PAIR, chat({"role": "user", "content": parts}))
    assert told["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
            "title": "a.pdf",
        },
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "Hello"},
            "title": "a.txt",
        },
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"type": "function", "function": {"name": "add"}}}, {"type": "tool", "name": "add"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"parallel_tool_calls": True}, None),
        ({}, None),
    ],
)
def test_how_tools_are_chosen(given: dict[str, Any], told: dict[str, Any] | None) -> None:
    request = asked(PAIR, chat(tools=[TOOL], **given))
    assert request["tools"] == [{"name": "add", "description": "Adds", "input_schema": {"type": "object"}}]
    assert request.get("tool_choice") == told


def test_settings_are_carried_under_their_names_there() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    told = asked(
        PAIR,
        chat(
            max_completion_tokens=500,
            temperature=0.25,
            top_p=0.5,
            stop=["END", "STOP"],
            user="u-1",
            service_tier="default",
            stream=True,
            stream_options={"include_usage": True, "include_obfuscation": False},
            response_format=form,
            metadata={"a": "b"},
            n=1,
            logprobs=False,
            frequency_penalty=0,
        ),
    )
    assert told == {
        "model": "there-1",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 500,
        "temperature": 0.25,
        "top_p": 0.5,
        "stop_sequences": ["END", "STOP"],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
        "metadata": {"user_id": "u-1"},
        "service_tier": "standard_only",
        "stream": True,
    }


def test_without_a_limit_the_models_own_is_set() -> None:
    assert asked(PAIR, chat())["max_tokens"] == 4096
    context = type(CONTEXT)(model="there-1", at_s=1, most_output=64_000)
    assert asked(PAIR, chat(), context)["max_tokens"] == 64_000


@pytest.mark.parametrize(
    ("model", "effort", "told"),
    [
        ("claude-sonnet-4-5-20250929", "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ("claude-3-7-sonnet-20250219", "high", {"thinking": {"type": "enabled", "budget_tokens": 4000}}),
        ("claude-opus-4-1", "medium", {"thinking": {"type": "enabled", "budget_tokens": 4000}}),
        ("claude-opus-4-8", "high", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("claude-sonnet-5", "minimal", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        ("claude-sonnet-5", "none", {"thinking": {"type": "disabled"}}),
    ],
)
def test_effort_becomes_thinking_as_the_model_knows_it(model: str, effort: str, told: dict[str, Any]) -> None:
    context = type(CONTEXT)(model=model, at_s=1)
    request = asked(PAIR, chat(reasoning_effort=effort, max_tokens=8000), context)
    assert {name: request[name] for name in ("thinking", "output_config") if name in request} == told
    assert request["max_tokens"] == 8000


def test_an_output_limit_too_small_to_think_is_refused() -> None:
    context = type(CONTEXT)(model="claude-sonnet-4-5", at_s=1)
    assert refused_field(PAIR, chat(reasoning_effort="low", max_tokens=100), context) == (
        "capability_missing",
        "reasoning_effort",
    )


def test_marks_to_cache_are_carried() -> None:
    parts = [{"type": "text", "text": "long", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}]
    told = asked(PAIR, chat({"role": "system", "content": parts}, {"role": "user", "content": "Hi"}))
    assert told["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    marked = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
    told = asked(PAIR, chat({"role": "user", "content": [marked]}))
    assert told["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}


SOUND = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (chat(n=2), "n"),
        (chat(logprobs=True), "logprobs"),
        (chat(top_logprobs=3), "top_logprobs"),
        (chat(seed=0), "seed"),
        (chat(logit_bias={"1": 2}), "logit_bias"),
        (chat(frequency_penalty=0.1), "frequency_penalty"),
        (chat(modalities=["text", "audio"]), "modalities"),
        (chat(audio={"voice": "a", "format": "wav"}), "audio"),
        (chat(temperature=1.5), "temperature"),
        (chat(service_tier="flex"), "service_tier"),
        (chat(store=True), "store"),
        (chat(web_search_options={}), "web_search_options"),
        (chat(never_heard_of=1), "never_heard_of"),
        (chat(response_format={"type": "json_object"}), "response_format.type"),
        (chat(tools=[{"type": "custom", "custom": {"name": "x"}}]), "tools[0].type"),
        (chat(tools=[{**TOOL, "function": {"name": "x", "odd": 1}}]), "tools[0].function.odd"),
        (chat(tool_choice={"type": "allowed_tools", "allowed_tools": {}}), "tool_choice.type"),
        (chat({"role": "user", "content": [SOUND]}), "messages[0].content[0]"),
        (chat({"role": "user", "content": "Hi", "name": "bob"}), "messages[0].name"),
        (chat({"role": "function", "name": "f", "content": "x"}), "messages[0].role"),
        (
            chat({"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}),
            "messages[0].content[0].file.file_id",
        ),
        (
            chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}]}),
            "messages[0].content[0].image_url.detail",
        ),
        (chat(functions=[{"name": "f"}]), "functions"),
        (chat(stream=True, stream_options={"odd": True}), "stream_options.odd"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    assert refused_field(PAIR, body) == ("capability_missing", field)


def test_arguments_that_are_no_object_are_refused_as_wrong() -> None:
    call = {**CALL, "function": {"name": "add", "arguments": "[1]"}}
    body = chat({"role": "assistant", "tool_calls": [call]})
    assert refused_field(PAIR, body) == ("invalid_request", "messages[0].tool_calls[0].function.arguments")


def _encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
