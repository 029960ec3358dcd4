"""What damaged bytes have brought to light, one test a fault."""

import json

import pytest

from proxy.wire.anthropic.dialect import ANTHROPIC
from proxy.wire.dialects import dialect_of
from proxy.wire.endpoint import Endpoint
from proxy.wire.gemini.dialect import GEMINI
from proxy.wire.translate import PAIRS, Context
from proxy.wire.usage_report import BadReport, read_report
from tests.harness.accumulated import events_of
from tests.unit.wire.fuzz.corpus import SCHEMA

CONTEXT = Context(model="there-1", at_s=1)
CHAT = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}'


def test_a_choice_of_functions_that_are_no_names_is_left_to_the_provider() -> None:
    declared = {"functionDeclarations": [{"name": name} for name in ("a", "b")]}
    calling = {"functionCallingConfig": {"allowedFunctionNames": ["a", {"x": 1}, "b"]}}
    body = json.dumps({"tools": [declared], "toolConfig": calling}).encode()
    sent = json.loads(GEMINI.without_tools(body, {"a"}))
    assert sent["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == [{"x": 1}, "b"]


def test_a_choice_of_a_tool_that_is_no_name_is_left_to_the_provider() -> None:
    tools = [{"name": name, "input_schema": SCHEMA} for name in ("a", "b")]
    body = json.dumps({"tools": tools, "tool_choice": {"type": "tool", "name": ["a"]}}).encode()
    assert json.loads(ANTHROPIC.without_tools(body, {"a"}))["tool_choice"] == {"type": "tool", "name": ["a"]}


def test_a_providers_error_of_several_lines_stands_in_one_event() -> None:
    """Google writes its errors so: line breaks within an event's data made it none."""
    told = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    stream = PAIRS["chat.completions", "gemini"].translation()(CHAT, CONTEXT).stream()
    lines = json.dumps(told, indent=2).encode().split(b"\n")
    out = stream.feed(b"".join(b"data: %b\n" % line for line in lines) + b"\n") + stream.close()
    (event,) = events_of(out)
    assert event["error"]["original"] == told


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        ("gemini", b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":"\xe8("}}}]}}]}'),
        ("anthropic", b'{"content":[{"type":"tool_use","id":"t","name":"f","input":{"a":"\xe8("}}]}'),
        (
            "bedrock",
            b'{"output":{"message":{"content":[{"toolUse":{"toolUseId":"t","name":"f","input":{"a":"\xe8("}}}]}}}',
        ),
    ],
)
def test_arguments_that_are_not_text_are_told_with_signs_in_their_place(dialect: str, answer: bytes) -> None:
    told = PAIRS["chat.completions", dialect].translation()(CHAT, CONTEXT).answer(200, answer)
    (choice,) = json.loads(told.body)["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"a": "\ufffd("}


@pytest.mark.parametrize("endpoint", [Endpoint.CHAT, Endpoint.MESSAGES])
def test_a_number_that_no_float_holds_does_not_keep_rules_from_looking(endpoint: Endpoint) -> None:
    dialect = dialect_of(endpoint)
    body = b'{"model":"m","max_tokens":5,"odd":[1e999],"messages":[{"role":"user","content":"Hi"}],"tools":[]}'
    dialect.read_request(endpoint, "", body)
    assert [message.text for message in dialect.read_view(endpoint, body).messages] == ["Hi"]
    assert dialect.tool_results(endpoint, body) == []
    assert dialect.request_tools(body).names == frozenset()


def test_a_report_with_stray_line_ends_is_refused() -> None:
    with pytest.raises(BadReport):
        read_report(b"start_time,model\n1,a\rb\r")
