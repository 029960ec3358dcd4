"""The gate of Bedrock's streams: what is withheld, what goes on byte for byte, and what cannot be read in one way."""

import json
from base64 import b64encode
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.bedrock.gate import answer_gate, tool_gate
from proxy.wire.endpoint import Endpoint
from proxy.wire.eventstream import FrameSplitter, event_frame, read_frame
from proxy.wire.tool_calls import Verdict

YES: Final = Verdict(True)
NO: Final = Verdict(False, "no_radio", "No radio.")


def event(name: str, **fields: Any) -> bytes:
    return event_frame(name, json.dumps(fields).encode())


def call(index: int, name: str, *parts: str, id_: str = "t1") -> list[bytes]:
    start = {"toolUse": {"toolUseId": id_, "name": name}}
    deltas = [event("contentBlockDelta", contentBlockIndex=index, delta={"toolUse": {"input": each}}) for each in parts]
    return [
        event("contentBlockStart", contentBlockIndex=index, start=start),
        *deltas,
        event("contentBlockStop", contentBlockIndex=index),
    ]


TEXT: Final = event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Let me see. toolUse?"})
STOP: Final = event("messageStop", stopReason="tool_use")
LAST: Final = event("metadata", usage={"inputTokens": 1, "outputTokens": 2})
STREAM: Final = (TEXT, *call(1, "good", '{"a":', "1}"), *call(2, "bad", "{}", id_="t2"), STOP, LAST)


def judged(stream: bytes, cuts: list[int], endpoint: Endpoint = Endpoint.CONVERSE) -> tuple[bytes, list[str], Any]:
    """The stream behind its gate, which says no to `bad`; what was asked, and the gate."""
    gate = tool_gate(endpoint)
    out, asked = b"", []
    bounds = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for place, end in enumerate(bounds):
        out += gate.feed(stream[bounds[place - 1] if place else 0 : end], place)
        while gate.asks:
            asked += [f"{each.name}{each.arguments}" for each in gate.asks]
            out += gate.answer([NO if each.name == "bad" else YES for each in gate.asks])
    out += gate.close()
    while gate.asks:
        out += gate.answer([NO for _ in gate.asks])
    return out, asked, gate


@given(st.lists(st.integers(min_value=0), max_size=10))
def test_however_it_is_cut_the_denied_block_becomes_a_text_and_all_else_is_as_it_came(cuts: list[int]) -> None:
    out, asked, gate = judged(b"".join(STREAM), cuts)
    assert asked == ['good{"a":1}', "bad{}"]
    frames = FrameSplitter().feed(out)
    assert frames[:5] == list(STREAM[:5])
    told = read_frame(frames[5])
    assert told is not None and told.event == "contentBlockDelta"
    assert json.loads(told.payload)["contentBlockIndex"] == 2
    assert "'bad' was denied by policy (no_radio): No radio." in json.loads(told.payload)["delta"]["text"]
    # A call is left, so the answer still ends in calls.
    assert frames[6:] == [STREAM[7], STOP, LAST]
    assert [(each.name, each.code) for each in gate.denied] == [("bad", "no_radio")]


def test_nothing_of_a_call_goes_on_before_it_is_decided() -> None:
    gate = tool_gate(Endpoint.CONVERSE)
    for frame in (TEXT, *call(1, "good", "{}")[:2]):
        out = gate.feed(frame, 0)
        assert out == (TEXT if frame is TEXT else b"")
    assert gate.is_holding and not gate.asks


@pytest.mark.parametrize(
    "frames",
    [
        [event("contentBlockDelta", contentBlockIndex=1, delta={"toolUse": {"input": "{}"}})],
        [event("contentBlockStart", contentBlockIndex="1", start={"toolUse": {"name": "good"}})],
        [event("contentBlockStart", contentBlockIndex=1, start={"tooluse": {"name": "good"}})],
        [event_frame("contentBlockStart", b'{"start":{"toolUse":{"name":"good","name":"bad"}}}')],
        [event("contentBlockStart", contentBlockIndex=1, start={"toolUse": [1]})],
        [event_frame("contentBlockStart", b"toolUse")],
    ],
)
def test_what_could_be_a_call_and_cannot_be_read_ends_the_stream_in_an_exception(frames: list[bytes]) -> None:
    out, asked, gate = judged(b"".join([TEXT, *frames, STOP]), [])
    found = [read_frame(frame) for frame in FrameSplitter().feed(out)]
    assert [each.error for each in found if each is not None] == ["", "validationException"]
    assert not asked and gate.denied[0].code == "unreadable_tool_call"


def test_a_block_that_begins_twice_is_denied() -> None:
    first, _, stop = call(1, "good", "{}")
    out, _, gate = judged(b"".join([first, first, stop, STOP]), [])
    assert gate.denied and "toolUse" not in out.decode("latin-1").replace("toolUseId", "")


def test_a_call_that_the_provider_runs_itself_passes() -> None:
    start = {"toolUse": {"toolUseId": "s1", "name": "nova_grounding", "type": "server_tool_use"}}
    frames = [
        event("contentBlockStart", contentBlockIndex=1, start=start),
        event("contentBlockDelta", contentBlockIndex=1, delta={"toolUse": {"input": "{}"}}),
        event("contentBlockStop", contentBlockIndex=1),
        event("messageStop", stopReason="end_turn"),
    ]
    assert judged(b"".join(frames), [])[:2] == (b"".join(frames), [])


def chunk(**inner: Any) -> bytes:
    return event_frame("chunk", json.dumps({"bytes": b64encode(json.dumps(inner).encode()).decode()}).encode())


def test_calls_of_invoked_streams_are_denied_since_they_cannot_be_read() -> None:
    text = chunk(type="content_block_delta", delta={"type": "text_delta", "text": "about tool_use é"})
    block = {"type": "tool_use", "id": "t1", "name": "good", "input": {}}
    out, asked, gate = judged(
        text + chunk(type="content_block_start", index=1, content_block=block), [], Endpoint.INVOKE
    )  # fmt: skip
    assert out.startswith(text) and b"validationException" in out and not asked
    assert gate.denied[0].code == "unreadable_tool_call"


def test_whole_answers_of_converse_and_of_nova_are_read_and_those_of_others_are_not() -> None:
    use = {"toolUse": {"toolUseId": "t1", "name": "bad", "input": {"a": 1}}}
    answer = {"output": {"message": {"content": [{"text": "x"}, use]}}, "stopReason": "tool_use", "usage": {"a": 1}}
    for endpoint in (Endpoint.CONVERSE, Endpoint.INVOKE):
        gate = answer_gate(endpoint, json.dumps(answer).encode())
        assert [(each.name, each.arguments) for each in gate.asks] == [("bad", '{"a": 1}')]
        changed = json.loads(gate.answer([NO]))
        assert changed["stopReason"] == "end_turn" and "no_radio" in changed["output"]["message"]["content"][1]["text"]
    other = json.dumps({"content": [{"type": "tool_use", "name": "bad", "input": {}}]}).encode()
    assert not answer_gate(Endpoint.INVOKE, other).is_readable
    assert answer_gate(Endpoint.INVOKE, b'{"content":[{"type":"text","text":"tool_use"}]}').is_readable
