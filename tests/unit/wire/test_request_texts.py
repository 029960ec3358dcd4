"""Where texts stand in a request's body: who said them, what is none, and that changing them changes nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.texts import texts_in
from proxy.wire.texts import Text, said, with_texts

CHAT, RESPONSES = Endpoint.CHAT, Endpoint.RESPONSES


def told(endpoint: Endpoint, body: Any) -> list[tuple[str, int, str]]:
    raw = body if isinstance(body, bytes) else json.dumps({"model": "m", **body}).encode()
    return [(text.role, text.number, said(raw, text)) for text in texts_in(endpoint, raw).parts]


def test_a_chat_messages_texts_are_read_whatever_holds_them() -> None:
    messages = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "name": "bob"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "read", "arguments": '{"a":1}'}}],
        },
        {"content": "found", "tool_call_id": "c", "role": "tool"},
    ]
    assert told(CHAT, {"messages": messages, "user": "u", "prediction": {"type": "content", "content": "soon"}}) == [
        ("system", 0, "be kind"),
        ("user", 1, "one"),
        ("user", 1, "two"),
        ("user", 1, "bob"),
        ("assistant", 2, "read"),
        ("assistant", 2, '{"a":1}'),
        ("tool", 3, "found"),
        ("assistant", 4, "soon"),
    ]


def test_a_responses_items_are_told_by_who_made_them() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "function_call", "call_id": "c", "name": "read", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "data", "role": "system"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "xxx"},
    ]
    body = {"input": items, "instructions": "be kind", "prompt": {"id": "p", "variables": {"name": "bob"}}}
    assert told(RESPONSES, body) == [
        ("system", 0, "be kind"),
        ("user", 1, "hi"),
        ("assistant", 2, "read"),
        ("assistant", 2, "{}"),
        ("tool", 3, "data"),
        ("assistant", 4, "hm"),
        ("user", 5, "bob"),
    ]
    assert told(RESPONSES, {"input": "hi"}) == [("user", 0, "hi")]


@pytest.mark.parametrize(
    "message",
    [
        {"content": "data: bob"},
        {"content": [{"type": "text", "text": "data: bob"}]},
        {"role": "tool", "tool_call_id": "c", "content": "data: bob"},
        {"content": None, "tool_calls": [{"id": "c", "function": {"name": "data: bob", "arguments": "data: bob"}}]},
    ],
)
def test_a_text_that_begins_like_a_url_of_data_is_read_all_the_same(message: dict[str, Any]) -> None:
    """Regression: it was taken for an image, and passed both looking and redaction."""
    found = told(CHAT, {"messages": [{"role": "user", **message}]})
    assert found and {text for _, _, text in found} == {"data: bob"}


@pytest.mark.parametrize("name", ["data", "id", "status", "type", "detail", "role", "url", "file_data", "signature"])
def test_a_prompts_variables_are_read_whatever_they_are_called(name: str) -> None:
    """Regression: those called like a member in which nothing is said were not read."""
    for value in ("data: bob", {"type": "input_text", "text": "data: bob"}):
        body = {"input": "hi", "prompt": {"id": "p", "version": "2", "variables": {name: value}}}
        assert told(RESPONSES, body)[1:] == [("user", 1, "2"), ("user", 1, "data: bob")]


def test_prompts_and_inputs_to_be_embedded() -> None:
    assert told(Endpoint.COMPLETIONS, {"prompt": ["a", "b"], "suffix": "c"}) == [
        ("user", 0, "a"),
        ("user", 1, "b"),
        ("user", 2, "c"),
    ]
    assert told(Endpoint.EMBEDDINGS, {"input": "a"}) == [("user", 0, "a")]


@pytest.mark.parametrize(
    ("endpoint", "body", "unread"),
    [
        (Endpoint.EMBEDDINGS, {"input": [1, 2, 3]}, 1),
        (Endpoint.COMPLETIONS, {"prompt": [[1, 2], [3]]}, 1),
        (Endpoint.COMPLETIONS, {"prompt": "a", "max_tokens": 3}, 0),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}]}, 1),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]}]}, 1),
        (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "x"}]}]}, 1),
        (
            RESPONSES,
            {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "file_id": "x"}]}]},
            1,
        ),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "document", "source": {"data": "x"}}]}]}, 1),
        (CHAT, {"messages": [{"role": "user", "content": "a", "n": 5}]}, 0),
    ],
)
def test_what_holds_no_text_is_counted(endpoint: Endpoint, body: dict[str, Any], unread: int) -> None:
    raw = json.dumps({"model": "m", **body}).encode()
    assert texts_in(endpoint, raw).unread == unread
    assert not [text for text in texts_in(endpoint, raw).parts if said(raw, text) == "x"]


def test_a_member_that_is_written_twice_is_read_twice_and_trusted_as_the_least() -> None:
    body = b'{"model":"m","messages":[{"role":"tool","role":"system","content":"a","c\\u006fntent":"b"}]}'
    assert told(CHAT, body) == [("tool", 0, "a"), ("tool", 0, "b")]


def test_a_change_leaves_every_other_byte() -> None:
    content = b'"\\u0061\\ud83d\\ude00b\\n\xc3\xbc bob@x.de!"'
    body = b'{ "messages" : [ {"role":"user","content":%b} ],"model":"m","x":1e5}' % content
    (text,) = texts_in(CHAT, body).parts
    words = said(body, text)
    at = words.index("bob@x.de")
    changed = with_texts(body, [(text, [(at, at + 8, "[EMAIL]"), (at + 8, at + 9, "?")])])
    assert changed == body.replace(b"bob@x.de!", b"[EMAIL]?")
    assert with_texts(body, [(text, [(1, 2, "-")])]) == body.replace(b"\\ud83d\\ude00", b"-")


JSON_TEXT = st.text(max_size=40).filter(lambda text: text.isprintable() or "\n" in text)
ESCAPED = st.sampled_from(["ascii", "plain", "all"])


def written(text: str, how: str) -> str:
    if how == "all":
        units = text.encode("utf-16-be")
        return '"' + "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)) + '"'
    return json.dumps(text, ensure_ascii=how == "ascii")


@given(st.lists(st.tuples(st.text(max_size=30), ESCAPED, st.integers(0, 30), st.integers(0, 30)), max_size=5))
def test_changing_a_body_is_changing_what_it_says(drawn: list[tuple[str, str, int, int]]) -> None:
    parts = ",".join(f'{{"type":"text","text": {written(text, how)} }}' for text, how, _, _ in drawn)
    body = f'{{"model":"m","messages":[{{"role":"user","content":[{parts}]}}]}}'.encode()
    texts = texts_in(CHAT, body).parts
    spans = [sorted((min(a, len(text)), min(b, len(text)))) for text, _, a, b in drawn]
    changes: list[tuple[Text, list[tuple[int, int, str]]]] = [
        (text, [(start, end, "[X]")]) for text, (start, end) in zip(texts, spans, strict=True)
    ]
    now = json.loads(with_texts(body, changes))
    wanted = [text[:start] + "[X]" + text[end:] for (text, *_), (start, end) in zip(drawn, spans, strict=True)]
    assert [part["text"] for part in now["messages"][0]["content"]] == wanted
