"""Bodies that are wrong in every way: a clear 400 in OpenAI's shape, nothing upstream, one row each."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.journey.guarded import CHAT, KEY, MAX_BODY, TAGGED_KEY, Guarded, guarded
from tests.journey.raw_http import connect, read_answer, request

DEEP = 100_000


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("bodies")) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_happens(scene: Guarded) -> Iterator[None]:
    with scene.untouched():
        yield


def chat(**fields: Any) -> bytes:
    return json.dumps({**CHAT, **fields}).encode()


def with_text(text: str) -> bytes:
    return b'{"model":"sim-small","messages":[{"role":"user","content":%b}]}' % text.encode()


NOT_JSON = {
    "empty": (b"", "empty"),
    "blank": (b" \r\n\t", "empty"),
    "word": (b"hello", "not valid JSON"),
    "cut in a string": (chat()[:-20], "ends too early"),
    "cut after a comma": (b'{"model":"sim-small",', "ends too early"),
    "two objects": (b'{"model":"sim-small"}{"model":"sim-small"}', "not valid JSON"),
    "comment": (b'{"model":"sim-small" /* x */}', "not valid JSON"),
    "single quotes": (b"{'model':'sim-small'}", "not valid JSON"),
    "NaN": (b'{"model":"sim-small","messages":[],"temperature":NaN}', "not valid JSON"),
    "infinity": (b'{"model":"sim-small","messages":[],"temperature":-Infinity}', "not valid JSON"),
    "leading zero": (b'{"model":"sim-small","n":01}', "not valid JSON"),
    "raw line feed in a string": (b'{"model":"sim-\nsmall"}', "not valid JSON"),
    "NUL": (b'{"model":"sim-small"}\0', "not valid JSON"),
    "array": (b'[{"model":"sim-small"}]', "must be a JSON object; got an array"),
    "null": (b"null", "must be a JSON object; got null"),
    "string": (b'"sim-small"', "must be a JSON object; got a string"),
    "number": (b"5", "must be a JSON object; got a number"),
    "true": (b"true", "must be a JSON object; got true"),
    "deep arrays": (b"[" * DEEP, "must be a JSON object; got an array"),
    "deep objects": (b'{"a":' * DEEP, "nested too deeply"),
    "deep in a field nobody reads": (b'{"model":"sim-small","x":' + b"[" * DEEP + b"]" * DEEP + b"}", "deeply"),
    "deep messages": (b'{"model":"sim-small","messages":' + b"[" * DEEP + b"]" * DEEP + b"}", "deeply"),
    "byte order mark": (b"\xef\xbb\xbf" + chat(), "byte order mark"),
    "UTF-16": (chat().decode().encode("utf-16"), "not valid UTF-8"),
    "latin-1": (with_text('"ü"').decode().encode("latin-1"), "not valid UTF-8"),
    "overlong slash": (with_text('"x"').replace(b"x", b"\xc0\xaf"), "not valid UTF-8"),
    "surrogate in UTF-8": (with_text('"x"').replace(b"x", b"\xed\xa0\x80"), "not valid UTF-8"),
    "half a surrogate pair as the model": (b'{"model":"sim-\\ud800"}', "surrogate"),
    "half a surrogate pair in the prompt": (with_text('"\\udc00"'), "surrogate"),
}

WRONG_FIELDS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "no model": ({"model": None}, "model"),
    "model is a number": ({"model": 5}, "model"),
    "model is a list": ({"model": ["sim-small"]}, "model"),
    "model is empty": ({"model": ""}, "model"),
    "model is blank": ({"model": "  "}, "model"),
    "model with a line feed": ({"model": "sim-small\nx"}, "model"),
    "model with a NUL": ({"model": "sim-small\0"}, "model"),
    "endless model": ({"model": "sim-" + "x" * 100_000}, "model"),
    "stream is a word": ({"stream": "yes"}, "stream"),
    "stream is one": ({"stream": 1}, "stream"),
    "stream options are a list": ({"stream": True, "stream_options": []}, "stream_options"),
    "include_usage is a word": (
        {"stream": True, "stream_options": {"include_usage": "no"}},
        "stream_options.include_usage",
    ),
    "max_tokens is a word": ({"max_tokens": "many"}, "max_tokens"),
    "max_tokens is a fraction": ({"max_tokens": 1.5}, "max_tokens"),
    "max_completion_tokens is a list": ({"max_completion_tokens": [1]}, "max_completion_tokens"),
    "n is zero": ({"n": 0}, "n"),
    "n is negative": ({"n": -1}, "n"),
    "n is a thousand million": ({"n": 10**9}, "n"),
    "n is beyond 64 bits": ({"n": 2**70}, "n"),
    "n is a word": ({"n": "2"}, "n"),
    "tools are an object": ({"tools": {"type": "function"}}, "tools"),
    "tools are words": ({"tools": ["search"]}, "tools"),
    "functions are a word": ({"functions": "f"}, "functions"),
    "user is an object": ({"user": {"id": 1}}, "user"),
    "metadata is a word": ({"metadata": "x"}, "metadata"),
    "service tier is a number": ({"service_tier": 1}, "service_tier"),
}

REPEATED = {
    "model": b'{"model":"sim-small","model":"sim-large","messages":[]}',
    "model, escaped": b'{"model":"sim-small","\\u006dodel":"sim-large","messages":[]}',
    "max_tokens": b'{"max_tokens":1,"model":"sim-small","max_tokens":1000000,"messages":[]}',
    "n": b'{"n":1,"model":"sim-small","messages":[],"n": 100}',
    "stream": b'{"stream":false,"model":"sim-small","messages":[],"stream":true}',
    "messages": b'{"messages":[],"model":"sim-small","messages":[{"role":"user","content":"x"}]}',
}


@pytest.mark.parametrize("case", NOT_JSON)
def test_what_is_no_json_object_is_refused(scene: Guarded, case: str) -> None:
    body, words = NOT_JSON[case]
    error = scene.refused(scene.post(body), 400, "invalid_request")
    assert words in error["message"]


@pytest.mark.parametrize("case", WRONG_FIELDS)
def test_a_field_of_the_wrong_kind_is_named(scene: Guarded, case: str) -> None:
    fields, param = WRONG_FIELDS[case]
    error = scene.refused(scene.post(chat(**fields)), 400, "invalid_request")
    assert error["param"] == param
    assert len(error["message"]) < 500


@pytest.mark.parametrize("case", REPEATED)
def test_a_key_given_twice_is_refused(scene: Guarded, case: str) -> None:
    """Of two values one would be governed and the other one obeyed."""
    error = scene.refused(scene.post(REPEATED[case]), 400, "invalid_request")
    assert "twice" in error["message"]


def test_an_unknown_model_is_answered_with_the_nearest_names(scene: Guarded) -> None:
    error = scene.refused(scene.post(chat(model="fats")), 404, "model_not_found")
    assert error["flyball"]["nearest"] == ["fast"]
    assert "fast" in error["message"]


def test_a_model_outside_the_keys_list_is_refused(scene: Guarded) -> None:
    error = scene.refused(scene.post(chat(model="fast"), key=TAGGED_KEY), 403, "model_not_allowed")
    assert error["flyball"]["allowed"] == ["sim-*"]


def test_what_leans_on_the_providers_state_is_refused_unless_it_is_ones_own(scene: Guarded) -> None:
    body = {"model": "sim-small", "input": "Hello", "previous_response_id": "resp_1"}
    error = scene.refused(scene.post(body, target="/v1/responses"), 404, "not_found")
    assert error["param"] == "previous_response_id"
    other = {"model": "sim-small", "input": "Hello", "prompt": {"id": "pmpt_1"}}
    error = scene.refused(scene.post(other, target="/v1/responses"), 400, "capability_missing")
    assert error["param"] == "prompt"


def test_a_compressed_body_is_refused(scene: Guarded) -> None:
    for coding in ("gzip", "br", "zstd", "GZIP", "identity, gzip"):
        answer = scene.post(b"\x1f\x8b\x08\0", headers=[("Content-Encoding", coding)])
        error = scene.refused(answer, 400, "invalid_request")
        assert error["param"] == "content-encoding"


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(scene: Guarded) -> None:
    with connect(scene.flyball.data) as connection:
        began = time.monotonic()
        connection.sendall(request(key=KEY, length=100 * 1024 * 1024))
        answer = read_answer(connection)
        assert answer is not None
        error = scene.refused(answer, 413, "request_too_large")
        assert time.monotonic() - began < 2.0
    assert error["flyball"]["max_body_bytes"] == MAX_BODY


def test_a_client_that_sends_all_of_100_mb_first_is_answered_too(scene: Guarded) -> None:
    """Most clients read only when they have written; our memory does not grow meanwhile."""
    before = worker_memory(scene)
    megabyte = b" " * 1024 * 1024
    with connect(scene.flyball.data) as connection:
        connection.sendall(request(key=KEY, length=100 * len(megabyte)))
        for _ in range(100):
            connection.sendall(megabyte)
        answer = read_answer(connection)
    assert answer is not None
    scene.refused(answer, 413, "request_too_large")
    assert worker_memory(scene) - before < 20 * 1024 * 1024


def test_a_chunked_body_is_refused_once_it_is_too_large(scene: Guarded) -> None:
    piece = b" " * 65_536
    framed = b"%x\r\n%b\r\n" % (len(piece), piece)
    with connect(scene.flyball.data) as connection:
        connection.sendall(request(key=KEY, headers=[("Transfer-Encoding", "chunked")]))
        for _ in range(MAX_BODY // len(piece) + 2):
            connection.sendall(framed)
        answer = read_answer(connection)  # the last chunk was never sent
    assert answer is not None
    scene.refused(answer, 413, "request_too_large")


@pytest.mark.parametrize("length", [50, 5_000_000], ids=["short", "beyond the bound"])
def test_a_client_that_leaves_within_its_body_leaves_a_row(scene: Guarded, length: int) -> None:
    with connect(scene.flyball.data) as connection:
        connection.sendall(request(b'{"model":', key=KEY, length=length))
        if length > MAX_BODY:
            answer = read_answer(connection)
            assert answer is not None
            scene.refused(answer, 413, "request_too_large")
        else:
            time.sleep(0.3)
            scene.unanswered["invalid_request"] += 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-flyball-agent", "somebody-else"),
        ("x-flyball-agent", "x" * 300),
        ("x-flyball-run", "x" * 257),
        ("x-flyball-run", "\xff\xfe"),
        ("x-flyball-step", "a\tb"),
        ("x-flyball-user", "\xe2\x80\x8b"),
        ("x-flyball-tags", "no-value"),
        ("x-flyball-tags", "a b=c"),
        ("x-flyball-tags", "=c"),
        ("x-flyball-tags", ",".join(f"t{number}=1" for number in range(17))),
        ("x-flyball-tags", "k" * 65 + "=v"),
        ("x-flyball-tags", "k=" + "v" * 257),
        ("x-flyball-tags", "k=%00"),
        ("x-flyball-tags", "k=%0d%0aset-cookie:x"),
    ],
)
def test_claims_that_break_their_grammar_are_refused(scene: Guarded, name: str, value: str) -> None:
    answer = scene.post(chat(), key=TAGGED_KEY, headers=[(name, value)])
    assert scene.refused(answer, 400, "invalid_request")["param"] == name


def test_every_identified_call_has_its_row_and_nobody_else(scene: Guarded) -> None:
    total = len(scene.expected) + scene.unanswered.total()
    assert total > 0
    rows = {row["operation_id"]: row for row in scene.flyball.wait_for_rows(total)}
    assert len(rows) == total
    assert {name: rows[name]["code"] for name in scene.expected} == scene.expected
    assert Counter(rows[name]["code"] for name in rows.keys() - scene.expected.keys()) == scene.unanswered
    assert {row["outcome"] for row in rows.values()} == {"refused"}
    assert scene.flyball.query("SELECT count() AS n FROM attempts") == [{"n": 0}]


def worker_memory(scene: Guarded) -> int:
    """Resident bytes of the worker."""
    (pid,) = scene.flyball.pids("worker")
    with open(f"/proc/{pid}/status") as status:
        (line,) = (line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
