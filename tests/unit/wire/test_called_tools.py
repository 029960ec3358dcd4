"""The names of the tools that a model calls, in the order of its calls, in every dialect, streamed or not."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from proxy.wire.dialects import dialect_of
from proxy.wire.endpoint import Endpoint
from proxy.wire.eventstream import framed
from proxy.wire.facts import and_tool

_CHAT: Final = [{"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}} for name in "ab"]
_ITEMS: Final = [{"type": "function_call", "name": "a", "arguments": "{}"}, {"type": "local_shell_call"}]
_BLOCKS: Final = [
    {"type": "text", "text": "x"},
    {"type": "server_tool_use", "name": "web_search", "input": {}},
    *({"type": "tool_use", "id": name, "name": name, "input": {}} for name in "ab"),
]
_PARTS: Final = {"content": {"parts": [{"functionCall": {"name": name, "args": {}}} for name in "ab"]}}
_USES: Final = [{"text": "x"}, *({"toolUse": {"toolUseId": name, "name": name, "input": {}}} for name in "ab")]

WHOLE: Final[Mapping[Endpoint, Any]] = {
    Endpoint.CHAT: {"choices": [{"message": {"content": None, "tool_calls": _CHAT}}]},
    Endpoint.RESPONSES: {"output": _ITEMS},
    Endpoint.MESSAGES: {"type": "message", "content": _BLOCKS},
    Endpoint.GENERATE_CONTENT: {"candidates": [_PARTS]},
    Endpoint.CONVERSE: {"output": {"message": {"content": _USES}}},
}


def _events(*told: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in told)


def _frames(*told: Any) -> bytes:
    return b"".join(
        framed({":message-type": "event", ":event-type": "contentBlockStart"}, json.dumps(each).encode())
        for each in told
    )


STREAMED: Final[Mapping[Endpoint, bytes]] = {
    Endpoint.CHAT: _events(
        *({"choices": [{"delta": {"tool_calls": [{**call, "index": at}]}}]} for at, call in enumerate(_CHAT)),
        {"choices": [{"delta": {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "b"}}]}}]},
    ),
    Endpoint.RESPONSES: _events(
        *({"type": "response.output_item.done", "item": item} for item in _ITEMS),
        {"type": "response.completed", "response": {"output": _ITEMS}},
    ),
    Endpoint.MESSAGES: _events(
        *(
            {"type": "content_block_start", "index": index, "content_block": block}
            for index, block in enumerate(_BLOCKS)
        )
    ),
    Endpoint.GENERATE_CONTENT: _events({"candidates": [_PARTS]}),
    Endpoint.CONVERSE: _frames(
        *({"contentBlockIndex": at, "start": {"toolUse": {"toolUseId": name, "name": name}}} for at, name in
          enumerate("ab"))
    ),
}  # fmt: skip


def _wanted(endpoint: Endpoint) -> tuple[str, ...]:
    return ("a", "local_shell_call") if endpoint is Endpoint.RESPONSES else ("a", "b")


@pytest.mark.parametrize("endpoint", WHOLE)
def test_of_a_whole_answer(endpoint: Endpoint) -> None:
    facts = dialect_of(endpoint).read_response(endpoint, json.dumps(WHOLE[endpoint]).encode(), [])
    assert (facts.tools, facts.tool_call_count) == (_wanted(endpoint), 2)


@pytest.mark.parametrize("endpoint", STREAMED)
def test_of_a_stream(endpoint: Endpoint) -> None:
    tap = dialect_of(endpoint).stream_tap(endpoint, strip_usage=False)
    tap.feed(STREAMED[endpoint])
    assert (tap.facts.tools, tap.facts.tool_call_count) == (_wanted(endpoint), 2)


def test_a_call_that_still_has_the_old_name_for_it() -> None:
    body = {"choices": [{"message": {"function_call": {"name": "f", "arguments": "{}"}}}]}
    facts = dialect_of(Endpoint.CHAT).read_response(Endpoint.CHAT, json.dumps(body).encode(), [])
    assert facts.tools == ("f",)


def test_what_is_kept_of_very_many_is_bounded() -> None:
    tools: tuple[str, ...] = ()
    for number in range(1000):
        tools = and_tool(tools, f"{number}" + "x" * 1000)
    assert len(tools) == 128 and all(len(name) == 128 for name in tools)
    assert and_tool((), None) == ("",)


def test_half_a_surrogate_pair_can_be_written_down() -> None:
    body = b'{"choices":[{"message":{"tool_calls":[{"function":{"name":"f\\ud800"}}]}}]}'
    facts = dialect_of(Endpoint.CHAT).read_response(Endpoint.CHAT, body, [])
    assert [name.encode() for name in facts.tools] == [b"f?"]
