"""Whatever bytes come, no parser of any dialect falls, none grows, and what nobody knows survives both ways.

Each kind of parser gets up to ten thousand cases, and a million as a `long` test; a failure names the seed of its case.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from proxy.core.refusal import Refused
from proxy.metering import usage_told
from proxy.wire import strict
from proxy.wire.dialects import DIALECTS, dialect_of
from proxy.wire.endpoint import Endpoint
from proxy.wire.eventstream import BadFrame, FrameSplitter, read_frame
from proxy.wire.facts import Cut
from proxy.wire.multipart import NotAForm, read_form
from proxy.wire.openai.azure import with_deployment
from proxy.wire.openai.batch import line_usage, read_line
from proxy.wire.openai.litellm import read_litellm
from proxy.wire.openai.realtime.client_event import read_client_event
from proxy.wire.openai.realtime.server_event import calls_within, read_call_event, read_server_event
from proxy.wire.profile import Arithmetic
from proxy.wire.provider_errors import meaning_of
from proxy.wire.sse import EventTooLarge, SseSplitter, data_of, name_of
from proxy.wire.tool_calls import Verdict
from proxy.wire.translate import PAIRS, Context, Unreadable
from proxy.wire.usage_report import BadReport, read_report
from tests.unit.wire.fuzz.bent import bent, bent_stream, damaged, parts, with_strangers
from tests.unit.wire.fuzz.corpus import ANSWERS, OTHERS_ANSWERS, OTHERS_STREAMS, REQUESTS, STREAMS, Sample, speaker

CASES: Final = {"strangers": 2_000, "a_stream": 5_000, "a_translation": 5_000}
"""The dear ones; all others have `MOST_CASES`."""
MOST_CASES: Final = 10_000
LONG_CASES: Final = 1_000_000
MOST_GROWTH: Final = 24 * 1024 * 1024
"""Bytes that the process may hold more after all cases than after the first tenth of them."""
CONTEXT: Final = Context(model="there-1", at_s=1_790_000_000)
VERDICTS: Final = (Verdict(True), Verdict(False, "no", "Not this."))
CUT: Final = Cut(flyball={"code": "budget_exceeded"}, input_tokens=8, output_tokens=2, asked_for_usage=True)
FORM: Final = (
    b'--X\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--X\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nsound\r\n--X--\r\n'
)
BATCH: Final = (
    b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","max_tokens":5,"messages":[]}}',
    b'{"custom_id":"a","response":{"status_code":200,"body":{"model":"m","usage":{"prompt_tokens":1}}},"error":null}',
)
REALTIME: Final = (
    b'{"type":"session.update","session":{"type":"realtime","tools":[{"type":"function","name":"f"}]}}',
    b'{"type":"response.done","response":{"id":"r","usage":{"input_tokens":1},"output":[{"type":"function_call"}]}}',
)
REPORT: Final = (
    b'{"object":"page","has_more":false,"data":[{"object":"bucket","start_time":1730419200,"end_time":1730505600,'
    b'"results":[{"input_tokens":5,"output_tokens":2,"num_model_requests":1,"model":"m"}]}]}'
)


def a_request(rng: Random) -> None:
    """A request is refused, or everything that is read of it and changed in it can be."""
    sample = rng.choice(REQUESTS)
    dialect = dialect_of(sample.endpoint)
    body = bent(rng, sample.body)
    try:
        dialect.read_request(sample.endpoint, sample.path, body)
    except Refused:
        return
    for read in (dialect.texts_in, dialect.read_view, dialect.tool_results, dialect.read_countable):
        read(sample.endpoint, body)
    dialect.request_tools(body)
    dialect.asks_for_form(body)
    dialect.without_call_ids(sample.endpoint, body)
    json.loads(dialect.without_tools(body, {"read_file"}))
    with suppress(Refused):  # where nobody knows under which name the model of an invocation takes its limit
        json.loads(dialect.with_output_limit(sample.endpoint, body, 7, new_name="max_tokens"))
    if sample.endpoint is Endpoint.CHAT:
        json.loads(dialect.with_usage_flag(body))


def strangers(rng: Random) -> None:
    """Members that nobody knows pass every edit, at whatever depth they stand."""
    sample = rng.choice(REQUESTS)
    dialect = dialect_of(sample.endpoint)
    told: dict[str, Any] = with_strangers(rng, json.loads(sample.body))
    body = json.dumps(told, indent=rng.choice((None, 2))).encode()
    try:
        dialect.read_request(sample.endpoint, sample.path, body)
    except Refused:
        return
    _, sent = dialect.retarget(sample.path, body, "another")
    for place in (told, *told.get("requests", ())):
        if "model" in place:
            place["model"] = "models/another" if "/" in place["model"] else "another"
    assert json.loads(sent) == told
    limited = json.loads(dialect.with_output_limit(sample.endpoint, body, 7, new_name="max_tokens"))
    assert _unknown(limited) == _unknown(told)
    assert _unknown(json.loads(dialect.without_call_ids(sample.endpoint, body))) == _unknown(told)


def an_answer(rng: Random) -> None:
    """A whole answer is read, and gated."""
    sample = rng.choice(ANSWERS)
    dialect = dialect_of(sample.endpoint)
    body = bent(rng, sample.body)
    dialect.read_response(sample.endpoint, body, [])
    meaning_of(body)
    gate = dialect.answer_gate(sample.endpoint, body)
    if gate.is_readable:
        gate.answer([rng.choice(VERDICTS) for _ in gate.asks])


def a_stream(rng: Random) -> None:
    """A stream passes the tap byte for byte, is gated, and has its end held back."""
    sample = rng.choice(STREAMS)
    dialect = dialect_of(sample.endpoint)
    stream = bent_stream(rng, sample.body)
    chunks = parts(rng, stream)
    tap = dialect.stream_tap(sample.endpoint, strip_usage=False)
    assert b"".join([*map(tap.feed, chunks), tap.close()]) == stream
    other = dialect.stream_tap(sample.endpoint, strip_usage=True)
    for chunk in chunks[: rng.randint(0, len(chunks))]:
        other.feed(chunk)
    if other.between_events:
        other.ending(CUT)
    held = dialect.held_end(sample.endpoint)
    assert b"".join([*map(held.feed, chunks), held.close()]) == stream
    if sample.endpoint in dialect.gated:
        _gated(rng, sample, chunks)


def _gated(rng: Random, sample: Sample, chunks: list[bytes]) -> None:
    gate = dialect_of(sample.endpoint).tool_gate(sample.endpoint, observes=rng.random() < 0.2)
    for step in (*(lambda chunk=chunk: gate.feed(chunk, 1) for chunk in chunks), gate.close):
        step()
        while gate.asks:
            gate.answer([rng.choice(VERDICTS) for _ in gate.asks])


def a_translation(rng: Random) -> None:
    """A request is refused or translated, and whatever is answered is told or is none of the dialect's."""
    (endpoint, dialect), pair = rng.choice(list(PAIRS.items()))
    translate = pair.translation()
    sample = next(each for each in REQUESTS if each.endpoint == endpoint)
    body = bent(rng, sample.body)
    try:
        dialect_of(sample.endpoint).read_request(sample.endpoint, sample.path, body)
        json.loads(translate(body, CONTEXT).request.body)
    except Refused:
        pass
    call = translate(PLAIN[endpoint], CONTEXT)
    answers = [each for each in (*ANSWERS, *OTHERS_ANSWERS) if speaker(each) == dialect]
    with suppress(Unreadable):
        call.answer(rng.choice((200, 200, 400, 500)), bent(rng, rng.choice(answers).body))
    streams = [each for each in (*STREAMS, *OTHERS_STREAMS) if speaker(each) == dialect]
    stream = call.stream()
    told = b"".join(map(stream.feed, parts(rng, bent_stream(rng, rng.choice(streams).body)))) + stream.close()
    for line in told.split(b"\n"):
        if line.startswith(b"data: {"):
            json.loads(line[6:])
    stream.metered()


def a_framing(rng: Random) -> None:
    """What cuts and reads bytes that are in no dialect of their own."""
    stream = bent_stream(rng, rng.choice(STREAMS).body)
    splitter, events = SseSplitter(), list[bytes]()
    try:
        for chunk in parts(rng, stream):
            events += splitter.feed(chunk)
    except EventTooLarge as too_large:
        events += too_large.events
    assert b"".join([*events, splitter.close()]) == stream
    for event in events:
        data_of(event), name_of(event)
    frames = FrameSplitter()
    try:
        for frame in frames.feed(damaged(rng, STREAMS[-1].body)):
            read_frame(frame)
    except BadFrame:
        pass
    with suppress(NotAForm):
        read_form(b"multipart/form-data; boundary=X", damaged(rng, FORM))
    with_deployment(b"multipart/form-data; boundary=X", damaged(rng, FORM), "m")


def a_usage(rng: Random) -> None:
    """Usage objects, in every arithmetic, whoever's they are."""
    usage = usage_told(
        rng.choice([*DIALECTS, "cohere", "ollama"]),
        bent(rng, rng.choice(USAGES)),
        arithmetic=rng.choice(list(Arithmetic)),
        endpoint=Endpoint.CHAT,
        service_tier=None,
        tool_calls={},
    )
    assert all(count >= 0 for count in usage.tokens.values())


def another_reader(rng: Random) -> None:
    """Lines of batches, events of realtime sessions, bodies of another proxy's clients, reports of usage."""
    read, body = rng.choice(READERS)
    with suppress(Refused, strict.Unreadable, BadReport):
        read(bent(rng, body))


KINDS: Final[tuple[Callable[[Random], None], ...]] = (
    a_request,
    strangers,
    an_answer,
    a_stream,
    a_translation,
    a_framing,
    a_usage,
    another_reader,
)
READERS: Final[tuple[tuple[Callable[[bytes], object], bytes], ...]] = (
    (read_line, BATCH[0]),
    (line_usage, BATCH[1]),
    (lambda body: read_client_event(body.decode("utf-8", "replace")), REALTIME[0]),
    (read_server_event, REALTIME[1]),
    (read_call_event, REALTIME[1]),
    (calls_within, REALTIME[1]),
    (read_litellm, REQUESTS[0].body),
    (read_report, REPORT),
    (lambda body: with_deployment(b"application/json", body, "m"), REQUESTS[0].body),
)
PLAIN: Final = {
    "chat.completions": b'{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}',
    "messages": b'{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}',
    "responses": b'{"model":"m","input":"Hi","stream":true}',
}
USAGES: Final = (
    b'{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":3}}',
    b'{"input_tokens":8,"output_tokens":2,"cache_creation":{"ephemeral_1h_input_tokens":1}}',
    b'{"promptTokenCount":8,"candidatesTokenCount":2,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8}]}',
    b'{"prompt_eval_count":8,"eval_count":2}',
    b'{"billed_units":{"input_tokens":8,"output_tokens":2.0},"tokens":{"input_tokens":80}}',
    b'{"inputTokens":8,"outputTokens":2,"cacheReadInputTokens":1,"cacheDetails":[{"ttl":"1h","inputTokens":1}]}',
)


def _unknown(value: Any) -> list[tuple[str, Any]]:
    """Every member that nobody knows, wherever it stands."""
    if isinstance(value, dict):
        own = [(name, json.dumps(given)) for name, given in value.items() if name.startswith("x_unknown_")]
        return own + [found for given in value.values() for found in _unknown(given)]
    return [found for given in value for found in _unknown(given)] if isinstance(value, list) else []


def _held_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def _run(case: Callable[[Random], None], count: int) -> None:
    settled = 0
    for seed in range(count):
        if seed == count // 10:
            settled = _held_bytes()
        try:
            case(Random(seed))
        except Exception as fault:
            raise AssertionError(f"{case.__name__} fell at seed {seed}") from fault
    assert _held_bytes() - settled < MOST_GROWTH


@pytest.mark.parametrize("case", KINDS, ids=lambda case: case.__name__)
def test_thousands_of_cases(case: Callable[[Random], None]) -> None:
    _run(case, CASES.get(case.__name__, MOST_CASES))


@pytest.mark.long
@pytest.mark.parametrize("case", KINDS, ids=lambda case: case.__name__)
def test_a_million_cases(case: Callable[[Random], None]) -> None:
    _run(case, LONG_CASES)
