"""What is read of a request of the Anthropic dialect, and what is refused in it by name."""

import json
from typing import Any

import pytest

from proxy.core.refusal import Refusal, Refused
from proxy.wire.anthropic.countable import read_countable
from proxy.wire.anthropic.request import read_request
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import RequestFacts

ASK = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


def said_with(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


def read(endpoint: Endpoint = Endpoint.MESSAGES, **members: Any) -> RequestFacts:
    return read_request(endpoint, "/messages", json.dumps({**ASK, **members}).encode())


def refusal(body: bytes, endpoint: Endpoint = Endpoint.MESSAGES) -> Refused:
    with pytest.raises(Refused) as raised:
        read_request(endpoint, "/messages", body)
    return raised.value


def test_the_facts_of_a_request_are_read() -> None:
    facts = read(stream=True, metadata={"user_id": "u1"}, speed="fast", system="Be brief.", unknown={"a": 1})
    assert facts.model == "claude-sonnet-5"
    assert facts.streamed
    assert facts.max_output_tokens == 100
    assert facts.user == "u1"
    assert facts.service_tier == "fast"
    assert facts.stateful == ()
    assert facts.hosted_tools == ()


def test_counting_tokens_needs_no_output_limit_and_runs_no_tool() -> None:
    body = {name: value for name, value in ASK.items() if name != "max_tokens"}
    body["tools"] = [{"type": "web_search_20260318", "name": "web_search"}]
    facts = read_request(Endpoint.COUNT_TOKENS, "/messages/count_tokens", json.dumps(body).encode())
    assert facts.max_output_tokens is None
    assert facts.hosted_tools == ()


@pytest.mark.parametrize(
    ("changes", "param", "said"),
    [
        ({"max_tokens": None}, "max_tokens", "missing"),
        ({"max_tokens": 0}, "max_tokens", "at least 1"),
        ({"max_tokens": "9"}, "max_tokens", "must be an integer; got a string"),
        ({"max_tokens": 1.5}, "max_tokens", "a fraction"),
        ({"model": 3}, "model", "must be a string"),
        ({"model": " "}, "model", "empty"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"tools": {}}, "tools", "an array of objects"),
        ({"metadata": {"user_id": 1}}, "metadata", "`user_id` is a string"),
    ],
)
def test_a_field_of_another_type_is_named(changes: dict[str, Any], param: str, said: str) -> None:
    refused = refusal(json.dumps({**ASK, **changes}).encode())
    assert refused.why is Refusal.INVALID_REQUEST
    assert refused.param == param
    assert said in refused.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"[]", "got an array"),
        (b'{"model": ', "ends too early"),
        (b'{"max_tokens": 1}', "`model` is missing"),
        (b'{"model":"a","model":"b","max_tokens":1}', "given twice"),
        (b'{"model":"\xff"}', "not valid UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"model":"\\ud800"}', "surrogate"),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, "nested too deeply"),
    ],
)
def test_what_is_no_request_is_told_why(body: bytes, said: str) -> None:
    assert said in refusal(body).message


def test_a_whole_number_may_be_written_as_a_fraction() -> None:
    assert read(max_tokens=100.0).max_output_tokens == 100


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("fallbacks", [{"model": "claude-haiku-5-5"}]),
        ("fallbacks", "default"),
        ("tools", [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5-5"}]),
    ],
)
def test_no_other_model_answers_than_the_one_decided_on(member: str, value: Any) -> None:
    refused = refusal(json.dumps({**ASK, member: value}).encode())
    assert refused.why is Refusal.CAPABILITY_MISSING
    assert refused.param == member


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"container": "container_1"}, "container"),
        ({"container": {"id": "container_1"}}, "container"),
        ({"thread": {"type": "create"}}, "thread"),
        (said_with({"type": "container_upload", "file_id": "file_1"}), "messages[].content[].file_id"),
        (
            said_with({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
            "messages[].content[].file_id",
        ),
    ],
)
def test_what_leans_on_provider_state_is_named(members: dict[str, Any], named: str) -> None:
    assert read(**members).stateful == (named,)


def test_a_file_id_among_a_tools_own_words_is_none() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "move", "input": {"file_id": "7", "type": "file"}}
    assert read(messages=[{"role": "assistant", "content": [call]}]).stateful == ()


def test_tools_that_the_provider_runs_are_told_from_the_clients() -> None:
    tools = [
        {"name": "look", "input_schema": {"type": "object"}},
        {"type": "custom", "name": "see", "input_schema": {"type": "object"}},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
        {"type": "web_search_20260318", "name": "web_search"},
        {"type": "code_execution_20260521", "name": "code_execution"},
    ]
    facts = read(tools=tools, mcp_servers=[{"type": "url", "name": "m", "url": "https://m.example"}])
    assert facts.has_tools
    assert facts.hosted_tools == ("web_search_20260318", "code_execution_20260521", "mcp_servers")


@pytest.mark.parametrize(
    "members",
    [{"compaction": {"type": "auto"}}, {"context_management": {"edits": [{"type": "compact_20260112"}]}}],
)
def test_a_conversation_that_may_be_summed_up_costs_more_than_its_answer(members: dict[str, Any]) -> None:
    assert read(**members).hosted_tools == ("compaction",)
    assert read(context_management={"edits": [{"type": "clear_tool_uses_20250919"}]}).hosted_tools == ()


def test_all_that_is_billed_as_input_is_counted() -> None:
    content = [
        {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "document", "title": "Plan", "source": {"type": "text", "media_type": "text/plain", "data": "Words."}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 400}},
        {"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}},
    ]
    history = [
        {"type": "thinking", "thinking": "Hm.", "signature": "A" * 40},
        {"type": "tool_use", "id": "t", "name": "look", "input": {"at": "sea"}},
    ]
    result = [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "Blue."}]}]
    body = {
        **ASK,
        "system": [{"type": "text", "text": "Be brief."}],
        "tools": [{"name": "look", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": content},
            {"role": "assistant", "content": history},
            {"role": "user", "content": result},
        ],
    }
    counted = read_countable(Endpoint.MESSAGES, json.dumps(body).encode())
    said = counted.texts
    for text in ("Be brief.", "What is this?", "Plan", "Words.", "Hm.", "look", '{"at":"sea"}', "Blue."):
        assert text in said
    assert counted.images == 1
    assert counted.file_bytes == 300
    assert counted.files == 1
    assert counted.opaque_bytes == 30
    assert counted.tools == 1
    assert counted.messages == 6
