"""Calls in Anthropic's streams and answers: withheld until judged, denied ones replaced truthfully."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.anthropic.gate import answer_gate, tool_gate
from proxy.wire.endpoint import Endpoint
from proxy.wire.gate import AnswerGate, ToolGate
from proxy.wire.tool_calls import ALLOWED, ToolCall, Verdict
from tests.unit.wire.anthropic_events import (
    call,
    call_begins,
    ended,
    event,
    input_delta,
    read_back,
    started,
    stopped,
    text_block,
)

MESSAGES = Endpoint.MESSAGES
NO = Verdict(False, "no_wipes", "Nothing is wiped here.")


def by_name(asked: ToolCall) -> Verdict:
    return NO if asked.name == "wipe" or "danger" in asked.arguments else ALLOWED


def gated(
    pieces: list[bytes], judge: Callable[[ToolCall], Verdict] = by_name, **options: Any
) -> tuple[ToolGate, bytes, list[ToolCall]]:
    gate, out, asked = tool_gate(MESSAGES, **options), b"", list[ToolCall]()
    for number, piece in enumerate([*pieces, None]):
        out += gate.close() if piece is None else gate.feed(piece, number)
        while gate.asks:
            asked += gate.asks
            out += gate.answer([judge(each) for each in gate.asks])
    return gate, out, asked


TWO = b"".join(
    (
        started(),
        text_block(0, "Let me see."),
        call(1, "look", '{"at":', '"sea"}', id_="toolu_a"),
        call(2, "wipe", "{", '"everything":true}', id_="toolu_b"),
        ended("tool_use"),
    )
)


@given(cuts=st.lists(st.integers(0, len(TWO)), max_size=8))
def test_what_is_allowed_passes_byte_for_byte(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(TWO)]
    pieces = [TWO[start:end] for start, end in itertools.pairwise(edges)]
    gate, out, asked = gated(pieces, lambda _: ALLOWED)
    assert out == TWO
    assert [(each.id, each.name, each.arguments) for each in asked] == [
        ("toolu_a", "look", '{"at":"sea"}'),
        ("toolu_b", "wipe", '{"everything":true}'),
    ]
    assert gate.denied == []


def test_nothing_of_a_call_is_told_before_it_is_judged() -> None:
    gate = tool_gate(MESSAGES)
    before = started() + text_block(0, "Hm.")
    assert gate.feed(before, 0) == before
    assert gate.feed(call_begins(1, "look"), 1) == b""
    assert gate.feed(input_delta(1, "{}"), 2) == b""
    assert gate.feed(event("ping"), 3) == b""
    assert gate.is_holding
    assert gate.feed(stopped(1), 4) == b""
    assert [each.name for each in gate.asks] == ["look"]
    whole = call_begins(1, "look") + input_delta(1, "{}") + event("ping") + stopped(1)
    assert gate.answer([ALLOWED]) == whole


@given(cuts=st.lists(st.integers(0, len(TWO)), max_size=8))
def test_a_denied_call_gives_way_to_a_text_in_its_place(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(TWO)]
    gate, out, _ = gated([TWO[start:end] for start, end in itertools.pairwise(edges)])
    assert [(each.name, each.code) for each in gate.denied] == [("wipe", "no_wipes")]
    assert b"toolu_b" not in out
    assert b"everything" not in out
    events = read_back(out)
    told = [each["delta"]["text"] for each in events if each.get("index") == 2 and "delta" in each]
    assert told == ["The tool call 'wipe' was denied by policy (no_wipes): Nothing is wiped here."]
    begun = [each["content_block"]["type"] for each in events if each["type"] == "content_block_start"]
    assert begun == ["text", "tool_use", "text"]
    # One call is left, so that the reason it stopped for is still true.
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_where_no_call_is_left_the_turn_has_ended() -> None:
    _, out, _ = gated([started() + call(0, "wipe", "{}") + ended("tool_use")])
    end = read_back(out)[-2]
    assert end["delta"]["stop_reason"] == "end_turn"
    assert end["usage"] == {"output_tokens": 9}


def test_observing_writes_down_and_lets_pass() -> None:
    gate, out, _ = gated([TWO], observes=True)
    assert out == TWO
    assert [each.name for each in gate.denied] == ["wipe"]


def test_tools_that_the_provider_runs_pass() -> None:
    block = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    stream = (
        started()
        + event("content_block_start", index=0, content_block=block)
        + input_delta(0, '{"query":"danger"}')
        + stopped(0)
        + ended()
    )
    gate, out, asked = gated([stream])
    assert out == stream
    assert asked == []
    assert gate.denied == []


def test_an_input_that_is_told_twice_must_be_allowed_in_both_readings() -> None:
    begun = call_begins(0, "look", given={"at": "danger"})
    gate, out, asked = gated([started() + begun + input_delta(0, '{"at":"sea"}') + stopped(0) + ended("tool_use")])
    assert [each.arguments for each in asked] == ['{"at":"sea"}', '{"at":"danger"}']
    assert len(gate.denied) == 1
    assert b"tool_use" not in out


def test_a_call_too_large_to_be_looked_into_is_denied() -> None:
    stream = started() + call(0, "look", *["x" * 100] * 50) + ended("tool_use")
    gate, out, asked = gated([stream], most_bytes=2000)
    assert [each.code for each in gate.denied] == ["tool_call_too_large"]
    assert asked == []
    assert b"xxx" not in out
    assert read_back(out)[-2]["delta"]["stop_reason"] == "end_turn"


def test_a_call_that_does_not_come_to_its_end_is_denied() -> None:
    gate = tool_gate(MESSAGES, most_ns=10)
    gate.feed(started() + call_begins(0, "look"), 0)
    out = gate.feed(input_delta(0, "{"), 11) + gate.feed(stopped(0) + ended("tool_use"), 12)
    assert [each.code for each in gate.denied] == ["tool_call_too_slow"]
    assert b"toolu" not in out


HIDDEN = [
    pytest.param(
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"index":1,"content_block":'
        b'{"type":"tool_use","name":"wipe"}}\n\n',
        id="a member twice",
    ),
    pytest.param(event("content_block_start", index=0, content_block={"type": "Tool_Use"}), id="other letters"),
    pytest.param(
        event("content_block_start", index=0, Content_Block={"type": "tool_use"}), id="a member in other letters"
    ),
    pytest.param(event("content_block_start", index="0", content_block={"type": "tool_use"}), id="no number"),
    pytest.param(
        b'event: ping\ndata: {"type":"content_block_start","content_block":{"type":"tool_use"}}\n\n', id="two"
    ),
    pytest.param(event("message_start", message={"content": [{"type": "tool_use", "name": "wipe"}]}), id="at once"),
    pytest.param(event("other", content_block={"type": "tool_use", "name": "wipe"}), id="another event"),
    pytest.param(input_delta(7, '{"danger":1}'), id="the input of no call"),
    pytest.param(b"event: content_block_start\ndata: {tool_use}\n\n", id="no JSON"),
    pytest.param(b": tool_use\n\n", id="a comment"),
]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_two_clients_could_read_in_two_ways_ends_the_stream(hidden: bytes) -> None:
    gate, out, asked = gated([started() + text_block(0, "Hm."), hidden, text_block(1, "more"), ended()])
    assert [each.code for each in gate.denied] == ["unreadable_tool_call"]
    assert asked == []
    last = read_back(out)[-1]
    assert last["type"] == "error"
    assert last["error"]["details"] == {"error_code": "unreadable_tool_call"}
    assert b"more" not in out


def test_two_calls_in_one_place_are_both_denied() -> None:
    stream = started() + call_begins(0, "look") + call_begins(0, "look") + stopped(0) + ended("tool_use")
    gate, out, _ = gated([stream])
    assert {each.code for each in gate.denied} == {"ambiguous_tool_call"}
    assert b"toolu" not in out


def test_more_of_a_call_that_was_decided_ends_the_stream() -> None:
    gate, out, _ = gated([started() + call(0, "look", "{}"), input_delta(0, "danger")])
    assert [each.code for each in gate.denied] == ["unreadable_tool_call"]
    assert b"danger" not in out


@given(st.binary(max_size=200))
def test_no_bytes_break_the_gate(noise: bytes) -> None:
    gated([TWO[:400], noise, TWO[400:]])


MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "content": [
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "toolu_a", "name": "look", "input": {"at": "sea"}},
        {"type": "tool_use", "id": "toolu_b", "name": "wipe", "input": {}},
    ],
    "stop_reason": "tool_use",
    "usage": {"output_tokens": 9},
}


def answered(message: dict[str, Any], judge: Callable[[ToolCall], Verdict] = by_name) -> tuple[AnswerGate, bytes]:
    gate = answer_gate(MESSAGES, json.dumps(message).encode())
    return gate, gate.answer([judge(each) for each in gate.asks])


def test_an_allowed_answer_passes_byte_for_byte() -> None:
    gate, out = answered(MESSAGE, lambda _: ALLOWED)
    assert out == json.dumps(MESSAGE).encode()
    assert [each.name for each in gate.asks] == ["look", "wipe"]


def test_a_denied_call_in_an_answer_gives_way_to_a_text() -> None:
    gate, out = answered(MESSAGE)
    told = json.loads(out)
    assert [block["type"] for block in told["content"]] == ["text", "tool_use", "text"]
    assert "denied by policy (no_wipes)" in told["content"][2]["text"]
    assert told["stop_reason"] == "tool_use"
    assert told["usage"] == MESSAGE["usage"]
    assert [each.code for each in gate.denied] == ["no_wipes"]
    alone = {**MESSAGE, "content": [MESSAGE["content"][2]]}
    assert json.loads(answered(alone)[1])["stop_reason"] == "end_turn"


def test_an_answer_that_cannot_be_read_must_not_be_sent() -> None:
    assert not answer_gate(MESSAGES, b'{"content":[{"type":"tool_use"}],"content":[]}').is_readable
    assert not answer_gate(MESSAGES, b"tool_use").is_readable
    assert answer_gate(MESSAGES, b'{"content":[]}').is_readable
