"""The tap: what it learns of a stream, what it forwards, and that no split and no garbage changes either."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.usage import ToolFee
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import StreamFacts
from proxy.wire.openai.stream import StreamTap

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


def event(value: object, *, name: str | None = None, separator: str = "\n\n") -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {text}{separator}".encode()


def chunk(text: str | None = None, *, finish: str | None = None, **more: object) -> dict[str, object]:
    delta = {} if text is None else {"content": text}
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-5-mini", "choices": choices, **more}


def tapped(
    chunks: list[bytes], *, endpoint: Endpoint = Endpoint.CHAT, strip: bool = False
) -> tuple[StreamFacts, bytes]:
    tap = StreamTap(endpoint, strip_usage=strip)
    forwarded = b"".join(tap.feed(c) for c in chunks)
    return tap.facts, forwarded + tap.close()


ASKED_STREAM = [
    event(chunk("", usage=None, service_tier="default")),
    event(chunk("Hello", usage=None)),
    event(chunk(" wörld \U0001f600", usage=None, obfuscation='x,"usage":null')),
    event(chunk(finish="stop", usage=None)),
    event({**chunk(), "choices": [], "usage": USAGE}),
    event("[DONE]"),
]
PLAIN_STREAM = [
    event(chunk("", service_tier="default")),
    event(chunk("Hello")),
    event(chunk(" wörld \U0001f600", obfuscation='x,"usage":null')),
    event(chunk(finish="stop")),
    event("[DONE]"),
]


def test_a_whole_chat_stream_tells_its_facts() -> None:
    facts, forwarded = tapped(ASKED_STREAM)
    assert forwarded == b"".join(ASKED_STREAM)
    assert facts.raw_usage == json.dumps(USAGE, separators=(",", ":")).encode()
    assert facts.model == "gpt-5-mini"
    assert facts.service_tier == "default"
    assert facts.finish_reason == "stop"
    assert facts.terminal
    assert facts.error is None
    assert "".join(facts.delivered) == "Hello wörld \U0001f600"
    assert facts.output_chars == 13
    assert facts.events == 5


def test_a_client_that_did_not_ask_sees_the_stream_as_it_would_have_been() -> None:
    facts, forwarded = tapped(ASKED_STREAM, strip=True)
    assert forwarded == b"".join(PLAIN_STREAM)
    assert facts.raw_usage is not None


def test_the_first_token_is_seen_when_it_comes_and_not_before() -> None:
    tap = StreamTap(Endpoint.CHAT, strip_usage=False)
    tap.feed(ASKED_STREAM[0])
    assert not tap.facts.saw_output
    tap.feed(ASKED_STREAM[1])
    assert tap.facts.saw_output


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("separator", ["\n\n", "\r\n\r\n", "\r\r"])
@given(cuts=st.lists(st.integers(0, 2000), max_size=40))
def test_no_split_changes_a_fact_or_a_byte(strip: bool, separator: str, cuts: list[int]) -> None:
    stream = b": ping\n\n" + b"".join(
        [event(chunk("é\U0001f600", usage=None), separator=separator), *ASKED_STREAM, b"data: garbage {\n\n", b"tail"]
    )
    marks = sorted({0, len(stream), *(c % len(stream) for c in cuts)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(marks)]
    assert tapped(pieces, strip=strip) == tapped([stream], strip=strip)
    if not strip:
        assert tapped(pieces)[1] == stream


@given(st.lists(st.binary(max_size=40), max_size=10), st.booleans(), st.sampled_from(list(Endpoint)))
def test_garbage_is_forwarded_and_never_raises(pieces: list[bytes], strip: bool, endpoint: Endpoint) -> None:
    assert tapped(pieces, endpoint=endpoint, strip=strip)[1] == b"".join(pieces)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
LOOSE = st.dictionaries(
    st.sampled_from(
        ["choices", "usage", "model", "type", "delta", "response", "item", "error", "x_groq", "service_tier"]
    ),
    JSON | st.dictionaries(st.sampled_from(["usage", "output", "error", "model"]), JSON, max_size=3),
)


@given(st.lists(LOOSE, max_size=5), st.sampled_from(list(Endpoint)))
def test_well_formed_nonsense_never_raises(values: list[object], endpoint: Endpoint) -> None:
    events = [event(value) for value in values]
    assert tapped(events, endpoint=endpoint)[1] == b"".join(events)
    tapped(events, endpoint=endpoint, strip=True)


@pytest.mark.parametrize(
    "oddity",
    [
        {"model": 5},
        {"service_tier": {"a": 1}},
        {"choices": [{"index": 0, "delta": {"content": 5}, "finish_reason": "stop"}]},
        {"choices": [{"index": "a", "delta": {"tool_calls": [{"function": {"arguments": {"a": 1}}}]}}]},
        {"choices": {"0": 1}},
    ],
)
def test_usage_is_not_lost_for_an_oddity_elsewhere(oddity: dict[str, object]) -> None:
    facts, _ = tapped([event({**chunk("x"), "usage": USAGE, **oddity})])
    assert facts.raw_usage is not None
    assert json.loads(facts.raw_usage) == USAGE


def test_half_a_surrogate_pair_loses_neither_usage_nor_text() -> None:
    facts, _ = tapped([b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}],"usage":{"prompt_tokens":1}}\n\n'])
    assert facts.raw_usage == b'{"prompt_tokens": 1}'
    assert facts.output_chars == 2


def test_invalid_utf8_in_a_text_does_not_lose_usage() -> None:
    facts, _ = tapped([b'data: {"choices":[{"delta":{"content":"a\xff"}}],"usage":{"prompt_tokens":1}}\n\n'])
    assert facts.raw_usage == b'{"prompt_tokens": 1}'


def test_azures_first_chunk_is_not_the_usage_chunk() -> None:
    first = event({"choices": [], "created": 0, "id": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]})
    facts, forwarded = tapped([first, *ASKED_STREAM], strip=True)
    assert forwarded == first + b"".join(PLAIN_STREAM)
    assert facts.model == "gpt-5-mini"


def test_usage_on_the_last_content_chunk_is_read_and_passed() -> None:
    last = event(chunk(finish="stop", usage=USAGE))
    facts, forwarded = tapped([last, event("[DONE]")], strip=True)
    assert forwarded == last + event("[DONE]")
    assert facts.raw_usage is not None


def test_running_usage_is_replaced_and_a_later_null_is_no_usage() -> None:
    facts, _ = tapped(
        [event(chunk("a", usage={"n": 1})), event(chunk("b", usage={"n": 2})), event(chunk("c", usage=None))]
    )
    assert facts.raw_usage == b'{"n":2}'


def test_groqs_usage_is_found_in_its_own_member() -> None:
    facts, _ = tapped(
        [event(chunk(x_groq={"id": "req_1"})), event(chunk(finish="stop", x_groq={"id": "r", "usage": USAGE}))]
    )
    assert facts.raw_usage is not None
    assert json.loads(facts.raw_usage) == USAGE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"usage":null,"choices":[{}]}', '{"choices":[{}]}'),
        ('{"usage":null}', "{}"),
        ('{"choices":[{}], "usage": null}', '{"choices":[{}]}'),
        ('{"choices":[{}] , "usage" : null , "x":1}', '{"choices":[{}] , "x":1}'),
        ('{ "usage" : null , "x":1}', '{ "x":1}'),
        ('{"x":{"usage":null},"usage":null}', '{"x":{"usage":null}}'),
        ('{"usage":null,"x":{"a":1,"usage":null}}', '{"x":{"a":1,"usage":null}}'),
        ('{"x":{"a":1,"usage":null},"\\u0075sage":null}', '{"x":{"a":1,"usage":null}}'),
        ('{"x":{"a":1,"usage":null}}', '{"x":{"a":1,"usage":null}}'),
        ('{"t":"\\",\\"usage\\":null","usage":null}', '{"t":"\\",\\"usage\\":null"}'),
        ('{"a\\"usage":null,"usage":null,"b":2}', '{"a\\"usage":null,"b":2}'),
        ('{"usage":null,"b":1,"usage":null}', '{"usage":null,"b":1,"usage":null}'),
        ('{"usages":null,"b":",usage"}', '{"usages":null,"b":",usage"}'),
    ],
)
def test_only_the_top_level_null_usage_is_taken_out(before: str, after: str) -> None:
    assert tapped([event(before)], strip=True)[1] == event(after)


def test_stripping_keeps_other_lines_of_the_event() -> None:
    raw = b'id: 7\ndata: {"choices":[{}],"usage":null}\nevent: message\n\n'
    assert tapped([raw], strip=True)[1] == raw.replace(b',"usage":null', b"")


def test_nothing_after_the_end_is_read() -> None:
    after = [event(chunk("late", usage={"n": 99})), b"data: {]\n\n", b"\x00\xff"]
    facts, forwarded = tapped([*ASKED_STREAM, *after])
    assert forwarded == b"".join([*ASKED_STREAM, *after])
    assert facts.raw_usage is not None
    assert b"99" not in facts.raw_usage
    assert "late" not in "".join(facts.delivered)


def test_a_last_line_without_its_blank_line_is_read_at_the_close() -> None:
    facts, forwarded = tapped([*ASKED_STREAM[:-1], b"data: [DONE]\n"], strip=True)
    assert facts.terminal
    assert forwarded == b"".join(PLAIN_STREAM[:-1]) + b"data: [DONE]\n"


@pytest.mark.parametrize(
    "raw",
    [
        event({"error": {"message": "no", "type": "server_error"}}),
        event({"error": {"message": "no"}}, name="error"),
        event({**chunk(finish="error"), "error": {"code": 502, "message": "no"}}),
        b'data: {"message": "no"}\nevent: error\n\n',
        b"event: error\ndata: no JSON\n\n",
    ],
)
def test_an_error_in_the_stream_ends_it(raw: bytes) -> None:
    facts, _ = tapped([event(chunk("a")), raw])
    assert facts.terminal
    assert facts.error is not None
    assert b"no" in facts.error


def test_a_null_error_is_none() -> None:
    facts, _ = tapped([event(chunk("a", error=None))])
    assert not facts.terminal
    assert facts.error is None


def test_a_cut_stream_is_not_terminal() -> None:
    facts, _ = tapped([*ASKED_STREAM[:3], ASKED_STREAM[3][:20]])
    assert not facts.terminal
    assert facts.raw_usage is None


def test_tool_calls_are_counted_by_their_first_piece() -> None:
    def call(index: int, name: str | None, arguments: str, call_id: str | None = None) -> bytes:
        function = {"arguments": arguments} | ({} if name is None else {"name": name})
        piece = {"index": index, "function": function} | ({} if call_id is None else {"id": call_id})
        return event({**chunk(), "choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]})

    facts, _ = tapped(
        [
            call(0, "weather", "", "call_1"),
            call(0, None, '{"city":'),
            call(0, None, '"Bonn"}'),
            call(1, "time", "{}", "call_2"),
        ]
    )
    assert facts.tool_call_count == 2
    assert "".join(facts.delivered) == 'weather{"city":"Bonn"}time{}'
    assert facts.saw_output


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"refusal": "hm"},
        {"content": [{"type": "text", "text": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"audio": {"id": "a", "transcript": "hm"}},
        {"function_call": {"name": "h", "arguments": "m"}},
        {"content": "h", "reasoning": "m"},
    ],
)
def test_every_kind_of_output_counts(delta: dict[str, object]) -> None:
    facts, _ = tapped([event({"choices": [{"index": 0, "delta": delta}]})])
    assert facts.saw_output
    assert facts.output_chars == 2
    assert "".join(facts.delivered) == "hm"


def test_legacy_completions_tell_text() -> None:
    facts, _ = tapped([event({"choices": [{"index": 0, "text": "hi"}]})], endpoint=Endpoint.COMPLETIONS)
    assert facts.delivered == ["hi"]


def test_delivered_text_is_bounded_and_counted_on() -> None:
    facts, _ = tapped([event(chunk("abcd" * 10))] * 20_000)
    assert facts.output_chars == 800_000
    assert sum(map(len, facts.delivered)) == 256 * 1024
    assert len(facts.delivered) < 1100


def test_an_event_over_the_bound_stops_the_reading_and_not_the_stream() -> None:
    big = b"data: " + b"x" * (9 * 1024 * 1024)
    for strip in (False, True):
        facts, forwarded = tapped([event(chunk("a")), big, *ASKED_STREAM], strip=strip)
        assert facts.overflow
        assert not facts.terminal
        assert forwarded == event(chunk("a")) + big + b"".join(ASKED_STREAM)


def response(kind: str, **more: object) -> bytes:
    return event({"type": kind, **more}, name=kind)


def test_a_responses_stream_tells_its_facts() -> None:
    body = {"model": "gpt-5", "status": "completed", "service_tier": "flex", "usage": {"input_tokens": 3}, "output": []}
    started: dict[str, object] = {
        "model": "gpt-5",
        "status": "in_progress",
        "service_tier": "auto",
        "usage": None,
        "output": [],
    }
    facts, _ = tapped(
        [
            response("response.created", response=started),
            response("response.reasoning_summary_text.delta", delta="hm "),
            response("response.output_text.delta", delta="Hi"),
            response("response.function_call_arguments.delta", delta="{}"),
            response("response.output_audio.delta", delta="UklGRg=="),
            response("response.output_item.done", item={"type": "function_call", "name": "f"}),
            response("response.completed", response=body),
            event("[DONE]"),
        ],
        endpoint=Endpoint.RESPONSES,
    )
    assert facts.raw_usage == b'{"input_tokens":3}'
    assert (facts.model, facts.service_tier, facts.finish_reason) == ("gpt-5", "flex", "completed")
    assert facts.terminal
    assert "".join(facts.delivered) == "hm Hi{}"
    assert facts.tool_call_count == 1


def test_the_event_line_may_stand_after_the_data() -> None:
    raw = b'data: {"response":{"usage":{"input_tokens":3}},"type":"response.completed"}\nevent: response.completed\n\n'
    nameless = raw.replace(b',"type":"response.completed"', b"")
    for one in (raw, nameless):
        facts, _ = tapped([one], endpoint=Endpoint.RESPONSES)
        assert facts.terminal
        assert facts.raw_usage == b'{"input_tokens":3}'


@pytest.mark.parametrize(
    ("kind", "body", "finish", "error"),
    [
        ("response.incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens", None),
        ("response.failed", {"status": "failed", "error": {"code": "x"}}, "failed", b'{"code":"x"}'),
        ("response.cancelled", {"status": "cancelled"}, "cancelled", None),
    ],
)
def test_responses_end_in_several_ways(kind: str, body: dict[str, object], finish: str, error: bytes | None) -> None:
    facts, _ = tapped([response(kind, response={**body, "usage": USAGE})], endpoint=Endpoint.RESPONSES)
    assert facts.terminal
    assert (facts.finish_reason, facts.error) == (finish, error)
    assert facts.raw_usage is not None


@pytest.mark.parametrize(
    "raw",
    [
        event({"type": "error", "code": "server_error", "message": "no", "sequence_number": 3}, name="error"),
        event({"type": "error", "error": {"message": "no"}}),
        event({"error": {"message": "no"}}),
        b"event: error\ndata: no\n\n",
    ],
)
def test_an_error_event_ends_a_responses_stream(raw: bytes) -> None:
    facts, _ = tapped([raw], endpoint=Endpoint.RESPONSES)
    assert facts.terminal
    assert facts.error is not None
    assert b"no" in facts.error


ITEMS: list[dict[str, object]] = [
    {"type": "web_search_call", "action": {"type": "search", "query": "x"}},
    {"type": "web_search_call", "action": {"type": "open_page"}},
    {"type": "web_search_call"},
    {"type": "file_search_call"},
    {"type": "code_interpreter_call", "container_id": "cntr_1"},
    {"type": "code_interpreter_call", "container_id": "cntr_1"},
    {"type": "code_interpreter_call"},
    {"type": "custom_tool_call"},
    {"type": "message"},
]
FEES = {ToolFee.WEB_SEARCH: 2, ToolFee.FILE_SEARCH: 1, ToolFee.CODE_INTERPRETER: 2}


def test_tool_fees_are_counted_item_by_item_and_not_again_at_the_end() -> None:
    done = [response("response.output_item.done", item=item) for item in ITEMS]
    facts, _ = tapped(done, endpoint=Endpoint.RESPONSES)
    assert (facts.tool_calls, facts.tool_call_count) == (FEES, 1)
    whole = response("response.completed", response={"output": ITEMS})
    facts, _ = tapped([*done, whole], endpoint=Endpoint.RESPONSES)
    assert (facts.tool_calls, facts.tool_call_count) == (FEES, 1)
    facts, _ = tapped([whole], endpoint=Endpoint.RESPONSES)
    assert (facts.tool_calls, facts.tool_call_count) == (FEES, 1)


def test_items_stay_counted_when_the_last_event_lists_none() -> None:
    done = response("response.output_item.done", item=ITEMS[0])
    facts, _ = tapped([done, response("response.completed", response={"output": []})], endpoint=Endpoint.RESPONSES)
    assert facts.tool_calls == {ToolFee.WEB_SEARCH: 1}
