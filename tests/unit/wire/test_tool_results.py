"""The results that stand in a history: which call each says it answers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.tool_results import tool_results
from proxy.wire.tool_results import ToolResult

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "role", "type", "x"]), inner),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["role", "tool_call_id", "name", "type", "call_id", "id", "tool_calls", "function"])


def of_chat(*messages: Any) -> list[ToolResult]:
    return tool_results(Endpoint.CHAT, json.dumps({"messages": messages}).encode())


def of_items(*items: Any) -> list[ToolResult]:
    return tool_results(Endpoint.RESPONSES, json.dumps({"input": items}).encode())


def test_results_of_a_chat() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "read", "arguments": "{}"}}
    custom = {"id": "b", "type": "custom", "custom": {"name": "run", "input": "x"}}
    assert of_chat(
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [call, custom]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "c", "content": "3", "name": "said"},
        {"role": "tool", "content": "4"},
        {"role": "function", "name": "old", "content": "5"},
    ) == [
        ToolResult("a", "read", 2),
        ToolResult("b", "run", 3),
        ToolResult("c", "said", 4),
        ToolResult("", None, 5),
        ToolResult("function_call old", "old", 6),
    ]


@pytest.mark.parametrize(
    ("item", "answers"),
    [
        ({"type": "function_call_output", "call_id": "a", "output": "x"}, "a"),
        ({"type": "custom_tool_call_output", "call_id": "a", "output": "x"}, "a"),
        ({"type": "computer_call_output", "call_id": "a", "output": {}}, "a"),
        ({"type": "local_shell_call_output", "id": "a", "output": "x"}, "a"),
        ({"type": "mcp_approval_response", "approval_request_id": "a", "approve": True, "id": "z"}, "a"),
        ({"type": "a_type_of_tomorrow_output", "call_id": "a"}, "a"),
        ({"type": "function_call_output", "output": "x"}, ""),
        ({"type": "function_call", "call_id": "a", "name": "read", "arguments": "{}"}, None),
        ({"type": "message", "role": "user", "content": "x"}, None),
        ({"role": "user", "content": "x"}, None),
    ],
)
def test_results_of_a_response(item: dict[str, Any], answers: str | None) -> None:
    call = {"type": "function_call", "call_id": "a", "name": "read", "arguments": "{}"}
    found = of_items(call, item)
    name = "read" if answers else None
    assert found == ([] if answers is None else [ToolResult(answers, name, 1)])


def test_other_requests_have_none() -> None:
    assert tool_results(Endpoint.RESPONSES, b'{"input":"x"}') == []
    assert tool_results(Endpoint.EMBEDDINGS, b'{"input":["x"]}') == []


@given(st.lists(st.dictionaries(MEMBERS, JSON, max_size=5), max_size=5))
def test_nothing_in_a_body_makes_it_fail(messages: list[Any]) -> None:
    for found in (of_chat(*messages), of_items(*messages)):
        assert all(0 <= each.index < len(messages) for each in found)
        assert all(isinstance(each.id, str) for each in found)
