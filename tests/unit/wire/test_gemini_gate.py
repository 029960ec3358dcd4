"""The gate over Gemini's streams and answers: calls decided before they go on, denied ones replaced by words."""

import json
from typing import Any, Final

import pytest

from proxy.wire.endpoint import Endpoint
from proxy.wire.gate import ToolGate
from proxy.wire.gemini.gate import answer_gate, tool_gate
from proxy.wire.tool_calls import TOO_LARGE, UNREADABLE, ToolCall, Verdict
from tests.unit.wire.test_gemini_stream import FORMS, LIST, SSE, chunk, read_all, written

NO: Final = Verdict(False, "no_deleting", "Nothing is deleted.")
YES: Final = Verdict(True)


def called(*names: str, **more: Any) -> dict[str, Any]:
    parts: list[Any] = [{"text": "I will"}]
    parts += [{"functionCall": {"name": name, "args": {"n": 1}, "id": f"id-{name}"}, **more} for name in names]
    return {"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}]}


def through(gate: ToolGate, body: bytes, size: int, denied: frozenset[str]) -> tuple[bytes, list[ToolCall]]:
    asked: list[ToolCall] = []

    def decided(out: bytes) -> bytes:
        while gate.asks:
            asked.extend(gate.asks)
            out += gate.answer([NO if ask.name in denied else YES for ask in gate.asks])
        return out

    out = b"".join(decided(gate.feed(body[at : at + size], 0)) for at in range(0, len(body), size))
    return out + decided(gate.close()), asked


@FORMS
@pytest.mark.parametrize("size", [1, 13, 10_000])
def test_calls_that_are_allowed_pass_byte_for_byte(endpoint: Endpoint, size: int) -> None:
    body = written(endpoint, [chunk("a"), called("f", "g"), chunk("b", "STOP")])
    out, asked = through(tool_gate(endpoint), body, size, frozenset())
    assert out == body
    assert [(ask.name, ask.id, json.loads(ask.arguments)) for ask in asked] == [
        ("f", "id-f", {"n": 1}),
        ("g", "id-g", {"n": 1}),
    ]


@FORMS
@pytest.mark.parametrize("size", [1, 13, 10_000])
def test_a_denied_call_is_replaced_by_what_denied_it(endpoint: Endpoint, size: int) -> None:
    gate = tool_gate(endpoint)
    body = written(endpoint, [chunk("a"), called("f", "g"), chunk("b", "STOP")])
    out, _ = through(gate, body, size, frozenset({"g"}))
    told = read_all(endpoint, out)
    parts = told[1]["candidates"][0]["content"]["parts"]
    assert parts[1]["functionCall"]["name"] == "f"
    assert "no_deleting" in parts[2]["text"]
    assert b'"g"' not in out
    assert [told[0], told[2]] == [chunk("a"), chunk("b", "STOP")]
    assert [(each.name, each.code) for each in gate.denied] == [("g", "no_deleting")]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"},"functionCall":{"name":"g"}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"},"function_call":{"name":"g"}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"FunctionCall":{"name":"f"}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":"f"}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","partialArgs":[]}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":',
    ],
)
@FORMS
def test_what_cannot_be_read_in_one_way_does_not_pass(endpoint: Endpoint, raw: bytes) -> None:
    gate = tool_gate(endpoint)
    body = b"[" + raw + b"]" if endpoint is LIST else b"data: " + raw + b"\n\n"
    out, asked = through(gate, body, 11, frozenset())
    assert asked == []
    assert b'"f"' not in out
    assert [each.code for each in gate.denied] == [UNREADABLE]
    if not raw.endswith(b":"):
        assert "denied by policy" in read_all(endpoint, out)[0]["candidates"][0]["content"]["parts"][0]["text"]
        assert answer_gate(endpoint, raw).is_readable is False


def test_a_call_in_snake_case_is_a_call() -> None:
    body = b'data: {"candidates":[{"content":{"parts":[{"function_call":{"name":"f","args":{}}}]}}]}\n\n'
    out, asked = through(tool_gate(SSE), body, 100, frozenset({"f"}))
    assert [ask.name for ask in asked] == ["f"]
    assert b"function_call" not in out


def test_an_escaped_name_hides_no_call() -> None:
    body = rb'data: {"candidates":[{"content":{"parts":[{"function\u0043all":{"name":"f","args":{}}}]}}]}' + b"\n\n"
    assert [ask.name for ask in through(tool_gate(SSE), body, 100, frozenset())[1]] == ["f"]


def test_an_endless_call_is_refused_and_nothing_follows() -> None:
    gate = tool_gate(SSE)
    head = b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":"'
    out, _ = through(gate, head + b"x" * (9 * 1024 * 1024), 1 << 20, frozenset())
    assert b"xxxx" not in out
    assert [each.code for each in gate.denied] == [TOO_LARGE]


def test_where_it_only_observes_everything_passes() -> None:
    gate = tool_gate(SSE, observes=True)
    body = written(SSE, [called("f")])
    assert through(gate, body, 50, frozenset({"f"}))[0] == body
    assert [each.name for each in gate.denied] == ["f"]


def test_an_answer_in_one_piece_is_decided_whole() -> None:
    body = json.dumps(called("f", "g")).encode()
    gate = answer_gate(SSE, body)
    assert [ask.name for ask in gate.asks] == ["f", "g"]
    assert gate.answer([YES, YES]) == body
    gate = answer_gate(SSE, body)
    parts = json.loads(gate.answer([NO, YES]))["candidates"][0]["content"]["parts"]
    assert "functionCall" not in parts[1]
    assert parts[2]["functionCall"]["name"] == "g"
