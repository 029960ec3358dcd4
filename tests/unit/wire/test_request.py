"""Requests: the facts that are read, and a clear no for what cannot be read."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.refusal import Refusal, Refused
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import RequestFacts
from proxy.wire.openai.request import MAX_OUTPUT_TOKENS, read_request


def read(**fields: object) -> RequestFacts:
    return read_at(Endpoint.CHAT, fields)


def read_at(endpoint: Endpoint, fields: dict[str, object]) -> RequestFacts:
    return read_request(endpoint, json.dumps({"model": "gpt-5"} | fields).encode())


def refused(body: bytes, endpoint: Endpoint = Endpoint.CHAT) -> Refused:
    with pytest.raises(Refused) as caught:
        read_request(endpoint, body)
    assert caught.value.why is Refusal.INVALID_REQUEST
    return caught.value


def test_a_request_of_just_a_model_has_the_plain_facts() -> None:
    assert read() == RequestFacts("gpt-5")


def test_every_fact_of_a_chat_request_is_read() -> None:
    facts = read(
        stream=True,
        stream_options={"include_usage": True, "x": 1},
        max_tokens=5,
        n=3,
        tools=[{"type": "function", "function": {}}, {"type": "browser_search"}],
        user="u1",
        metadata={"session_id": "s1"},
        service_tier="flex",
        temperature=0.5,
        unknown={"a": [1]},
    )
    assert facts == RequestFacts(
        model="gpt-5",
        streamed=True,
        asked_for_usage=True,
        max_output_tokens=5,
        choices=3,
        has_tools=True,
        hosted_tools=("browser_search",),
        user="u1",
        session="s1",
        service_tier="flex",
    )


def test_null_is_as_good_as_absent() -> None:
    fields = ["stream", "stream_options", "max_tokens", "n", "best_of", "tools", "user", "metadata", "service_tier"]
    assert read(**dict.fromkeys(fields)) == RequestFacts("gpt-5")


@pytest.mark.alone
@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"max_tokens": 10}, 10),
        ({"max_completion_tokens": 20}, 20),
        ({"max_tokens": 10, "max_completion_tokens": 20}, 20),
        ({"max_tokens": 30, "max_completion_tokens": 20}, 30),
        ({"max_output_tokens": 7}, 7),
        ({"max_tokens": 0}, None),
        ({"max_tokens": 100.0}, 100),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 10**25}, MAX_OUTPUT_TOKENS),
        ({}, None),
    ],
)
def test_the_output_limit_is_the_one_that_bounds_the_call(fields: dict[str, object], limit: int | None) -> None:
    assert read(**fields).max_output_tokens == limit


@pytest.mark.parametrize(
    ("fields", "choices"),
    [
        ({"prompt": "a"}, 1),
        ({"prompt": ["a", "b"]}, 2),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1, 2], [3]]}, 2),
        ({"prompt": []}, 1),
        ({"prompt": ["a", "b"], "n": 3}, 6),
        ({"prompt": "a", "n": 2, "best_of": 5}, 5),
    ],
)
def test_choices_of_a_legacy_completion_count_its_prompts(fields: dict[str, object], choices: int) -> None:
    assert read_at(Endpoint.COMPLETIONS, fields).choices == choices


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("model", 5, "`model` must be a string; got a number"),
        ("model", None, "`model` must be a string; got null"),
        ("model", "", "`model` is empty; name the model to call"),
        ("model", "a\nb", "`model` must be at most 512 printable characters"),
        ("model", "a" * 513, "`model` must be at most 512 printable characters"),
        ("stream", "true", "`stream` must be true or false; got a string"),
        ("stream", 1, "`stream` must be true or false; got a number"),
        ("stream_options", [], "`stream_options` must be an object; got an array"),
        ("max_tokens", "100", "`max_tokens` must be an integer; got a string"),
        ("max_tokens", 1.5, "`max_tokens` must be an integer; got a fraction or a number out of range"),
        ("max_tokens", True, "`max_tokens` must be an integer; got true"),
        ("max_completion_tokens", {}, "`max_completion_tokens` must be an integer; got an object"),
        ("n", 0, "`n` must be between 1 and 1024; got 0"),
        ("n", 10**9, "`n` must be between 1 and 1024; got 1000000000"),
        ("tools", {}, "`tools` must be an array of objects, each with a `type`; got an object"),
        (
            "tools",
            [5],
            "`tools` must be an array of objects, each with a `type`; got an array with something else in it",
        ),
        ("user", 5, "`user` must be a string; got a number"),
        ("metadata", "x", "`metadata` must be an object; got a string"),
        ("service_tier", 5, "`service_tier` must be a string; got a number"),
    ],
)
def test_a_wrong_type_is_told_by_its_field(field: str, value: object, says: str) -> None:
    no = refused(json.dumps({"model": "m", field: value}).encode())
    assert no.message == says
    assert no.param == field


def test_a_wrong_usage_flag_is_told_by_its_path() -> None:
    no = refused(b'{"model":"m","stream_options":{"include_usage":"yes"}}')
    assert no.message == "`stream_options.include_usage` must be true or false"
    assert no.param == "stream_options.include_usage"


def test_a_session_that_is_no_text_is_no_session() -> None:
    assert read(metadata={"session_id": 5}).session is None
    assert read(metadata={"other": "x"}).session is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty; send a JSON object"),
        (b" \n", "the body is empty; send a JSON object"),
        (b"[]", "the body must be a JSON object; got an array"),
        (b' "x"', "the body must be a JSON object; got a string"),
        (b"null", "the body must be a JSON object; got null"),
        (b"12", "the body must be a JSON object; got a number"),
        (b"{}", "`model` is missing; name the model to call"),
        (b'{"model":"m"', "the body is not valid JSON: it ends too early"),
        (b'{"model":"m"} x', "the body is not valid JSON: trailing characters (byte 15)"),
        (b'{"model":"m","x":NaN}', "the body is not valid JSON: invalid character (byte 17)"),
        (b'{"model":"m","x":\'a\'}', "the body is not valid JSON: invalid character (byte 17)"),
        (b'{"model":"m","x":"\xff"}', "the body is not valid UTF-8 (byte 18); send JSON in UTF-8"),
        (b'\xef\xbb\xbf{"model":"m"}', "the body starts with a byte order mark; send JSON in UTF-8 without one"),
        (
            b'{"model":"m","x":"\\ud800"}',
            "the body holds half of a surrogate pair (\\ud800 to \\udfff), which is no character",
        ),
        (b'{"model":"m","x":' + b"[" * 100_000, "the body is nested too deeply"),
        (b'{"x":' * 100_000, "the body is nested too deeply"),
        (b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "the body is nested too deeply"),
    ],
)
def test_a_body_that_cannot_be_read_is_told_why(body: bytes, says: str) -> None:
    assert refused(body).message == says


@pytest.mark.parametrize("repeat", ["model", "stream", "max_tokens", "stream_options", "messages", "tools", "user"])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n", " :\t")])
def test_a_repeated_key_is_refused_however_it_is_written(repeat: str, separators: tuple[str, str]) -> None:
    comma, colon = separators
    value = {"model": '"m"', "stream": "true", "max_tokens": "1", "user": '"u"'}.get(repeat, "null")
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in repeat)
    for twin in (repeat, escaped, repeat[0] + f"\\u{ord(repeat[1]):04X}" + repeat[2:]):
        pairs = [("model", '"m"'), ("x", '{"model":1,"model":2}'), (repeat, value), (twin, value)]
        if repeat == "model":
            del pairs[0]
        body = "{" + comma.join(f'"{key}"{colon}{text}' for key, text in pairs) + "}"
        no = refused(body.encode())
        assert no.message == f"`{repeat}` is given twice; give it once"
        assert no.param == repeat


def test_a_repeat_cannot_hide_in_the_length_of_the_spaced_layout() -> None:
    # Written without spaces, with just as many bytes more as the spaces would take.
    honest = {"model": "m", "a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6}
    room = len(json.dumps(honest)) - len(json.dumps(honest, separators=(",", ":")))
    filler = '"model":"' + "x" * (room - len('"model":"",')) + '",'
    body = "{" + filler + json.dumps(honest, separators=(",", ":"))[1:]
    assert len(body) == len(json.dumps(honest))
    assert refused(body.encode()).param == "model"


def test_a_repeat_of_a_key_that_is_not_read_passes() -> None:
    assert read_request(Endpoint.CHAT, b'{"x":1,"model":"m","x":12,"x":[{"model":1}]}').model == "m"


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text() | st.lists(st.integers())))
def test_unknown_fields_of_any_kind_pass(unknown: dict[str, object]) -> None:
    fields = {"model": "m"} | {f"x{key}": value for key, value in unknown.items()}
    for separators in ((",", ":"), (", ", ": "), ("  ,", ":\n")):
        for ascii_only in (True, False):
            text = json.dumps(fields, separators=separators, ensure_ascii=ascii_only)
            assert read_request(Endpoint.CHAT, text.encode("utf-8", "surrogatepass")).model == "m"


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    for body in (noise, b'{"model":"m",' + noise + b"}"):
        for endpoint in Endpoint:
            try:
                read_request(endpoint, body)
            except Refused as no:
                assert no.why is Refusal.INVALID_REQUEST


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","x":' + b"[" * 10_000_000,
        b'{"model":"m","x":[' + b"[]," * 3_000_000 + b"[]]}",
        b'{"model":"m","x":"' + b"\\\\" * 5_000_000 + b'"}',
        b'{"model":"m",' + b'"x":1,' * 500_000 + b'"y":1}',
        b" " * 10_000_000,
        b'{"model":"m",' + b" " * 10_000_000 + b'"x":1}',
        b'{"model":"m","x":"' + b"\\ud800" * 1_000_000 + b'"}',
    ],
    ids=["open brackets", "brackets", "backslashes", "repeats", "spaces", "inner spaces", "surrogates"],
)
def test_a_large_odd_body_takes_linear_time(body: bytes) -> None:
    started = time.monotonic()
    try:
        read_request(Endpoint.CHAT, body)
    except Refused as no:
        assert no.why is Refusal.INVALID_REQUEST
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("fields", "hosted"),
    [
        ({"tools": [{"type": "web_search"}, {"type": "mcp"}]}, ("web_search", "mcp")),
        ({"tools": [{"type": "function"}, {"type": "custom"}, {"type": "local_shell"}]}, ()),
        ({"web_search_options": {}}, ("web_search_options",)),
        ({"search_parameters": {"mode": "on"}}, ("search_parameters",)),
        ({"web_search_options": None}, ()),
    ],
)
def test_provider_run_tools_are_named(fields: dict[str, object], hosted: tuple[str, ...]) -> None:
    facts = read_at(Endpoint.RESPONSES, fields)
    assert facts.hosted_tools == hosted
    assert facts.has_tools == ("tools" in fields or bool(hosted))


@pytest.mark.parametrize(
    ("fields", "stateful"),
    [
        ({"previous_response_id": "resp_1"}, ("previous_response_id",)),
        ({"previous_response_id": None, "background": False, "store": True}, ()),
        ({"conversation": {"id": "conv_1"}, "background": True}, ("conversation", "background")),
        ({"prompt": {"id": "pmpt_1"}}, ("prompt",)),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, ("input[].item_reference",)),
        ({"input": [{"id": "msg_1"}]}, ("input[].item_reference",)),
        ({"input": [{"type": "message", "id": "m", "role": "user", "content": "file_id"}]}, ()),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}]},
            ("input[].content[].file_id",),
        ),
        (
            {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "file_id": "file_1"}]}]},
            ("input[].content[].file_id",),
        ),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, ("tools[].vector_store_ids",)),
        ({"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, ("tools[].container",)),
        (
            {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}}]},
            ("tools[].container",),
        ),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, ()),
        ({"tools": [{"type": "function", "parameters": {"properties": {"file_id": {}}}}]}, ()),
    ],
)
def test_what_leans_on_provider_state_is_named(fields: dict[str, object], stateful: tuple[str, ...]) -> None:
    assert read_at(Endpoint.RESPONSES, fields).stateful == stateful


def test_a_file_by_id_is_found_in_chat_and_behind_escapes() -> None:
    part = '{"type":"file","file":{"file_id":"file_1"}}'
    body = '{"model":"m","messages":[{"role":"user","content":[%s]}]}'
    for text in (part, part.replace("file_id", "\\u0066ile_id"), part.replace('"file":', '"fil\\u0065":')):
        facts = read_request(Endpoint.CHAT, (body % text).encode())
        assert facts.stateful == ("messages[].content[].file_id",)
