"""Request bodies of the Anthropic dialect: what is said in them and where, and changes that leave all other bytes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.anthropic.call_ids import without_call_ids
from proxy.wire.anthropic.edit import asks_for_form, retarget, with_output_limit, without_tools
from proxy.wire.anthropic.policy_view import read_view
from proxy.wire.anthropic.texts import texts_in
from proxy.wire.anthropic.tool_results import tool_results
from proxy.wire.anthropic.tool_schemas import request_tools
from proxy.wire.endpoint import Endpoint
from proxy.wire.texts import said, with_texts
from proxy.wire.tool_calls import ToolCall

MESSAGES = Endpoint.MESSAGES
TALK: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "max_tokens": 100,
    "system": [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "Be kind."},
    ],
    "messages": [
        {"role": "user", "content": "Who am I?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Look it up.", "signature": "c2ln"},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"type": "a name", "id": "me"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "You are Ann."}],
                    "type": "tool_result",
                },
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A letter."}},
                {"type": "text", "text": "Thanks."},
            ],
        },
    ],
    "tools": [
        {"name": "look", "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}}},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "web_search_20260318", "name": "web_search"},
    ],
    "tool_choice": {"type": "tool", "name": "look"},
}
BODY = json.dumps(TALK).encode()


def test_every_text_is_found_with_who_says_it() -> None:
    found = texts_in(MESSAGES, BODY)
    told = [(text.role, said(BODY, text)) for text in found.parts]
    assert told == [
        ("system", "Be brief."),
        ("system", "Be kind."),
        ("user", "Who am I?"),
        ("assistant", "Look it up."),
        ("assistant", "look"),
        ("assistant", "a name"),
        ("assistant", "me"),
        ("tool", "You are Ann."),
        ("user", "A letter."),
        ("user", "Thanks."),
    ]
    assert found.unread == 1
    assert [text.number for text in found.parts] == [0, 0, 1, 2, 2, 2, 2, 3, 3, 3]


def test_a_text_is_changed_and_nothing_else() -> None:
    text = next(text for text in texts_in(MESSAGES, BODY).parts if said(BODY, text) == "You are Ann.")
    changed = with_texts(BODY, [(text, [(8, 11, "[NAME]")])])
    assert changed == BODY.replace(b"Ann.", b"[NAME].")


def test_policies_see_results_as_a_tools() -> None:
    view = read_view(MESSAGES, BODY)
    assert [message.role for message in view.messages] == ["system", "user", "assistant", "tool", "user"]
    assert view.messages[3].text == "You are Ann."
    assert view.messages[4].text == "A letter.\nThanks."
    assert view.tools == (("look", "function"), ("bash", "function"))
    assert view.provider_tools == ("web_search_20260318",)
    assert view.params["max_tokens"] == 100
    assert "messages" not in view.params


def test_results_are_told_with_the_calls_they_answer() -> None:
    (result,) = tool_results(MESSAGES, BODY)
    assert (result.id, result.name, result.index) == ("toolu_1", "look", 2)


def test_a_call_is_held_against_its_tools_schema() -> None:
    tools = request_tools(BODY)
    assert tools.names == {"look", "bash"}
    assert tools.judge(ToolCall("t", "look", '{"id":"me"}', 0)).valid
    assert not tools.judge(ToolCall("t", "look", '{"id":1}', 0)).valid
    assert tools.judge(ToolCall("t", "bash", '{"command":"ls"}', 0)).valid
    assert not tools.judge(ToolCall("t", "web_search", "{}", 0)).known


def test_the_model_is_named_anew_in_the_body() -> None:
    assert retarget("/messages", BODY, "claude-opus-5") == (
        "/messages",
        BODY.replace(b"claude-sonnet-5", b"claude-opus-5"),
    )
    assert retarget("/messages", BODY, "claude-sonnet-5") == ("/messages", BODY)


def test_the_output_limit_is_only_lowered() -> None:
    assert with_output_limit(MESSAGES, BODY, 50) == BODY.replace(b'"max_tokens": 100', b'"max_tokens": 50')
    assert with_output_limit(MESSAGES, BODY, 100) == BODY
    assert with_output_limit(MESSAGES, b'{"model":"m"}', 7) == b'{"max_tokens":7,"model":"m"}'


def test_half_of_an_answer_with_a_form_is_worth_nothing() -> None:
    assert not asks_for_form(BODY)
    for member, value in (
        ("output_config", {"format": {"type": "json_schema", "schema": {}}}),
        ("output_format", {"type": "json_schema"}),
        ("thinking", {"type": "enabled", "budget_tokens": 2048}),
    ):
        assert asks_for_form(json.dumps({**TALK, member: value}).encode())
    assert not asks_for_form(json.dumps({**TALK, "thinking": {"type": "adaptive"}, "output_config": {}}).encode())


def test_tools_are_taken_out_by_name() -> None:
    without = json.loads(without_tools(BODY, {"look", "web_search"}))
    assert [tool["name"] for tool in without["tools"]] == ["bash"]
    assert "tool_choice" not in without
    assert {**without, "tools": TALK["tools"], "tool_choice": TALK["tool_choice"]} == TALK
    assert without_tools(BODY, {"other"}) == BODY
    bare = json.loads(without_tools(BODY, {"look", "bash", "web_search"}))
    assert "tools" not in bare
    assert "tool_choice" not in bare


def test_ids_of_calls_are_numbered() -> None:
    assert without_call_ids(MESSAGES, BODY) == BODY.replace(b"toolu_1", b"#0")
    assert without_call_ids(MESSAGES, b'{"model":"m"}') == b'{"model":"m"}'


WORDS = st.text(max_size=12)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


@given(
    content=JSON_VALUES,
    odd=st.dictionaries(WORDS.filter(lambda name: name not in TALK), JSON_VALUES, max_size=3),
    ascii_only=st.booleans(),
)
def test_any_body_is_read_and_edits_touch_only_their_member(
    content: Any, odd: dict[str, Any], ascii_only: bool
) -> None:
    talk = {**TALK, **odd, "messages": [{"role": "user", "content": content}]}
    body = json.dumps(talk, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    for text in texts_in(MESSAGES, body).parts:
        assert isinstance(said(body, text), str)
    read_view(MESSAGES, body)
    tool_results(MESSAGES, body)
    assert json.loads(with_output_limit(MESSAGES, body, 7)) == {**talk, "max_tokens": 7}
    assert json.loads(retarget("/", body, "m")[1]) == {**talk, "model": "m"}
    assert json.loads(without_tools(body, {"bash"}))["messages"] == talk["messages"]
