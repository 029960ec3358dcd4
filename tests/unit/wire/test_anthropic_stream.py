"""The tap on an Anthropic stream: nothing changed on the way; usage, end and output read; an ending for a cut."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.refusal import Refusal, Refused
from proxy.wire.anthropic.held_end import is_end
from proxy.wire.anthropic.response import read_response, refused_event, truncated_event
from proxy.wire.anthropic.stream import StreamTap
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import Cut
from tests.unit.wire.anthropic_events import call, call_begins, ended, event, read_back, started, text_block, text_delta

MESSAGES = Endpoint.MESSAGES
WHOLE = b"".join(
    (
        started(cache_creation={"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 0}),
        event("ping"),
        text_block(0, "Hello ", "there"),
        call(1, "look", '{"at":', '"sea"}'),
        ended("tool_use", input_tokens=None, output_tokens=21),
    )
)
USAGE = {
    "input_tokens": 12,
    "cache_read_input_tokens": 3,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 21,
}


def tapped(pieces: list[bytes]) -> tuple[StreamTap, bytes]:
    tap = StreamTap(MESSAGES)
    out = b"".join(tap.feed(piece) for piece in pieces)
    return tap, out + tap.close()


@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=8), crlf=st.booleans())
def test_however_it_is_cut_it_passes_and_is_read(cuts: list[int], crlf: bool) -> None:
    stream = WHOLE.replace(b"\n", b"\r\n") if crlf else WHOLE
    edges = [0, *sorted(cuts), len(stream)]
    tap, out = tapped([stream[start:end] for start, end in itertools.pairwise(edges)])
    facts = tap.facts
    assert out == stream
    assert json.loads(facts.raw_usage or b"") == USAGE
    assert (facts.model, facts.finish_reason, facts.terminal) == ("claude-sonnet-5", "tool_use", True)
    assert facts.tool_call_count == 1
    assert "".join(facts.delivered) == 'Hello therelook{"at":"sea"}'
    assert tap.between_events


@given(st.binary(max_size=400))
def test_no_bytes_break_the_tap(noise: bytes) -> None:
    tap, out = tapped([started(), noise, noise])
    assert out == started() + noise + noise
    assert tap.facts.model == "claude-sonnet-5"


def test_a_stream_that_goes_no_further_tells_its_input_and_no_output() -> None:
    tap, _ = tapped([started(), text_delta(0, "Hel")])
    assert json.loads(tap.facts.raw_usage or b"") == {"input_tokens": 12, "cache_read_input_tokens": 3}
    assert not tap.facts.terminal


def test_of_several_ends_the_last_told_number_counts() -> None:
    tap, _ = tapped([started(), ended(output_tokens=5, input_tokens=40)[: -len(event("message_stop"))], ended()])
    told = json.loads(tap.facts.raw_usage or b"")
    assert (told["input_tokens"], told["output_tokens"]) == (40, 9)


def test_an_error_in_the_stream_is_its_end() -> None:
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    tap, out = tapped([started(), error])
    assert out.endswith(error)
    assert tap.facts.terminal
    assert b"overloaded_error" in (tap.facts.error or b"")


def test_an_oddity_elsewhere_loses_no_usage() -> None:
    odd = event("message_delta", delta={"stop_reason": 7}, usage={"output_tokens": 5})
    tap, _ = tapped([started(), odd])
    assert json.loads(tap.facts.raw_usage or b"")["output_tokens"] == 5


def test_a_cut_closes_what_is_open_and_says_why() -> None:
    tap, _ = tapped([started(), text_block(0, "Hi"), call_begins(1, "look")])
    cut = Cut(flyball={"operation": "op_1"}, input_tokens=15, output_tokens=4, asked_for_usage=True)
    events = read_back(tap.ending(cut))
    assert [told["type"] for told in events] == ["content_block_stop", "message_delta", "message_stop"]
    assert events[0]["index"] == 1
    assert events[1]["delta"]["stop_reason"] == "max_tokens"
    assert events[1]["flyball"] == {"operation": "op_1"}


def test_a_cut_before_the_first_event_begins_the_message() -> None:
    tap = StreamTap(MESSAGES)
    cut = Cut(flyball={"operation": "op_1"}, input_tokens=15, output_tokens=0, asked_for_usage=True)
    events = read_back(tap.ending(cut))
    assert [told["type"] for told in events] == ["message_start", "message_delta", "message_stop"]


def test_the_end_is_what_tells_why_the_answer_stopped() -> None:
    assert is_end(ended().split(b"\n\n")[0] + b"\n\n")
    assert is_end(event("message_stop"))
    for other in (started(), text_delta(0, "message_stop"), event("ping")):
        assert not is_end(other)


def test_errors_of_ours_are_in_the_dialects_shape() -> None:
    refused = Refused(Refusal.BUDGET_EXCEEDED, "No money.", facts={"budget": "b"})
    (told,) = read_back(refused_event(MESSAGES, "op_1", refused))
    assert told["type"] == "error"
    assert told["request_id"] == "op_1"
    assert told["error"]["type"] == "billing_error"
    details = {"error_code": "budget_exceeded", "flyball": {"operation": "op_1", "budget": "b"}}
    assert told["error"]["details"] == details
    (told,) = read_back(truncated_event(MESSAGES, "op_1", "It stopped."))
    assert told["error"]["details"]["error_code"] == "upstream_truncated"


def test_a_whole_message_is_read() -> None:
    content = [
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "t", "name": "look", "input": {"at": 1}},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    ]
    message = {"type": "message", "model": "claude-x", "content": content, "stop_reason": "tool_use", "usage": USAGE}
    facts = read_response(MESSAGES, json.dumps(message).encode(), [])
    assert (facts.model, facts.finish_reason, facts.tool_call_count) == ("claude-x", "tool_use", 1)
    assert json.loads(facts.raw_usage or b"") == USAGE
    assert not facts.is_error
    assert read_response(MESSAGES, b'{"input_tokens": 16}', []).raw_usage is None
    assert read_response(MESSAGES, b"\x00", []).model is None


def test_an_error_is_told_from_a_message() -> None:
    facts = read_response(MESSAGES, b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', [])
    assert facts.is_error
    assert b"overloaded" in (facts.error or b"")
