"""Bedrock's request bodies: what is read of them, what is changed in place, and what is said in them."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.refusal import Refused
from proxy.wire.bedrock.countable import read_countable
from proxy.wire.bedrock.dialect import BEDROCK
from proxy.wire.bedrock.edit import with_member, with_output_limit, without_members
from proxy.wire.bedrock.paths import read_path, with_model
from proxy.wire.bedrock.stream import BedrockTap
from proxy.wire.endpoint import Endpoint
from proxy.wire.eventstream import FrameSplitter, event_frame, read_frame
from proxy.wire.facts import Cut
from proxy.wire.texts import said

CONVERSE: Final = Endpoint.CONVERSE
INVOKE: Final = Endpoint.INVOKE
PATH: Final = "/model/us.amazon.nova-lite-v1%3A0/converse"
BODY: Final = {
    "system": [{"text": "Be kind."}],
    "messages": [
        {"role": "user", "content": [{"text": "Hi"}, {"image": {"format": "png", "source": {"bytes": "aGk="}}}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "abc", "name": "find", "input": {"type": "x"}}}]},
        {"content": [{"toolResult": {"toolUseId": "abc", "content": [{"text": "found"}]}}], "role": "user"},
    ],
    "toolConfig": {
        "tools": [{"toolSpec": {"name": "find", "inputSchema": {"json": {"type": "object"}}}}, {"cachePoint": {}}],
        "toolChoice": {"tool": {"name": "find"}},
    },
    "inferenceConfig": {"temperature": 0.5, "maxTokens": 100},
    "requestMetadata": {"session_id": "s1"},
    "serviceTier": {"type": "priority"},
    "guardrailConfig": {"guardrailIdentifier": "g"},
}
SENT: Final = json.dumps(BODY).encode()


def test_the_facts_of_a_request() -> None:
    facts = BEDROCK.read_request(CONVERSE, PATH + "-stream", SENT)
    assert (facts.model, facts.streamed, facts.max_output_tokens) == ("us.amazon.nova-lite-v1:0", True, 100)
    assert (facts.has_tools, facts.session, facts.service_tier, facts.stateful) == (True, "s1", "priority", ())
    stored = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprompt%2FP1/converse"
    assert BEDROCK.read_request(CONVERSE, stored, b"{}").stateful
    view = BEDROCK.read_view(CONVERSE, SENT)
    assert [(each.role, each.text) for each in view.messages] == [
        ("system", "Be kind."), ("user", "Hi"), ("assistant", "find\nx"), ("tool", "found"),
    ]  # fmt: skip
    assert (view.tools, view.params["guardrailConfig"]) == ((("find", "function"),), {"guardrailIdentifier": "g"})
    assert [(each.id, each.name, each.index) for each in BEDROCK.tool_results(CONVERSE, SENT)] == [("abc", "find", 2)]


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({"anthropic_version": "v", "max_tokens": 7}, 7),
        ({"inputText": "x", "textGenerationConfig": {"maxTokenCount": 8}}, 8),
        ({"prompt": "x", "max_gen_len": 9}, 9),
        ({"messages": [], "inferenceConfig": {"maxTokens": 3, "max_new_tokens": 10}}, 10),
        ({"prompt": "x"}, None),
        ({"max_tokens": 0, "max_gen_len": 4}, None),
    ],
)
def test_each_makers_limit_is_known(body: dict[str, Any], limit: int | None) -> None:
    facts = BEDROCK.read_request(INVOKE, "/model/m/invoke", json.dumps(body).encode())
    assert facts.max_output_tokens == limit


def test_a_limit_is_lowered_in_place_or_put_where_its_maker_has_it() -> None:
    lowered = with_output_limit(CONVERSE, SENT, 10)
    assert lowered == SENT.replace(b'"maxTokens": 100', b'"maxTokens": 10')
    assert with_output_limit(CONVERSE, SENT, 200) == SENT
    extra = b'{"additionalModelRequestFields":{"max_tokens":500}}'
    assert with_output_limit(CONVERSE, extra, 10) == extra.replace(b"500", b"10")
    assert with_output_limit(CONVERSE, b"{}", 10) == b'{"inferenceConfig":{"maxTokens":10}}'
    assert with_output_limit(CONVERSE, b'{"inferenceConfig":null}', 10) == b'{"inferenceConfig":{"maxTokens":10}}'
    assert json.loads(with_output_limit(INVOKE, b'{"anthropic_version":"v"}', 10))["max_tokens"] == 10
    titan = json.loads(with_output_limit(INVOKE, b'{"inputText":"x"}', 10))
    assert titan["textGenerationConfig"] == {"maxTokenCount": 10}
    with pytest.raises(Refused, match="must be limited"):
        with_output_limit(INVOKE, b'{"prompt":"x"}', 10)


@given(
    st.dictionaries(st.text(max_size=5), st.recursive(st.integers() | st.text(max_size=5), st.lists), max_size=5),
    st.integers(min_value=0, max_value=99),
)
def test_a_member_is_set_and_taken_out_and_all_others_stay(fields: dict[str, Any], value: int) -> None:
    changed = json.loads(with_member(json.dumps(fields).encode(), ("a", "b"), b"%d" % value)) if (
        isinstance(fields.get("a", {}), dict)
    ) else {**fields, "a": {"b": value}}  # fmt: skip
    assert changed == {**fields, "a": {"b": value}}
    left = json.loads(without_members(json.dumps(fields).encode(), frozenset({"a"})))
    assert left == {name: each for name, each in fields.items() if name != "a"}


def test_tools_are_taken_out_with_the_choice_of_them() -> None:
    assert "toolConfig" not in json.loads(BEDROCK.without_tools(SENT, {"find"}))
    assert BEDROCK.without_tools(SENT, {"other"}) == SENT
    two = {"tools": [{"name": "a", "input_schema": {}}, {"name": "b"}], "tool_choice": {"type": "tool", "name": "a"}}
    assert json.loads(BEDROCK.without_tools(json.dumps(two).encode(), {"a"})) == {"tools": [{"name": "b"}]}
    assert BEDROCK.request_tools(SENT).names == {"find"}


def test_every_text_is_found_where_it_stands_with_who_says_it() -> None:
    texts = BEDROCK.texts_in(CONVERSE, SENT)
    assert [(each.role, said(SENT, each)) for each in texts.parts] == [
        ("system", "Be kind."), ("user", "Hi"), ("assistant", "find"), ("assistant", "x"), ("tool", "found"),
    ]  # fmt: skip
    assert texts.unread == 1
    invoked = json.dumps({"system": "S", "messages": [{"role": "user", "content": "U"}], "max_tokens": 5}).encode()
    assert [said(invoked, each) for each in BEDROCK.texts_in(INVOKE, invoked).parts] == ["S", "U"]


def test_ids_of_calls_are_numbered_and_nothing_else_is() -> None:
    assert BEDROCK.without_call_ids(CONVERSE, SENT) == SENT.replace(b'"toolUseId": "abc"', b'"toolUseId": "#0"')


def test_what_is_billed_as_input_is_counted() -> None:
    countable = read_countable(CONVERSE, SENT)
    assert (countable.images, countable.tools, countable.messages) == (1, 1, 6)
    assert {"Be kind.", "Hi", "find", "found"} <= set(countable.texts)


@given(st.text(min_size=1, max_size=40))
def test_models_come_through_paths_as_they_are(model: str) -> None:
    read = read_path(with_model(PATH, model))
    assert read is not None and (read.model, read.action) == (model, "converse")


def test_what_is_no_path_of_a_model_is_none() -> None:
    for path in ("/model//converse", "/model/a/b/converse", "/model/a/x", "/models/a/converse", "/model/converse"):
        assert read_path(path) is None, path


def ended(tap: BedrockTap) -> list[tuple[str, Any]]:
    cut = Cut(flyball={"code": "budget_exceeded"}, input_tokens=5, output_tokens=3, asked_for_usage=True)
    frames = [read_frame(frame) for frame in FrameSplitter().feed(tap.ending(cut))]
    return [(each.event or each.error, json.loads(each.payload)) for each in frames if each is not None]


def test_a_cut_stream_ends_as_its_model_would_end_it() -> None:
    tap = BedrockTap(CONVERSE, strip_usage=False)
    tap.feed(event_frame("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hi"}}'))
    assert tap.between_events
    block, stop, last = ended(tap)
    assert (block[0], stop[1]["stopReason"], last[1]["usage"]["totalTokens"]) == ("contentBlockStop", "max_tokens", 8)
    assert stop[1]["additionalModelResponseFields"]["flyball"] == {"code": "budget_exceeded"}
    invoked = BedrockTap(INVOKE, strip_usage=False)
    assert [name for name, _ in ended(invoked)] == ["modelStreamErrorException"]


@given(st.binary(max_size=400), st.integers(min_value=0, max_value=400))
def test_a_tap_gives_back_what_it_was_fed(data: bytes, cut: int) -> None:
    frame = event_frame("contentBlockDelta", data[:50])
    for endpoint in (CONVERSE, INVOKE):
        tap = BedrockTap(endpoint, strip_usage=False)
        stream = frame + data
        assert tap.feed(stream[:cut]) + tap.feed(stream[cut:]) + tap.close() == stream
