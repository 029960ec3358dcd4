"""Requests to the Messages API as a chat provider gets them: each field carried in its place, or refused by name."""

from typing import Any

import pytest

from proxy.wire.translate.anthropic_openai import PAIR
from tests.unit.wire.translate.asking import CONTEXT, asked, messages, refused_field

TOOL = {
    "name": "add",
    "description": "Adds",
    "input_schema": {"type": "object"},
    "cache_control": {"type": "ephemeral"},
}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}


def test_a_tool_conversation_keeps_its_ids_and_its_order() -> None:
    told = asked(
        PAIR,
        messages(
            {"role": "user", "content": [{"type": "text", "text": "Add"}, {"type": "text", "text": "please"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "of Anthropic's"},
                    {"type": "text", "text": "On it"},
                    {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}},
                    {"type": "tool_use", "id": "toolu_2", "name": "add", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "3"},
                    {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True, "content": [PNG]},
                    {"type": "text", "text": "Go on"},
                ],
            },
            system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        ),
    )
    assert told["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Add\n\nplease"},
        {
            "role": "assistant",
            "content": "On it",
            "tool_calls": [
                {"id": "toolu_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
                {"id": "toolu_2", "type": "function", "function": {"name": "add", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "3"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: "},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "text", "text": "Go on"},
            ],
        },
    ]


def test_settings_are_carried_under_their_names_there() -> None:
    schema = {"type": "object", "properties": {}}
    context = type(CONTEXT)(model="there-1", at_s=1, limit_name="max_completion_tokens", asks_usage=True)
    told = asked(
        PAIR,
        messages(
            temperature=0.5,
            top_p=0.25,
            stop_sequences=["END"],
            stream=True,
            metadata={"user_id": "u" * 100},
            service_tier="standard_only",
            output_config={"effort": "high", "format": {"type": "json_schema", "schema": schema}},
            thinking={"type": "adaptive", "display": "omitted"},
            tools=[TOOL],
            tool_choice={"type": "any", "disable_parallel_tool_use": True},
            context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            speed="standard",
        ),
        context,
    )
    assert len(told.pop("user")) == 64
    assert told == {
        "model": "there-1",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_completion_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.25,
        "stop": ["END"],
        "tools": [
            {
                "type": "function",
                "function": {"name": "add", "description": "Adds", "parameters": {"type": "object"}},
            }
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        },
        "reasoning_effort": "high",
        "service_tier": "default",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(("budget", "effort"), [(1024, "low"), (8192, "medium"), (16384, "high")])
def test_a_budget_of_thinking_becomes_an_effort(budget: int, effort: str) -> None:
    told = asked(PAIR, messages(thinking={"type": "enabled", "budget_tokens": budget}))
    assert told["reasoning_effort"] == effort


def test_documents_are_carried() -> None:
    parts = [
        {"type": "document", "source": PDF, "title": "a.pdf"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hello"}, "title": "Note"},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.png"}},
    ]
    told = asked(PAIR, messages({"role": "user", "content": parts}))
    assert told["messages"][0]["content"] == [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
        {"type": "text", "text": "Note\n\nHello"},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
    ]


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    """A request with one message of these blocks."""
    return messages({"role": "user", "content": list(blocks)})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (messages(top_k=5), "top_k"),
        (messages(speed="fast"), "speed"),
        (messages(container="c"), "container"),
        (messages(inference_geo="us"), "inference_geo"),
        (messages(mcp_servers=[{}]), "mcp_servers"),
        (messages(thinking={"type": "between_tools"}), "thinking.type"),
        (messages(tools=[{"type": "web_search_20250305", "name": "web_search"}]), "tools[0].type"),
        (messages(tools=[{**TOOL, "input_examples": [{"a": 1}]}]), "tools[0].input_examples"),
        (messages(tools=[{**TOOL, "defer_loading": True}]), "tools[0].defer_loading"),
        (messages(metadata={"odd": 1}), "metadata.odd"),
        (
            messages(context_management={"edits": [{"type": "clear_tool_uses_20250919"}]}),
            "context_management.edits[0]",
        ),
        (messages({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The"}), "messages[1]"),
        (said({"type": "search_result", "content": []}), "messages[0].content[0].type"),
        (said({"type": "server_tool_use", "id": "s", "name": "x", "input": {}}), "messages[0].content[0].type"),
        (said({"type": "image", "source": {"type": "file", "file_id": "f"}}), "messages[0].content[0].source.type"),
        (said({"type": "document", "source": PDF, "citations": {"enabled": True}}), "messages[0].content[0].citations"),
        (said({"type": "document", "source": PDF, "context": "x"}), "messages[0].content[0].context"),
        (
            said({"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}}),
            "messages[0].content[0]",
        ),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    assert refused_field(PAIR, body) == ("capability_missing", field)
