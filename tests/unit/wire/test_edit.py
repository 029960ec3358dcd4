"""Edits in place: the one change that was asked for, and every other byte as it was."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.endpoint import Endpoint
from proxy.wire.members import raw_members, walk
from proxy.wire.openai.edit import asks_for_form, with_model, with_output_limit, with_usage_flag

KEYS = (
    st.sampled_from(["model", "x", "stream_options", "include_usage", 'a"b', "é", "a\\", "\U0001f600", ""]) | st.text()
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n ", "\t: "), ("\r\n,", ":")])


def written(value: object, separators: tuple[str, str], ascii_only: bool, indent: int | None) -> bytes:
    text = json.dumps(value, separators=separators, ensure_ascii=ascii_only, indent=indent)
    return text.encode("utf-8", "replace")


BODIES = st.builds(
    written,
    st.dictionaries(KEYS, VALUES, max_size=5).map(lambda body: {**body, "model": "gpt-5"}),
    SEPARATORS,
    st.booleans(),
    st.sampled_from([None, 2]),
).filter(lambda body: b"\\ud" not in body)


@given(BODIES, st.text(min_size=1).filter(lambda t: t.isprintable()))
def test_another_model_changes_nothing_else(body: bytes, model: str) -> None:
    edited = with_model(body, model)
    assert json.loads(edited) == {**json.loads(body), "model": model}
    start, end = edits_span(body, edited)
    assert body[:start] + edited[start : len(edited) - (len(body) - end)] + body[end:] == edited
    assert json.loads(with_model(edited, "gpt-5")) == json.loads(body)
    assert with_model(edited, "gpt-5") == body


def edits_span(before: bytes, after: bytes) -> tuple[int, int]:
    """The span of `before` that is not shared with `after` at either end."""
    start = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    left, right = before[start:][::-1], after[start:][::-1]
    same = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    return start, len(before) - same


@given(BODIES, st.none() | st.dictionaries(KEYS, VALUES, max_size=3))
def test_the_usage_flag_is_set_and_nothing_else_changes(body: bytes, options: dict[str, Any] | None) -> None:
    before = json.loads(body)
    before.pop("stream_options", None)
    whole = written({**before, "stream_options": options}, (",", ":"), True, None)
    if b"\\ud" in whole:
        return
    edited = with_usage_flag(whole)
    assert json.loads(edited) == {**before, "stream_options": {**(options or {}), "include_usage": True}}
    without = written(before, (",", ":"), True, None)
    assert with_usage_flag(without).replace(b'"stream_options":{"include_usage":true},', b"", 1) == without


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", '{"stream_options":{"include_usage":true}}'),
        (" { } ", ' {"stream_options":{"include_usage":true} } '),
        ('{"a":1}', '{"stream_options":{"include_usage":true},"a":1}'),
        ('{ "a":1}', '{"stream_options":{"include_usage":true}, "a":1}'),
        ('{"stream_options":null,"a":1}', '{"stream_options":{"include_usage":true},"a":1}'),
        ('{"stream_options" : {} }', '{"stream_options" : {"include_usage":true} }'),
        ('{"stream_options":{"x":[1]}}', '{"stream_options":{"include_usage":true,"x":[1]}}'),
        ('{"stream_options":{"x":1,"include_usage": false}}', '{"stream_options":{"x":1,"include_usage": true}}'),
        ('{"stream_options":{"include_usage":null}}', '{"stream_options":{"include_usage":true}}'),
        ('{"stream_options":{"include_usage":true}}', '{"stream_options":{"include_usage":true}}'),
        (
            '{"stream_options":{"include_usage":false,"include\\u005fusage":null}}',
            '{"stream_options":{"include_usage":true,"include\\u005fusage":true}}',
        ),
        ('{"a":{"stream_options":1}}', '{"stream_options":{"include_usage":true},"a":{"stream_options":1}}'),
    ],
)
def test_the_flag_stands_where_it_belongs(before: str, after: str) -> None:
    assert with_usage_flag(before.encode()).decode() == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"model":"a"}', '{"model":"b"}'),
        ('{"mod\\u0065l" : "a" , "x":"model"}', '{"mod\\u0065l" : "b" , "x":"model"}'),
        ('{"x":{"model":"a"},"model":"a"}', '{"x":{"model":"a"},"model":"b"}'),
        ('{"x":"\\"model\\":\\"a\\"","model":"a"}', '{"x":"\\"model\\":\\"a\\"","model":"b"}'),
        ('{"x":"\\\\","model":"a"}', '{"x":"\\\\","model":"b"}'),
        ('{"x":1,"x":12,"model":"a"}', '{"x":1,"x":12,"model":"b"}'),
        ('{"x":12,"x":1,"model":"a"}', '{"x":12,"x":1,"model":"b"}'),
        ('{"x":["}\\"",{"y":[]}],"x":null,"model":"a"}', '{"x":["}\\"",{"y":[]}],"x":null,"model":"b"}'),
        ('{"x":true,"x":"\\"","model":"a"}', '{"x":true,"x":"\\"","model":"b"}'),
    ],
)
def test_the_model_is_found_at_the_top_only(before: str, after: str) -> None:
    assert with_model(before.encode(), "b").decode() == after


def test_the_same_model_gives_the_same_body() -> None:
    body = b'{"model": "a"}'
    assert with_model(body, "a") is body


def test_a_model_name_is_written_as_json() -> None:
    assert json.loads(with_model(b'{"model":"a"}', 'a"\\é\n'))["model"] == 'a"\\é\n'


PAIRS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "model"]), VALUES), min_size=1, max_size=8)


@given(PAIRS, SEPARATORS)
def test_the_walk_finds_every_member_even_of_repeated_keys(
    pairs: list[tuple[str, Any]], separators: tuple[str, str]
) -> None:
    comma, colon = separators
    values = [json.dumps(value) for _, value in pairs]
    body = ("{" + comma.join(f'"{k}"{colon}{v}' for (k, _), v in zip(pairs, values, strict=True)) + " }").encode()
    if re.search(rb"\\ud[89a-f]", body):
        return
    found = [(key, body[start:end].decode()) for key, _, start, end in walk(body, raw_members(body))]
    assert found == [(key, value) for (key, _), value in zip(pairs, values, strict=True)]


LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@given(
    BODIES,
    st.dictionaries(st.sampled_from(LIMITS), st.none() | st.integers(-5, 10**6) | st.just(500.0)),
    st.integers(1, 1000),
)
def test_no_output_limit_is_higher_and_one_is_given(body: bytes, given_: dict[str, Any], limit: int) -> None:
    whole = {**json.loads(body), **given_}
    edited = json.loads(with_output_limit(Endpoint.CHAT, json.dumps(whole).encode(), limit, new_name="max_tokens"))
    assert {name: value for name, value in edited.items() if name not in LIMITS} == {
        name: value for name, value in whole.items() if name not in LIMITS
    }
    told = [edited[name] for name in LIMITS[:2] if edited.get(name) is not None]
    assert told
    assert all(0 < each <= limit for each in told)
    for name, value in given_.items():
        if value is not None and 0 < value <= limit:
            assert edited[name] == value


@pytest.mark.parametrize(
    ("body", "edited"),
    [
        (b'{"model":"m", "max_tokens" : 1000 ,"n":1}', b'{"model":"m", "max_tokens" : 300 ,"n":1}'),
        (b'{"max_tokens":1000,"max_completion_tokens":200}', b'{"max_tokens":300,"max_completion_tokens":200}'),
        (b'{"model":"m"}', b'{"max_tokens":300,"model":"m"}'),
        (b'{"max_tokens":null,"model":"m"}', b'{"max_tokens":300,"model":"m"}'),
        (b'{"max_completion_tokens":null,"model":"m"}', b'{"max_tokens":300,"max_completion_tokens":null,"model":"m"}'),
        (b'{"max_tokens":-1,"model":"m"}', b'{"max_tokens":300,"model":"m"}'),
    ],
)
def test_an_output_limit_is_lowered_in_its_place(body: bytes, edited: bytes) -> None:
    assert with_output_limit(Endpoint.CHAT, body, 300, new_name="max_tokens") == edited


@pytest.mark.parametrize(
    ("body", "has_form"),
    [
        (b'{"model":"m"}', False),
        (b'{"response_format":null,"text":null}', False),
        (b'{"response_format":{"type":"text"}}', False),
        (b'{"response_format":{"type":"json_object"}}', True),
        (b'{"response_format":"json"}', True),
        (b'{"text":{"format":{"type":"text"},"verbosity":"low"}}', False),
        (b'{"text":{"format":{"type":"json_schema"}}}', True),
        (b'{"guided_regex":"a+"}', True),
    ],
)
def test_a_form_that_is_asked_for_is_seen(body: bytes, has_form: bool) -> None:
    assert asks_for_form(body) is has_form
