"""Event stream frames: whole however they are split, checked, bounded; AWS's own decoder reads them alike."""

import itertools
import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.eventstream import (
    BadFrame,
    FrameSplitter,
    event_frame,
    exception_frame,
    framed,
    read_frame,
)

NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=20)
FRAMES = st.lists(
    st.tuples(st.dictionaries(NAMES, st.text(max_size=20), max_size=4), st.binary(max_size=200)), max_size=6
)


def fed(splitter: FrameSplitter, stream: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [frame for start, end in itertools.pairwise(bounds) for frame in splitter.feed(stream[start:end])]


@given(FRAMES, st.lists(st.integers(min_value=0), max_size=12))
def test_frames_come_out_whole_however_they_are_split(
    told: list[tuple[dict[str, str], bytes]], cuts: list[int]
) -> None:
    frames = [framed(headers, payload) for headers, payload in told]
    splitter = FrameSplitter()
    assert fed(splitter, b"".join(frames), cuts) == frames
    assert splitter.is_between_frames and splitter.close() == b""
    for frame, (headers, payload) in zip(frames, told, strict=True):
        read = read_frame(frame)
        assert read is not None and (read.headers, read.payload) == (headers, payload)


@given(FRAMES)
def test_awss_own_decoder_reads_what_is_written(told: list[tuple[dict[str, str], bytes]]) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(framed(headers, payload) for headers, payload in told))
    assert [(dict(each.headers), each.payload) for each in buffer] == told


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_whatever_comes_nothing_is_lost_and_nothing_raises_but_a_bad_frame(first: bytes, second: bytes) -> None:
    splitter = FrameSplitter()
    out = b""
    try:
        for chunk in (event_frame("a", first), second):
            out += b"".join(splitter.feed(chunk))
    except BadFrame as bad:
        out += b"".join(bad.frames)
    assert out + splitter.close() == event_frame("a", first) + second


@given(st.integers(min_value=0, max_value=10**6), st.integers(min_value=1, max_value=255))
def test_a_flipped_byte_is_found(place: int, flip: int) -> None:
    good = event_frame("contentBlockDelta", b'{"delta":{"text":"hello"}}')
    bad = bytearray(good)
    bad[place % len(bad)] ^= flip
    splitter = FrameSplitter()
    with pytest.raises(BadFrame) as found:
        splitter.feed(good + bytes(bad))
    assert found.value.frames == [good]


def test_a_frame_beyond_its_bound_is_refused_before_it_has_come() -> None:
    prelude = struct.pack(">II", 17_000_000, 10)
    with pytest.raises(BadFrame, match="17000000 bytes"):
        FrameSplitter().feed(prelude + struct.pack(">I", crc32(prelude)))


def test_headers_of_every_type_are_walked_over() -> None:
    block = b"".join(
        (
            b"\x01a\x00", b"\x01b\x01", b"\x01c\x02\x09", b"\x01d\x03\x00\x09", b"\x01e\x04\x00\x00\x00\x09",
            b"\x01f\x05" + bytes(8), b"\x01g\x06\x00\x02xy", b"\x01h\x07\x00\x02hi", b"\x01i\x08" + bytes(8),
            b"\x01j\x09" + bytes(16), b"\x01k\x07\x00\x00",
        )
    )  # fmt: skip
    prelude = struct.pack(">II", 16 + len(block), len(block))
    begun = prelude + struct.pack(">I", crc32(prelude)) + block
    read = read_frame(begun + struct.pack(">I", crc32(begun)))
    assert read is not None and read.headers == {"h": "hi", "k": ""}


def test_events_and_exceptions_are_told_apart() -> None:
    event, exception = read_frame(event_frame("metadata", b"{}")), read_frame(exception_frame("throttling", b"{}"))
    assert event is not None and exception is not None
    assert (event.event, event.error, exception.event, exception.error) == ("metadata", "", "", "throttling")
    assert read_frame(b"short") is None
