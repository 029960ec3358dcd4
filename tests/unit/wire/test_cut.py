"""The end of a stream that we cut: in the stream's own words, and valid at every place it can be cut."""

import json
from typing import Any

import pytest

from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import Cut
from proxy.wire.openai.cut import MAX_CHOICES, MAX_KEPT_BYTES, Kept, cut_ending
from proxy.wire.openai.stream import StreamTap
from proxy.wire.output_text import OutputText
from proxy.wire.sse import SseSplitter, data_of, name_of

FLYBALL = {"operation": "op_1", "code": "budget_exceeded", "budget": "b"}


def ending(endpoint: Endpoint, *events: dict[str, Any], asked: bool = False) -> list[bytes]:
    """What follows these events when the stream is cut behind them, as events."""
    tap = StreamTap(endpoint, strip_usage=False)
    for event in events:
        tap.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    cut = Cut(flyball=FLYBALL, input_tokens=11, output_tokens=5, asked_for_usage=asked)
    splitter = SseSplitter()
    found = splitter.feed(cut_ending(endpoint, tap.kept, tap.facts.delivered, cut))
    assert not splitter.tail
    return found


def said(event: bytes) -> Any:
    data = data_of(event)
    assert data is not None
    return json.loads(data)


def chunk(index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": {"content": "word "}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    } | more


def test_a_chat_ends_with_length_in_its_own_name() -> None:
    *chunks, done = ending(Endpoint.CHAT, chunk(system_fingerprint="fp"), chunk(id="other"))
    assert done == b"data: [DONE]\n\n"
    assert [said(each) for each in chunks] == [
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "system_fingerprint": "fp",
            "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"}],
            "flyball": FLYBALL,
        }
    ]


def test_usage_is_told_only_to_who_asked() -> None:
    first, usage, _ = ending(Endpoint.CHAT, chunk(), asked=True)
    assert said(first)["flyball"] == FLYBALL
    assert said(usage)["choices"] == []
    assert said(usage)["usage"] == {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
    assert said(usage)["id"] == "chatcmpl-1"


def test_every_choice_that_has_not_ended_ends() -> None:
    first, _ = ending(Endpoint.CHAT, chunk(0), chunk(2), chunk(1, "stop"), chunk(3))
    assert [choice["index"] for choice in said(first)["choices"]] == [0, 2, 3]


def test_an_index_that_is_none_makes_no_choices() -> None:
    first, _ = ending(Endpoint.CHAT, chunk(0), chunk(MAX_CHOICES, "stop"), chunk(-5, "stop"), chunk(10**9))
    assert [choice["index"] for choice in said(first)["choices"]] == [0]


def test_the_prelude_of_azure_is_not_the_streams_name() -> None:
    prelude = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
    first, _ = ending(Endpoint.CHAT, prelude, chunk())
    assert said(first)["id"] == "chatcmpl-1"


def test_a_completion_ends_with_text() -> None:
    told = {"id": "cmpl-1", "object": "text_completion", "choices": [{"index": 0, "text": "a", "finish_reason": None}]}
    first, _ = ending(Endpoint.COMPLETIONS, told)
    assert said(first)["object"] == "text_completion"
    assert said(first)["choices"] == [{"index": 0, "text": "", "logprobs": None, "finish_reason": "length"}]


def test_a_stream_without_a_name_still_ends() -> None:
    first, done = ending(Endpoint.CHAT, {"choices": [{"delta": {"content": "a"}}]})
    assert said(first)["object"] == "chat.completion.chunk"
    assert done == b"data: [DONE]\n\n"


CREATED = {
    "type": "response.created",
    "sequence_number": 0,
    "response": {
        "id": "resp_1",
        "object": "response",
        "status": "in_progress",
        "model": "m",
        "output": [],
        "user": "u",
    },
}


def opened(kind: str, **more: Any) -> dict[str, Any]:
    item = {"id": f"{kind}_1", "type": kind, "status": "in_progress", **more}
    return {"type": "response.output_item.added", "sequence_number": 2, "output_index": 0, "item": item}


def closed(kind: str, **more: Any) -> dict[str, Any]:
    item = {"id": f"{kind}_0", "type": kind, "status": "completed", **more}
    return {"type": "response.output_item.done", "sequence_number": 3, "output_index": 0, "item": item}


def delta(kind: str, text: str, number: int = 7) -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", "sequence_number": number, "output_index": 0, "delta": text}


def test_a_response_ends_incomplete_with_what_was_said() -> None:
    (event,) = ending(
        Endpoint.RESPONSES,
        CREATED,
        opened("reasoning", summary=[]),
        delta("reasoning_summary_text", "Hmm. "),
        closed("reasoning", summary=[{"type": "summary_text", "text": "Hmm. "}]),
        opened("message", role="assistant", content=[]),
        delta("output_text", "Hello "),
        delta("output_text", "wor", 9),
    )
    assert name_of(event) == b"response.incomplete"
    told = said(event)
    assert (told["type"], told["sequence_number"]) == ("response.incomplete", 10)
    response = told["response"]
    assert (response["id"], response["status"], response["user"]) == ("resp_1", "incomplete", "u")
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
    assert response["output"][1]["status"] == "incomplete"
    assert response["output"][1]["content"][0]["text"] == "Hello wor"
    assert response["usage"]["total_tokens"] == 16
    assert response["flyball"] == FLYBALL


@pytest.mark.parametrize(
    ("kind", "member", "event"),
    [
        ("function_call", "arguments", "function_call_arguments"),
        ("custom_tool_call", "input", "custom_tool_call_input"),
    ],
)
def test_a_call_under_way_is_told_as_far_as_it_came(kind: str, member: str, event: str) -> None:
    (end,) = ending(Endpoint.RESPONSES, CREATED, opened(kind, name="f"), delta(event, '{"a'))
    (item,) = said(end)["response"]["output"]
    assert (item["type"], item["name"], item[member], item["status"]) == (kind, "f", '{"a', "incomplete")


def test_a_response_of_which_nothing_is_known_still_ends() -> None:
    (event,) = ending(Endpoint.RESPONSES, delta("output_text", "a"))
    assert said(event)["response"]["id"] == "op_1"
    assert said(event)["response"]["output"] == []


def test_what_is_kept_is_bounded() -> None:
    kept = Kept()
    for _ in range(20):
        kept.close(b"x" * (MAX_KEPT_BYTES // 10))
    assert sum(map(len, kept.items)) <= MAX_KEPT_BYTES
    kept.begin(b"x" * (MAX_KEPT_BYTES + 1))
    kept.open(b"x" * (MAX_KEPT_BYTES + 1), 0)
    assert (kept.first, kept.opened) == (b"", b"")


@pytest.mark.parametrize(
    ("pieces", "tokens"),
    [(["word"] * 10, 16), (["1"] * 10, 10), (["x" * 1000], 400), (["語"] * 10, 16), (["", "ab"], 2)],
)
def test_the_quick_bound_counts_bytes_and_pieces(pieces: list[str], tokens: int) -> None:
    output = OutputText()
    for piece in pieces:
        output.add(piece)
    assert output.fifths == tokens * 5
