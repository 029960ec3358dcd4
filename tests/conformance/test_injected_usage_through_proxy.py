"""Where Flyball asks a provider for usage that the client did not ask for, the client sees nothing of it.

The providers' recorded answers to such asking are given to clients that did not ask.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest

from proxy.wire.endpoint import Endpoint
from tests.harness.cutting import cuttings
from tests.harness.recordings import Recording, recordings
from tests.harness.replayed import Case, Replays, as_sent, replay, written

OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "none": {},
    "null": {"stream_options": None},
    "false": {"stream_options": {"include_usage": False}},
    "other": {"stream_options": {"include_obfuscation": False}},
}
"""Ways of not asking for usage."""

ASKED: Final = [r for r in recordings() if r.asked_for_usage and r.profile in ("openai", "azure")]
CHUNK: Final = b'data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":[%s],"model":"%s"%s}\n\n'
LEGACY: Final = b"".join(
    CHUNK % (choices, b"gpt-3.5-turbo-instruct", usage)
    for choices, usage in (
        (b'{"text":"Gr\xc3\xbc\xc3\x9fe","index":0,"logprobs":null,"finish_reason":null}', b',"usage":null'),
        (b'{"text":" usage","index":0,"logprobs":null,"finish_reason":"stop"}', b',"usage":null'),
        (b"", b',"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}'),
    )
)
"""Made by hand from wire.md §2: no legacy completion was recorded with usage asked for."""


def legacy() -> Recording:
    """A stream of /completions as OpenAI sends it when asked for its usage."""
    return Recording(
        name="legacy",
        provider="openai",
        endpoint=Endpoint.COMPLETIONS,
        base_path="/v1",
        path="/completions",
        query={},
        request={"model": "gpt-3.5-turbo-instruct", "prompt": "Grüße", "stream": True},
        status=200,
        headers={"content-type": "text/event-stream"},
        body=LEGACY + b"data: [DONE]\n\n",
        gzipped=False,
        usage={"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
    )


def every_recording() -> list[Recording]:
    return [*ASKED, legacy()] if ASKED else []


@pytest.fixture(scope="module")
def injected(tmp_path_factory: pytest.TempPathFactory) -> Replays:
    cases = [case for recording in every_recording() for case in cases_of(recording)]
    if not cases:
        return Replays()
    routes = {f"{recording.name}/asked": "" for recording in every_recording()}
    return replay(tmp_path_factory.mktemp("injected"), cases, routes)


def cases_of(recording: Recording) -> Iterator[Case]:
    headers, body = as_sent(recording)
    for way, options in OPTIONS.items():
        plain = {name: value for name, value in recording.request.items() if name != "stream_options"}
        sent = written({**plain, "model": f"{recording.name}/asked", **options})
        for cutting, pieces in cuttings(body, is_stream=True):
            if way == "none" or cutting == "by 7":
                name = f"{recording.name} {way} {cutting}"
                target = recording.name
                yield Case(name=name, target=target, recording=recording, sent=sent, headers=headers, pieces=pieces)


each = pytest.mark.parametrize("recording", every_recording(), ids=lambda r: r.name)


@each
def test_the_provider_is_asked_and_all_else_is_the_clients(injected: Replays, recording: Recording) -> None:
    for outcome in injected.of(recording.name):
        sent, asked = outcome.case.sent, outcome.asked.body
        options = json.loads(asked)["stream_options"]
        assert options == {**(json.loads(sent).get("stream_options") or {}), "include_usage": True}
        assert without_options(asked) == without_options(sent), outcome.case.name
        assert outcome.row["model"] != f"{recording.name}/asked"


@each
def test_the_client_sees_nothing_of_it(injected: Replays, recording: Recording) -> None:
    wanted = as_not_asked(recording.body)
    assert b'"usage"' not in wanted
    for outcome in injected.of(recording.name):
        assert outcome.status == 200
        assert outcome.body == wanted, outcome.case.name


@each
def test_the_row_has_the_usage_all_the_same(injected: Replays, recording: Recording) -> None:
    assert recording.usage is not None
    for outcome in injected.of(recording.name):
        row = outcome.row
        assert (row["outcome"], row["usage_source"]) == ("ok", "provider"), outcome.case.name
        assert json.loads(outcome.attempt["raw_usage"]) == recording.usage
        assert int(row["input_tokens"]) + int(row["cache_read_tokens"]) == recording.usage["prompt_tokens"]
        assert Decimal(row["cost_usd"]) > 0


def test_a_client_that_asks_gets_what_it_asked_for(replays: Replays) -> None:
    for recording in ASKED:
        for outcome in replays.of(recording.name):
            assert outcome.body.count(b'"prompt_tokens"') == 1


def without_options(body: bytes) -> bytes:
    """A body with its stream options taken out, with the comma that goes with them."""
    start = body.find(b'"stream_options"')
    if start < 0:
        return body
    _, length = json.JSONDecoder().raw_decode(body[start + len('"stream_options":') :].decode("latin-1"))
    end = start + len('"stream_options":') + length
    if body[end : end + 1] == b",":
        return body[:start] + body[end + 1 :]
    return body[: start - 1] + body[end:]


def as_not_asked(body: bytes) -> bytes:
    """The same stream as the provider sends it when it was not asked: no usage chunk, no `"usage":null`."""
    kept = []
    for event in body.split(b"\n\n"):
        data = event.removeprefix(b"data: ")
        told = json.loads(data) if data.startswith(b"{") else {}
        if told.get("choices") == [] and told.get("usage"):
            continue
        kept.append(event.replace(b',"usage":null', b""))
    return b"\n\n".join(kept)
