"""The splitter at every cut: the same events however the bytes arrive."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.sse import EventTooLarge, SseSplitter, data_of, name_of

PIECES = st.sampled_from(
    [
        b"data: ",
        b"data:",
        b"event: x",
        b": ping",
        b"{}",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"\r\r",
        "é".encode(),
    ]
)
STREAMS = st.lists(PIECES, max_size=30).map(b"".join)


def reference(stream: bytes) -> tuple[list[bytes], bytes]:
    """The events and the rest, from line ends counted one by one over the whole stream."""
    events: list[bytes] = []
    start = 0
    ends = [(m.start(), m.end()) for m in re.finditer(rb"\r\n|\n|\r", stream)]
    index = 0
    while index + 1 < len(ends):
        if ends[index][1] == ends[index + 1][0]:
            events.append(stream[start : ends[index + 1][1]])
            start = ends[index + 1][1]
            index += 2
        else:
            index += 1
    return events, stream[start:]


def fed(chunks: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = SseSplitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return events, splitter.close()


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, len(stream), *(c % (len(stream) + 1) for c in cuts)})
    return [stream[a:b] for a, b in itertools.pairwise(marks)]


@given(STREAMS, st.lists(st.integers(0, 500), max_size=12))
def test_any_split_yields_the_same_events_and_loses_no_byte(stream: bytes, cuts: list[int]) -> None:
    events, rest = fed(cut(stream, cuts))
    assert b"".join(events) + rest == stream
    by_bytes = fed([stream[i : i + 1] for i in range(len(stream))])
    assert (events, rest) == by_bytes


@given(STREAMS)
def test_events_end_at_blank_lines(stream: bytes) -> None:
    wanted, rest = reference(stream)
    if wanted and not rest and wanted[-1].endswith(b"\r"):
        # A CR at the very end: half of a CR LF, perhaps, until more comes.
        rest = wanted.pop()
    assert fed([stream]) == (wanted, rest)


@pytest.mark.parametrize("separator", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_every_legal_separator_ends_an_event(separator: bytes) -> None:
    stream = b"data: 1" + separator + b"data: 2" + separator + b"x"
    assert fed([stream]) == ([b"data: 1" + separator, b"data: 2" + separator], b"x")


def test_a_lone_line_end_of_two_bytes_is_not_a_blank_line() -> None:
    assert fed([b"data: 1\r\nevent: x\r\n"]) == ([], b"data: 1\r\nevent: x\r\n")


@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_an_event_over_the_bound_is_told_with_the_whole_ones_before_it(size: int) -> None:
    stream = b"data: 1\n\ndata: " + b"x" * 200 + b"\n\n"
    splitter = SseSplitter(max_event_bytes=100)
    events: list[bytes] = []
    fed_bytes = 0
    with pytest.raises(EventTooLarge) as caught:
        for at in range(0, len(stream), size):
            fed_bytes = at + size
            events += splitter.feed(stream[at : at + size])
    events += caught.value.events
    assert events == [b"data: 1\n\n"]
    assert b"".join(events) + splitter.close() == stream[:fed_bytes]


def test_an_event_of_just_the_bound_passes() -> None:
    event = b"data: " + b"x" * 92 + b"\n\n"
    assert SseSplitter(max_event_bytes=100).feed(event) == [event]
    with pytest.raises(EventTooLarge):
        SseSplitter(max_event_bytes=99).feed(event)


def test_eight_megabytes_a_byte_at_a_time_is_linear() -> None:
    splitter = SseSplitter()
    block = b"x" * 64
    for _ in range(100_000):
        splitter.feed(block)
    assert splitter.feed(b"\n\n")[0] == block * 100_000 + b"\n\n"


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: {}\n\n", b"{}"),
        (b"data:{}\n\n", b"{}"),
        (b"data: {}\r\n\r\n", b"{}"),
        (b"data: {}\r\r", b"{}"),
        (b"data: [DONE]\n\n", b"[DONE]"),
        (b"data:  two spaces\n\n", b" two spaces"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"event: e\ndata: a\n\n", b"a"),
        (b"data: a\nevent: e\n\n", b"a"),
        (b"data: a\rdata: b\r\r", b"a\nb"),
        (b": comment\n\n", None),
        (b"\n\n", None),
        (b"data\n\n", b""),
        (b"data:\n\n", b""),
        (b"database: x\n\n", None),
        (b"\xef\xbb\xbfdata: a\n\n", b"a"),
    ],
)
def test_data_is_the_joined_data_lines(event: bytes, data: bytes | None) -> None:
    assert data_of(event) == data


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (b"event: error\ndata: {}\n\n", b"error"),
        (b"data: {}\nevent: response.completed\n\n", b"response.completed"),
        (b"data: event: no\n\n", None),
    ],
)
def test_the_name_is_found_wherever_its_line_stands(event: bytes, name: bytes | None) -> None:
    assert name_of(event) == name
