"""Every recorded stream of the OpenAI dialect through the tap: nothing changed on the way, usage and end found."""

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proxy.wire.endpoint import PATHS, Endpoint
from proxy.wire.facts import StreamFacts
from proxy.wire.openai.stream import StreamTap

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDINGS = Path(os.environ.get("FLYBALL_RECORDINGS", REPOSITORY.parent / "shared" / "recordings"))
SMALL = 6_000


@dataclass(frozen=True)
class Recorded:
    """One recorded stream."""

    name: str
    endpoint: Endpoint
    body: bytes
    usages: tuple[Any, ...]


def recorded_streams() -> Iterator[Recorded]:
    for file in sorted(RECORDINGS.glob("*__*.json")):
        for number, exchange in enumerate(json.loads(file.read_text())["interactions"]):
            path = exchange["url"].split("?")[0]
            endpoint = next((e for end, e in PATHS.items() if path.endswith(end)), None)
            text = exchange["body"].get("text") or ""
            if endpoint is not None and any(line.startswith("data:") for line in text.splitlines()[:4]):
                yield Recorded(f"{file.stem}-{number}", endpoint, text.encode(), tuple(exchange["usage_objects"]))


STREAMS = list(recorded_streams())


def tapped(stream: Recorded, pieces: list[bytes], *, strip: bool = False) -> tuple[StreamFacts, bytes]:
    tap = StreamTap(stream.endpoint, strip_usage=strip)
    forwarded = b"".join([tap.feed(piece) for piece in pieces])
    return tap.facts, forwarded + tap.close()


def in_pieces(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def test_the_recordings_are_there() -> None:
    """Absent recordings are told, and are a failure where CI runs."""
    if not STREAMS:
        print(f"not run: no recordings in {RECORDINGS}")  # noqa: T201  said to whoever runs the tests
        assert "CI" not in os.environ


@pytest.mark.parametrize("stream", STREAMS, ids=lambda s: s.name)
def test_a_recorded_stream_passes_unchanged_and_is_read(stream: Recorded) -> None:
    facts, forwarded = tapped(stream, [stream.body])
    assert forwarded == stream.body
    assert not facts.overflow
    assert facts.model
    assert facts.saw_output
    assert facts.terminal
    if stream.usages:
        assert facts.raw_usage is not None
        assert json.loads(facts.raw_usage) == last_usage(stream)
    else:
        assert facts.raw_usage is None


def last_usage(stream: Recorded) -> object:
    last = stream.usages[-1]
    return last.get("usage", last) if isinstance(last, dict) else last


@pytest.mark.parametrize("stream", STREAMS, ids=lambda s: s.name)
def test_no_chunking_changes_a_recorded_stream(stream: Recorded) -> None:
    whole = tapped(stream, [stream.body])
    sizes = [2, 3, 7, 64, 100, 577, 1448, 4096] + ([1] if len(stream.body) < 60_000 else [])
    for size in sizes:
        assert tapped(stream, in_pieces(stream.body, size)) == whole, size


@pytest.mark.parametrize("stream", [s for s in STREAMS if len(s.body) < SMALL], ids=lambda s: s.name)
def test_a_small_stream_may_be_cut_at_every_byte(stream: Recorded) -> None:
    body = stream.body
    for strip in (False, True):
        whole = tapped(stream, [body], strip=strip)
        for at in range(1, len(body)):
            assert tapped(stream, [body[:at], body[at:]], strip=strip) == whole, at


@pytest.mark.parametrize("stream", STREAMS, ids=lambda s: s.name)
def test_stripping_takes_out_only_what_was_asked_for(stream: Recorded) -> None:
    """Event by event: the same JSON without a null usage, and no usage-only chunk."""
    _, forwarded = tapped(stream, in_pieces(stream.body, 97), strip=True)
    kept = json_events(forwarded)
    wanted = []
    for value in json_events(stream.body):
        if isinstance(value, dict) and stream.endpoint is not Endpoint.RESPONSES:
            if value.get("choices") == [] and value.get("usage"):
                continue
            if value.get("usage", 0) is None:
                value = {key: inner for key, inner in value.items() if key != "usage"}
        wanted.append(value)
    assert kept == wanted


def json_events(body: bytes) -> list[Any]:
    lines = itertools.chain.from_iterable(line.split(b"\r") for line in body.split(b"\n"))
    values: list[Any] = []
    for line in lines:
        if line.startswith(b"data:"):
            data = line[5:].strip()
            values.append(data if data == b"[DONE]" else json.loads(data))
    return values
