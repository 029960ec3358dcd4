"""Chat requests as Bedrock's Converse gets them: each field carried in its place, or refused by name."""

import json
from typing import Any

import pytest

from proxy.wire.translate.openai_bedrock import PAIR
from proxy.wire.translate.translated import Context
from tests.unit.wire.translate.asking import asked, chat, refused_field

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TOOL = {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": {"type": "object"}}}
CLAUDE = Context(model="us.anthropic.claude-sonnet-4-5-20250929-v1:0", at_s=1)


def test_the_action_and_the_model_stand_in_the_path() -> None:
    plain = PAIR.translation()(json.dumps(chat()).encode(), CLAUDE).request
    assert plain.path == "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    streamed = PAIR.translation()(json.dumps(chat(stream=True)).encode(), CLAUDE).request
    assert streamed.path.endswith("/converse-stream")


def test_a_tool_conversation() -> None:
    detail = {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "format": "bedrock-converse-v1", "index": 0}
    told = asked(
        PAIR,
        chat(
            {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "e"}}]},
            {"role": "user", "content": "Add"},
            {"role": "assistant", "reasoning_details": [detail], "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "3"},
            {"role": "user", "content": "Go on"},
            tools=[TOOL],
            tool_choice="required",
        ),
    )
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}}
    use = {"toolUse": {"toolUseId": "call_1", "name": "add", "input": {"a": 1}}}
    result = {"toolResult": {"toolUseId": "call_1", "content": [{"text": "3"}], "status": "success"}}
    spec = {"name": "add", "description": "Adds", "inputSchema": {"json": {"type": "object"}}}
    assert told == {
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [{"text": "Add"}]},
            {"role": "assistant", "content": [thought, use]},
            {"role": "user", "content": [result, {"text": "Go on"}]},
        ],
        "toolConfig": {"tools": [{"toolSpec": spec}], "toolChoice": {"any": {}}},
    }


def test_settings_are_carried_under_their_names_there() -> None:
    schema = {"type": "object"}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    told = asked(PAIR, chat(max_tokens=50, temperature=0.5, top_p=0.25, stop="END", response_format=form, user="u"))
    assert told["inferenceConfig"] == {"maxTokens": 50, "temperature": 0.5, "topP": 0.25, "stopSequences": ["END"]}
    text = {"type": "json_schema", "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "n"}}}
    assert told["outputConfig"] == {"textFormat": text}


def test_effort_is_told_to_anthropics_models_as_they_have_it() -> None:
    told = asked(PAIR, chat(reasoning_effort="low", max_tokens=8000), CLAUDE)
    assert told["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    assert told["inferenceConfig"] == {"maxTokens": 8000}


def test_what_is_seen() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}},
        {"type": "file", "file": {"filename": "a_b.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
    ]
    assert asked(PAIR, chat({"role": "user", "content": parts}))["messages"][0]["content"] == [
        {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}},
        {"document": {"format": "pdf", "name": "a b", "source": {"bytes": "JVBERg=="}}},
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (chat(top_k=1), "top_k"),
        (chat(seed=1), "seed"),
        (chat(parallel_tool_calls=False), "parallel_tool_calls"),
        (chat(reasoning_effort="low"), "reasoning_effort"),
        (chat(response_format={"type": "json_object"}), "response_format.type"),
        (chat({"role": "user", "content": "Hi"}, {"role": "system", "content": "Rhyme"}), "messages[1].role"),
        (chat({"role": "assistant", "tool_calls": [CALL]}, tools=[TOOL], tool_choice="none"), "tool_choice"),
        (
            chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/x"}}]}),
            "messages[0].content[0]",
        ),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    assert refused_field(PAIR, body) == ("capability_missing", field)
