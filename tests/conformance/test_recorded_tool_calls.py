"""Every recorded stream of chat and responses through the tool-call gate: allowed unchanged, denied still valid."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxy.wire.endpoint import PATHS, Endpoint
from tests.harness.judged import NO, YES, judged
from tests.harness.read_by_sdk import read_by_sdk

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDINGS = Path(os.environ.get("FLYBALL_RECORDINGS", REPOSITORY.parent / "shared" / "recordings"))
SMALL = 16_000


@dataclass(frozen=True)
class Recorded:
    """One recorded stream."""

    name: str
    endpoint: Endpoint
    body: bytes


def recorded() -> Iterator[Recorded]:
    for file in sorted(RECORDINGS.glob("*__*.json")):
        for number, exchange in enumerate(json.loads(file.read_text())["interactions"]):
            path = exchange["url"].split("?")[0]
            endpoint = next((e for end, e in PATHS.items() if path.endswith(end)), None)
            text = exchange["body"].get("text") or ""
            is_stream = any(line.startswith("data:") for line in text.splitlines()[:4])
            if endpoint in (Endpoint.CHAT, Endpoint.RESPONSES) and is_stream:
                yield Recorded(f"{file.stem}-{number}", endpoint, text.encode())


STREAMS = list(recorded())
WITH_CALLS = [stream for stream in STREAMS if judged(stream.endpoint, [stream.body], lambda _: YES)[1]]


def test_the_recordings_with_tool_calls_are_there() -> None:
    """Absent recordings are told, and are a failure where CI runs."""
    if not STREAMS:
        print(f"not run: no recordings in {RECORDINGS}")  # noqa: T201  said to whoever runs the tests
        assert "CI" not in os.environ
        return
    assert {stream.endpoint for stream in WITH_CALLS} == {Endpoint.CHAT, Endpoint.RESPONSES}
    assert len(WITH_CALLS) >= 6


@pytest.mark.parametrize("stream", STREAMS, ids=lambda s: s.name)
def test_what_is_allowed_passes_byte_for_byte(stream: Recorded) -> None:
    whole = judged(stream.endpoint, [stream.body], lambda _: YES)
    assert whole[0] == stream.body
    for size in (1, 7, 100, 1448):
        if size > 1 or len(stream.body) < SMALL:
            pieces = [stream.body[at : at + size] for at in range(0, len(stream.body), size)]
            assert judged(stream.endpoint, pieces, lambda _: YES) == whole, size


@pytest.mark.parametrize("stream", WITH_CALLS, ids=lambda s: s.name)
def test_what_is_denied_reads_as_a_refusal(stream: Recorded) -> None:
    out, asked = judged(stream.endpoint, [stream.body], lambda _: NO)
    assert asked and all(call.name for call in asked)
    read = read_by_sdk(stream.endpoint, out)
    assert read.calls == [] and read.error == ""
    assert "denied by policy (no_tools): No tools here." in read.text
    assert read.finishes == (["completed"] if stream.endpoint is Endpoint.RESPONSES else ["stop"])
    assert asked[0].arguments not in out.decode().replace('\\"', '"') or asked[0].arguments == "{}"


@pytest.mark.parametrize("stream", WITH_CALLS, ids=lambda s: s.name)
def test_some_cuts_change_nothing(stream: Recorded) -> None:
    every_cut(stream, step=max(1, len(stream.body) // 60))


@pytest.mark.long
@pytest.mark.parametrize("stream", WITH_CALLS, ids=lambda s: s.name)
def test_no_cut_changes_anything(stream: Recorded) -> None:
    every_cut(stream, step=1)


def every_cut(stream: Recorded, step: int) -> None:
    body = stream.body
    denied = judged(stream.endpoint, [body], lambda _: NO)
    for at in range(1, len(body), step):
        pieces = [body[:at], body[at:]]
        assert judged(stream.endpoint, pieces, lambda _: YES)[0] == body, at
        assert judged(stream.endpoint, pieces, lambda _: NO) == denied, at
