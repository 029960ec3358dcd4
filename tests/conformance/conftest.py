"""What conformance tests share: every recorded exchange made once through one running Flyball."""

from collections.abc import Iterator

import pytest

from tests.harness.cutting import cuttings
from tests.harness.recordings import Recording, recordings
from tests.harness.replayed import Case, Replays, as_sent, replay, written


@pytest.fixture(scope="session")
def replays(tmp_path_factory: pytest.TempPathFactory) -> Replays:
    """Every recorded exchange, cut in every way, under its own provider's profile and a model name of its own."""
    cases = [case for recording in recordings() for case in _cases(recording)]
    if not cases:
        return Replays()
    routes = {f"{recording.name}/{recording.model}": recording.model for recording in recordings()}
    return replay(tmp_path_factory.mktemp("replayed"), cases, routes)


def _cases(recording: Recording) -> Iterator[Case]:
    headers, body = as_sent(recording)
    sent = written({**recording.request, "model": f"{recording.name}/{recording.model}"})
    for cutting, pieces in cuttings(body, is_stream=recording.is_stream):
        yield Case(
            name=f"{recording.name} {cutting}",
            target=recording.name,
            recording=recording,
            sent=sent,
            headers=headers,
            pieces=pieces,
            chunked=recording.is_stream or cutting != "whole",
        )
    if recording.is_stream:
        # No provider recorded ends its lines so, and every SSE reader must take it.
        crlf = body.replace(b"\n", b"\r\n")
        for cutting, pieces in cuttings(crlf, is_stream=True):
            if cutting in ("by 61", "inside"):
                yield Case(
                    name=f"{recording.name} crlf {cutting}",
                    target=recording.name,
                    recording=recording,
                    sent=sent,
                    headers=headers,
                    pieces=pieces,
                )
