"""Both forms of a Gemini stream: cut anywhere, read, ended truthfully."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.refusal import Refusal, Refused
from proxy.core.usage import ToolFee
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import Cut
from proxy.wire.gemini.errors import error_body, error_headers
from proxy.wire.gemini.held_end import held_end
from proxy.wire.gemini.listing import ARRAY, ListSplitter
from proxy.wire.gemini.response import read_response, refused_event, truncated_event
from proxy.wire.gemini.stream import GeminiTap
from proxy.wire.sse import EventTooLarge

SSE: Final = Endpoint.GENERATE_CONTENT
LIST: Final = Endpoint.GENERATE_CONTENT_LIST
FORMS: Final = pytest.mark.parametrize("endpoint", [SSE, LIST])


def chunk(text: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "r1", **more}


def written(endpoint: Endpoint, chunks: list[Any]) -> bytes:
    if endpoint is LIST:
        return b"[" + b"\n,\r\n".join(json.dumps(each, indent=2).encode() for each in chunks) + b"\n]\n"
    return b"".join(b"data: %b\r\n\r\n" % json.dumps(each).encode() for each in chunks)


def fed(endpoint: Endpoint, body: bytes, size: int) -> tuple[GeminiTap, bytes]:
    tap = GeminiTap(endpoint, strip_usage=False)
    out = b"".join(tap.feed(body[at : at + size]) for at in range(0, len(body), size))
    return tap, out + tap.close()


STREAM: Final = [
    chunk("Hel", usageMetadata={"promptTokenCount": 5, "totalTokenCount": 5}),
    chunk('lo "]}[{\\ é', usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 1, "totalTokenCount": 6}),
    chunk("", "STOP", usageMetadata={"candidatesTokenCount": 4, "thoughtsTokenCount": 2, "trafficType": "ON_DEMAND"}),
]


@FORMS
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_a_stream_passes_byte_for_byte_and_is_read(endpoint: Endpoint, size: int) -> None:
    body = written(endpoint, STREAM)
    tap, out = fed(endpoint, body, size)
    assert out == body
    facts = tap.facts
    assert (facts.model, facts.finish_reason, facts.service_tier) == ("gemini-2.5-flash", "STOP", None)
    assert "".join(facts.delivered) == 'Hello "]}[{\\ é'
    assert json.loads(facts.raw_usage or b"") == {
        "promptTokenCount": 5,
        "candidatesTokenCount": 4,
        "thoughtsTokenCount": 2,
        "totalTokenCount": 6,
        "trafficType": "ON_DEMAND",
    }
    assert facts.events == 3
    assert facts.terminal is (endpoint is LIST)


@given(
    st.lists(st.dictionaries(st.text(), st.text() | st.none() | st.lists(st.text()), max_size=3), max_size=5),
    st.integers(1, 9),
    st.sampled_from([None, 1]),
)
def test_an_array_is_cut_into_the_same_elements_however_it_comes(
    values: list[Any], size: int, indent: int | None
) -> None:
    body = b"[" + b" , \n".join(json.dumps(each, indent=indent).encode() for each in values) + b" ]\r\n"
    splitter, events = ListSplitter(), []
    for at in range(0, len(body), size):
        events += splitter.feed(body[at : at + size])
    events.append(splitter.close())
    assert b"".join(events) == body
    assert [json.loads(data) for event in events if (data := ARRAY.data_of(event))] == values


@given(st.binary(max_size=200), st.integers(1, 20))
def test_no_bytes_make_the_tap_fail_or_get_lost(body: bytes, size: int) -> None:
    for endpoint in (SSE, LIST):
        assert fed(endpoint, body, size)[1] == body


def test_an_element_without_end_is_not_kept_for_ever() -> None:
    splitter = ListSplitter(max_event_bytes=10)
    with pytest.raises(EventTooLarge) as caught:
        splitter.feed(b'[{"a":1},{"a":"' + b"x" * 20)
    assert caught.value.events == [b'[{"a":1}']
    assert splitter.close().startswith(b',{"a":"xx')


@FORMS
def test_a_large_event_is_given_in_parts(endpoint: Endpoint) -> None:
    body = written(endpoint, [chunk("x" * 400_000), chunk("y", "STOP")])
    tap = GeminiTap(endpoint, strip_usage=False)
    out = tap.feed(body[:200_000])
    assert len(out) == 200_000
    assert not tap.between_events
    assert out + tap.feed(body[200_000:]) + tap.close() == body
    assert tap.facts.finish_reason == "STOP"


@FORMS
def test_a_cut_stream_ends_validly(endpoint: Endpoint) -> None:
    body = written(endpoint, [chunk("Hel")])
    tap = GeminiTap(endpoint, strip_usage=False)
    out = tap.feed(body[:-4] if endpoint is LIST else body)
    if endpoint is LIST:
        assert out == b""
        out = tap.feed(body[-4:-3])
    assert tap.between_events
    out += tap.ending(Cut(flyball={"code": "x"}, input_tokens=5, output_tokens=2, asked_for_usage=True))
    last = read_all(endpoint, out)[-1]
    assert last["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert last["usageMetadata"] == {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    assert (last["flyball"], last["responseId"]) == ({"code": "x"}, "r1")


@FORMS
def test_a_stream_that_stops_early_ends_in_an_error(endpoint: Endpoint) -> None:
    body = written(endpoint, [chunk("Hel")]).removesuffix(b"\n]\n")
    out = GeminiTap(endpoint, strip_usage=False).feed(body) + truncated_event(endpoint, "op_1", "It broke off.")
    error = read_all(endpoint, out)[-1]["error"]
    assert (error["code"], error["status"], error["message"]) == (502, "UNAVAILABLE", "It broke off.")


def test_nothing_is_put_into_an_array_before_its_first_element() -> None:
    tap = GeminiTap(LIST, strip_usage=False)
    found = []
    for part in (b"", b"[", b'{"a":1}', b"\n,\r\n", b'{"a"'):
        tap.feed(part)
        found.append(tap.between_events)
    assert found == [False, False, True, True, True]


@FORMS
@pytest.mark.parametrize("count", [0, 2])
def test_the_end_is_kept_back_and_may_be_another(endpoint: Endpoint, count: int) -> None:
    body = written(endpoint, [chunk("a")] * count + [chunk("b", "STOP")])
    held = held_end(endpoint)
    out = b"".join(held.feed(body[at : at + 5]) for at in range(0, len(body), 5))
    assert held.is_holding
    refusal = refused_event(endpoint, "op_1", Refused(Refusal.POLICY_DENIED, "No."))
    told = read_all(endpoint, out + held.instead(refusal))
    assert len(told) == count + 1
    assert told[-1]["error"]["status"] == "PERMISSION_DENIED"
    assert out + held.close() == body


def test_an_in_band_error_and_a_blocked_prompt_are_told() -> None:
    tap, _ = fed(SSE, written(SSE, [{"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}]), 9)
    assert tap.facts.error is not None
    assert tap.facts.terminal
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}
    tap, _ = fed(SSE, written(SSE, [blocked]), 9)
    assert (tap.facts.finish_reason, tap.facts.raw_usage) == ("SAFETY", b'{"promptTokenCount": 9}')
    assert read_response(SSE, json.dumps(blocked).encode(), []).finish_reason == "SAFETY"
    wrapped = b'[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]'
    assert read_response(LIST, wrapped, []).is_error


@pytest.mark.parametrize(("model", "searches"), [("gemini-2.5-pro", 1), ("gemini-3-pro", 2)])
def test_searches_are_counted_as_they_are_billed(model: str, searches: int) -> None:
    grounding = {"webSearchQueries": ["a", "b"], "groundingChunks": [{"maps": {"uri": "u"}}]}
    told = chunk("x", "STOP", modelVersion=model)
    told["candidates"][0]["groundingMetadata"] = grounding
    tap, _ = fed(SSE, written(SSE, [told, told]), 30)
    wanted = {ToolFee.WEB_SEARCH: searches, ToolFee.MAPS_SEARCH: 1}
    assert tap.facts.tool_calls == wanted == read_response(SSE, json.dumps(told).encode(), []).tool_calls


def test_a_chunk_of_other_types_is_read_for_its_usage() -> None:
    body = b'data: {"candidates":[{"index":"zero"}],"usageMetadata":{"promptTokenCount":3}}\n\n'
    assert fed(SSE, body, 8)[0].facts.raw_usage == b'{"promptTokenCount":3}'


def test_refusals_are_written_as_googles() -> None:
    refused = Refused(Refusal.RATE_LIMITED, "Slow down.", facts={"limit": 3}, retry_after_s=7, param="model")
    error = json.loads(error_body(refused, "op_1"))["error"]
    assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    info, ours, retry = error["details"]
    assert (info["reason"], info["domain"]) == ("RATE_LIMITED", "flyball")
    assert info["metadata"] == {"code": "rate_limited", "operation": "op_1", "param": "model"}
    assert ours["value"] == {"flyball": {"operation": "op_1", "limit": 3}}
    assert retry["retryDelay"] == "7s"
    assert (b"retry-after", b"7") in error_headers(refused)
    assert (b"x-should-retry", b"false") in error_headers(Refused(Refusal.BUDGET_EXCEEDED, "no"))


def read_all(endpoint: Endpoint, body: bytes) -> list[dict[str, Any]]:
    if endpoint is LIST:
        found: list[dict[str, Any]] = json.loads(body)
        return found
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: ")]
