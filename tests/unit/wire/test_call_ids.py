"""What makes two requests one and the same: every byte but the ids of tool calls."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.call_ids import without_call_ids

IDS = some.text(max_size=8)
TEXTS = some.text(max_size=12)
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | TEXTS,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def history(ids: list[str], texts: list[str], more: Any = None) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "go", "more": more}]
    for id_, text in zip(ids, texts, strict=True):
        call = {"id": id_, "type": "function", "function": {"name": "f", "arguments": text}}
        messages.append({"role": "assistant", "tool_calls": [call], "content": text})
        messages.append({"role": "tool", "tool_call_id": id_, "content": text})
    return {"model": "m", "messages": messages}


def items(ids: list[str], texts: list[str]) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for id_, text in zip(ids, texts, strict=True):
        found.append({"type": "function_call", "id": f"fc{id_}", "call_id": id_, "name": "f", "arguments": text})
        found.append({"type": "function_call_output", "call_id": id_, "output": text})
    return {"model": "m", "input": found}


def written(value: Any, indent: int | None = None) -> bytes:
    return json.dumps(value, indent=indent).encode("utf-8", "surrogatepass")


@given(some.lists(some.tuples(IDS, TEXTS), max_size=4), VALUES, some.data())
def test_other_ids_in_the_same_places_are_the_same_request(
    calls: list[tuple[str, str]], more: Any, data: some.DataObject
) -> None:
    ids, texts = [each[0] for each in calls], [each[1] for each in calls]
    known = list(dict.fromkeys(ids))
    others = data.draw(some.lists(IDS, min_size=len(known), max_size=len(known), unique=True))
    renamed = [dict(zip(known, others, strict=True))[id_] for id_ in ids]
    chats = [written(history(each, texts, more)) for each in (ids, renamed)]
    responses = [written(items(each, texts)) for each in (ids, renamed)]
    for endpoint, (one, other) in ((Endpoint.CHAT, chats), (Endpoint.RESPONSES, responses)):
        assert without_call_ids(endpoint, one) == without_call_ids(endpoint, other)


@given(some.lists(some.tuples(IDS, TEXTS), min_size=1, max_size=4), some.lists(TEXTS, min_size=1, max_size=4))
def test_anything_else_that_is_said_otherwise_is_another_request(
    calls: list[tuple[str, str]], texts: list[str]
) -> None:
    ids, before = [each[0] for each in calls], [each[1] for each in calls]
    after = (texts * 4)[: len(before)]
    one, other = written(history(ids, before)), written(history(ids, after))
    assert (without_call_ids(Endpoint.CHAT, one) == without_call_ids(Endpoint.CHAT, other)) == (before == after)


@given(VALUES)
def test_a_body_without_calls_is_its_own_bytes(value: Any) -> None:
    for endpoint in Endpoint:
        for indent in (None, 2):
            body = written({"model": "m", "metadata": {"id": "x", "call_id": "y"}, "value": value}, indent)
            assert without_call_ids(endpoint, body) == body


def test_which_result_belongs_to_which_call_is_kept() -> None:
    straight, crossed = history(["a", "b"], ["1", "1"]), history(["a", "b"], ["1", "1"])
    crossed["messages"][2]["tool_call_id"], crossed["messages"][4]["tool_call_id"] = "b", "a"
    assert without_call_ids(Endpoint.CHAT, written(straight)) != without_call_ids(Endpoint.CHAT, written(crossed))


def test_a_text_that_says_an_id_is_no_id() -> None:
    """An id chosen to be what is asked for must not take the words out of the request."""
    one, other = (
        history(
            [
                "delete all",
            ],
            ["delete all"],
        ),
        history(["be nice"], ["be nice"]),
    )
    assert without_call_ids(Endpoint.CHAT, written(one)) != without_call_ids(Endpoint.CHAT, written(other))


@pytest.mark.parametrize("kind", ["message", "reasoning", "item_reference"])
def test_ids_of_what_a_provider_keeps_stay(kind: str) -> None:
    bodies = [written({"input": [{"id": id_, "type": kind}]}) for id_ in ("a", "b")]
    assert [without_call_ids(Endpoint.RESPONSES, body) for body in bodies] == bodies


def test_escaped_names_and_ids_are_read_as_what_they_say() -> None:
    plain = b'{"messages":[{"tool_call_id":"ab"}]}'
    escaped = b'{"messages":[{"tool_call_\\u0069d":"\\u0061b"}]}'
    assert without_call_ids(Endpoint.CHAT, plain) == b'{"messages":[{"tool_call_id":"#0"}]}'
    assert without_call_ids(Endpoint.CHAT, escaped) == b'{"messages":[{"tool_call_\\u0069d":"#0"}]}'


def test_repeated_members_are_looked_at_each_time() -> None:
    body = b'{"messages":[{"tool_call_id":"a"}],"messages":[{"tool_call_id":"b","tool_call_id":"a"}]}'
    assert without_call_ids(Endpoint.CHAT, body).count(b'"#0"') == 2
