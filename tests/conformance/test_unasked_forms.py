"""Answers that come otherwise than asked for: compressed (wire.md §3: gzip'd SSE is legal), or under another type.

In one piece they pass as they are; compressed streams are inflated so that they can be read.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Final

import pytest

from proxy.budget import BudgetSettings
from tests.harness.cutting import by_size
from tests.harness.recordings import Recording, recordings
from tests.harness.replayed import Case, Replays, replay, written

ENCODINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = {"gzip": gzip.compress, "deflate": zlib.compress}
UNREADABLE: Final = "br"


TYPES: Final = ("text/plain; charset=utf-8", "application/octet-stream")
"""What some servers call their streams; JSON is what they call an answer in one piece to a streamed request."""


def chosen() -> list[Recording]:
    """A stream with usage asked for, one where we ask, one of another endpoint, and an answer in one piece."""
    names = ("openai-d15cbd-0", "openai-45e286-0", "openai-6420ca-0", "openai-7e5ad9-0", "openai-b0b212-0")
    return [recording for recording in recordings() if recording.name in names]


def plain(recording: Recording) -> dict[str, str]:
    """The recorded headers of an answer that is not compressed."""
    return {name: value for name, value in recording.headers.items() if name != "content-encoding"}


def cases() -> Iterator[Case]:
    for recording in chosen():
        for content_type in TYPES:
            yield Case(
                name=f"{recording.name} {content_type}",
                target=recording.name,
                recording=recording,
                sent=written({**recording.request, "model": f"{recording.name}/encoded"}),
                headers={**plain(recording), "content-type": content_type},
                pieces=by_size(recording.body, 53),
            )
        for encoding in (*ENCODINGS, UNREADABLE):
            body = ENCODINGS.get(encoding, bytes)(recording.body)
            yield Case(
                name=f"{recording.name} {encoding}",
                target=recording.name,
                recording=recording,
                sent=written({**recording.request, "model": f"{recording.name}/encoded"}),
                headers={**plain(recording), "content-encoding": encoding},
                pieces=by_size(body, 53),
            )


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Replays:
    made = list(cases())
    routes = {f"{recording.name}/encoded": recording.model for recording in chosen()}
    return replay(tmp_path_factory.mktemp("encoded"), made, routes) if made else Replays()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("recording", [r for r in chosen() if r.is_stream], ids=lambda r: r.name)
def test_an_encoded_stream_is_inflated(encoded: Replays, recording: Recording, encoding: str) -> None:
    outcome = encoded.outcomes[f"{recording.name} {encoding}"]
    assert "content-encoding" not in outcome.headers
    assert outcome.body == recording.body
    wanted = "estimated" if recording.usage is None else "provider"
    assert (outcome.row["outcome"], outcome.row["usage_source"]) == ("ok", wanted)
    assert outcome.row["ttft_ms"] is not None


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("recording", [r for r in chosen() if not r.is_stream], ids=lambda r: r.name)
def test_an_encoded_answer_passes_as_it_is(encoded: Replays, recording: Recording, encoding: str) -> None:
    outcome = encoded.outcomes[f"{recording.name} {encoding}"]
    assert outcome.headers["content-encoding"] == encoding
    assert outcome.body == outcome.case.body
    assert (outcome.row["outcome"], outcome.row["usage_source"]) == ("ok", "provider")


@pytest.mark.parametrize("recording", chosen(), ids=lambda r: r.name)
def test_what_cannot_be_read_passes_and_is_billed_at_its_hold(encoded: Replays, recording: Recording) -> None:
    outcome = encoded.outcomes[f"{recording.name} {UNREADABLE}"]
    assert outcome.headers["content-encoding"] == UNREADABLE
    assert outcome.body == outcome.case.body
    assert (outcome.row["outcome"], outcome.row["usage_source"]) == ("ok", "estimated")
    held, cost = Decimal(outcome.row["held_usd"]), Decimal(outcome.row["cost_usd"])
    asked = recording.request.get("max_tokens") or BudgetSettings().first_hold_output_tokens
    assert int(outcome.row["output_tokens"]) == asked
    assert held * Decimal("0.8") < cost <= held


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("recording", chosen(), ids=lambda r: r.name)
def test_an_answer_under_another_type_is_read_all_the_same(
    encoded: Replays, recording: Recording, content_type: str
) -> None:
    outcome = encoded.outcomes[f"{recording.name} {content_type}"]
    assert outcome.headers["content-type"] == content_type
    assert outcome.body == outcome.case.body
    wanted = "estimated" if recording.usage is None else "provider"
    assert (outcome.row["outcome"], outcome.row["usage_source"]) == ("ok", wanted)
    assert (outcome.row["ttft_ms"] is not None) == recording.is_stream
