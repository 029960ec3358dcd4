"""The tool-call gate: what is withheld and for how long, what is asked, and what stands where a call stood."""

import json
from typing import Any

import pytest

from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.gate import answer_gate, tool_gate
from proxy.wire.openai.tool_schemas import request_tools
from proxy.wire.tool_calls import ToolCall, Verdict
from tests.harness.emitted import DONE, Response, call, calls, chunk, ends, function_item, part
from tests.harness.judged import NO, YES, judged
from tests.harness.read_by_sdk import read_by_sdk

CHAT, RESPONSES = Endpoint.CHAT, Endpoint.RESPONSES
SECOND_NS = 1_000_000_000


def only(*names: str) -> Any:
    return lambda asked: YES if asked.name in names else NO


def test_what_comes_before_a_call_is_not_withheld_and_the_rest_waits() -> None:
    gate = tool_gate(CHAT)
    text = chunk({"role": "assistant", "content": "Well"})
    assert gate.feed(text, 0) == text
    withheld = [calls(part(0, "read", "", "a")), calls(part(0, None, '{"a":1}')), b": ping\n\n", ends()]
    assert [gate.feed(event, 0) for event in withheld] == [b""] * 4
    assert gate.asks == (ToolCall("a", "read", '{"a":1}', 0),)
    assert gate.answer([YES]) == b"".join(withheld)
    assert gate.feed(DONE, 0) == DONE and not gate.is_holding


def test_a_denied_call_among_others_leaves_them_numbered_as_sdks_need_it() -> None:
    stream = call("a", "{}", 0, "1") + call("b", '{"x":1}', 1, "2") + call("c", "{}", 2, "3") + ends() + DONE
    out, asked = judged(CHAT, [stream], only("b", "c"))
    assert [each.name for each in asked] == ["a", "b", "c"]
    read = read_by_sdk(CHAT, out)
    assert read.error == "" and read.finishes == ["tool_calls"]
    assert set(read.calls) == {("b", '{"x":1}'), ("c", "{}")}
    assert "'a' was denied by policy (no_tools): No tools here." in read.text


def test_interleaved_calls_of_two_choices_are_put_together() -> None:
    stream = (
        calls(part(0, "a", '{"x"', "1"), index=0)
        + calls(part(0, "b", '{"y"', "2"), index=1)
        + calls(part(0, None, ":1}"), index=0)
        + calls(part(0, None, ":2}"), index=1)
        + ends(index=0)
        + ends(index=1)
    )
    out, asked = judged(CHAT, [stream, DONE], only("b"))
    assert [(each.name, each.arguments) for each in asked] == [("a", '{"x":1}'), ("b", '{"y":2}')]
    read = read_by_sdk(CHAT, out)
    assert read.finishes == ["stop", "tool_calls"] and set(read.calls) >= {("b", '{"y":2}')}
    assert not any(name == "a" for name, _ in read.calls)


def test_usage_behind_a_denied_call_stays_as_it_came() -> None:
    usage = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}\n\n'
    out, _ = judged(CHAT, [call("a") + ends() + usage + DONE], lambda _: NO)
    assert out.endswith(usage + DONE)


def test_a_repeated_name_is_told_apart_from_a_split_one() -> None:
    _, asked = judged(CHAT, [calls(part(0, "get", "{", "a")) + calls(part(0, "get", "}", "a")) + ends()], only("get"))
    assert [(each.name, each.arguments, each.is_repeated) for each in asked] == [
        ("get", "{}", False),
        ("getget", "{}", True),
    ]


def test_parallel_calls_without_an_index_are_each_decided() -> None:
    stream = calls(part(None, "a", "{}", "1"), part(None, "b", "{}", "2")) + ends()
    out, asked = judged(CHAT, [stream], lambda _: YES)
    assert out == stream and [each.name for each in asked] == ["a", "b"]


@pytest.mark.parametrize("stream", [b"".join(calls(part(0, "a" if at == 0 else None, "x" * 4000)) for at in range(80))])
def test_more_than_the_bound_is_denied_and_nothing_is_kept(stream: bytes) -> None:
    gate = tool_gate(CHAT)
    out = b"".join(gate.feed(event + b"\n\n", 0) for event in stream.split(b"\n\n")[:-1])
    assert not gate.is_holding and gate.asks == ()
    assert b"tool_call_too_large" in out and b"xxxx" not in out
    assert gate.feed(ends(), 0) == ends("stop") and [each.code for each in gate.denied] == ["tool_call_too_large"]


def test_a_little_less_than_the_bound_is_decided() -> None:
    arguments = json.dumps({"a": "x" * 250_000})
    stream = call("a", arguments) + ends()
    assert judged(CHAT, [stream], lambda _: YES)[0] == stream


def test_a_call_that_takes_longer_than_the_bound_is_denied() -> None:
    gate = tool_gate(CHAT)
    assert gate.feed(calls(part(0, "a", "{", "1")), 5 * SECOND_NS) == b""
    assert gate.feed(calls(part(0, None, " ")), 35 * SECOND_NS) == b""
    out = gate.feed(calls(part(0, None, "}")), 35 * SECOND_NS + 1)
    assert b"tool_call_too_slow" in out and gate.asks == ()
    assert gate.feed(calls(part(0, None, "}")) + ends(), 36 * SECOND_NS) == ends("stop")


def test_an_event_without_end_is_denied() -> None:
    gate = tool_gate(CHAT)
    out = b"".join(gate.feed(b'data: {"tool_calls' + b"x" * 65_536, 0) for _ in range(130))
    assert b"tool_call_too_large" in out and out.endswith(DONE) and gate.feed(DONE, 0) == b""


def test_where_it_only_observes_all_passes_and_is_written_down() -> None:
    gate = tool_gate(CHAT, observes=True)
    stream = call("a") + ends() + b'data: {"tool_calls\n\n' + DONE
    out, _ = judged(CHAT, [stream], lambda _: NO, gate)
    assert out == stream and [each.code for each in gate.denied] == ["no_tools", "unreadable_tool_call"]


def test_items_are_let_go_as_they_are_done_and_numbered_anew_behind_a_denied_one() -> None:
    made = Response().call("a", '{"x":1}').call("b", '{"y":2}', 1)
    stream = made.completed(function_item("a", '{"x":1}'), function_item("b", '{"y":2}', 1))
    out, asked = judged(RESPONSES, [stream], only("b"))
    assert [(each.name, each.index) for each in asked] == [("a", 0), ("b", 1)]
    numbers = [json.loads(line[5:])["sequence_number"] for line in out.splitlines() if line.startswith(b"data:")]
    assert numbers == list(range(len(numbers)))
    read = read_by_sdk(RESPONSES, out)
    assert read.error == "" and ("b", '{"y":2}') in read.calls and not any(name == "a" for name, _ in read.calls)
    assert read.text.count("denied by policy") == 1


def test_tools_that_providers_run_are_not_withheld() -> None:
    item = {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search"}}
    stream = Response().event("response.output_item.done", output_index=0, item=item).completed(item)
    assert judged(RESPONSES, [stream], lambda _: NO) == (stream, [])


def test_an_answer_in_one_piece_keeps_its_bytes_or_loses_its_call() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [part(None, "a", "{}", "1"), part(None, "b", "{}", "2")],
    }
    body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).encode()
    gate = answer_gate(CHAT, body)
    assert gate.answer([YES, YES]) == body
    for denied, finish in (("a", "tool_calls"), ("ab", "stop")):
        gate = answer_gate(CHAT, body)
        (choice,) = json.loads(gate.answer([NO if asked.name in denied else YES for asked in gate.asks]))["choices"]
        assert choice["finish_reason"] == finish
        assert [each["function"]["name"] for each in choice["message"].get("tool_calls", [])] == [*"ab"[len(denied) :]]
        assert choice["message"]["content"].count("denied by policy") == len(denied)


NUMBERED = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
TOOLS = {
    "tools": [
        {"type": "function", "function": {"name": "read", "parameters": NUMBERED}},
        {"type": "function", "name": "flat", "parameters": {"type": "object"}},
        {"type": "function", "function": {"name": "far", "parameters": {"$ref": "http://127.0.0.1:9/schema"}}},
        {"type": "function", "function": {"name": "slow", "parameters": {"properties": {"s": {"pattern": "^(a+)+$"}}}}},
        {"type": "custom", "custom": {"name": "note"}},
        {"type": "local_shell"},
    ]
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "arguments", "known", "valid"),
    [
        ("function", "read", '{"n":1}', True, True),
        ("function", "read", '{"n":"1"}', True, False),
        ("function", "read", "{}", True, False),
        ("function", "read", '{"n":1,"n":2}', True, False),
        ("function", "read", '{"n":NaN}', True, False),
        ("function", "read", '{"n":1}}', True, False),
        ("function", "read", "", True, False),
        ("function", "r\u0435ad", '{"n":1}', False, False),
        ("function", "note", "{}", False, False),
        ("function", "flat", '{"a":"\\ud800"}', True, False),
        ("function", "flat", "[]", True, False),
        ("function", "flat", '{"a":' * 10_000, True, False),
        ("function", "far", "{}", True, False),
        ("function", "slow", json.dumps({"s": "a" * 40 + "b"}), True, False),
        ("custom", "note", "anything", True, True),
        ("local_shell", "local_shell", '{"action":{}}', True, True),
    ],
)
def test_what_is_known_of_a_call(kind: str, name: str, arguments: str, known: bool, valid: bool) -> None:
    judged_call = request_tools(json.dumps(TOOLS).encode()).judge(ToolCall("i", name, arguments, 0, kind))
    assert (judged_call.known, judged_call.valid) == (known, valid)


def test_a_verdict_names_its_rule() -> None:
    out, _ = judged(CHAT, [call("a") + ends()], lambda _: Verdict(False, "rule_7", "Not today."))
    assert "(rule_7): Not today." in read_by_sdk(CHAT, out).text
