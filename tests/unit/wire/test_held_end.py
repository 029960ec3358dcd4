"""The end of a stream stays back, and comes out byte for byte, however the stream is cut."""

import pytest

from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.held_end import held_end
from tests.harness.emitted import DONE, Response, chunk, ends

CHAT = [
    chunk({"role": "assistant"}),
    chunk({"content": "Hi"}),
    b": ping\n\n",
    ends("stop"),
    chunk({"content": "x"}),
    DONE,
]
_RESPONSE = Response().event("response.output_text.delta", delta="Hi")
_RESPONSE.completed()
RESPONSE = _RESPONSE.events


@pytest.mark.parametrize(
    ("endpoint", "events", "passes"),
    [
        (Endpoint.CHAT, CHAT, 3),
        (Endpoint.CHAT, [chunk({"content": "Hi"}), DONE], 1),
        (Endpoint.CHAT, [event.replace(b"\n", b"\r\n") for event in CHAT], 3),
        (Endpoint.RESPONSES, RESPONSE, len(RESPONSE) - 1),
    ],
)
def test_all_before_the_end_passes_and_the_rest_waits(endpoint: Endpoint, events: list[bytes], passes: int) -> None:
    whole, before = b"".join(events), b"".join(events[:passes])
    for cut in range(len(whole)):
        held = held_end(endpoint)
        out = held.feed(whole[:cut]) + held.feed(whole[cut:])
        assert out == before and held.is_holding and not held.is_too_large
        assert out + held.close() == whole


def test_what_has_no_end_all_comes_out() -> None:
    held = held_end(Endpoint.CHAT)
    out = held.feed(b"".join(CHAT[:2]) + b"data: {")
    assert out == b"".join(CHAT[:2]) and not held.is_holding and held.close() == b"data: {"


def test_more_than_its_bound_is_not_kept() -> None:
    held = held_end(Endpoint.CHAT, most_bytes=1000)
    assert held.feed(CHAT[0] + ends("stop")) == CHAT[0]
    assert held.feed(b"x" * 1000) == b"" and held.is_too_large and held.close() == b""


def test_an_event_without_end_is_taken_for_the_end() -> None:
    held = held_end(Endpoint.CHAT, most_bytes=1000)
    out = held.feed(CHAT[0] + b"data: " + b"x" * (9 * 1024 * 1024))
    assert out == CHAT[0] and held.is_holding and held.is_too_large
