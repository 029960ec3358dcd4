"""Inflating on the tee: right at every split, bounded, and quiet about garbage."""

import gzip
import sys
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.encoding import KNOWN_ENCODINGS, Inflater, readable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush()


ENCODERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("GZip ", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("zstd", zstd.compress),
    ("gzip", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]) + b"\0\0"),
    ("zstd", lambda data: zstd.compress(data[:7]) + zstd.compress(data[7:])),
    ("identity", bytes),
    ("", bytes),
]


def inflated(encoding: str | None, body: bytes, size: int) -> bytes:
    inflater = Inflater(encoding)
    out = b"".join([inflater.feed(body[at : at + size]) for at in range(0, len(body), size)]) + inflater.close()
    assert inflater.known
    assert not inflater.broken
    assert not inflater.overflow
    return out


@pytest.mark.parametrize(("encoding", "encode"), ENCODERS)
@given(data=st.binary(min_size=8, max_size=300), size=st.integers(1, 50))
def test_any_split_inflates_to_the_body(
    encoding: str, encode: Callable[[bytes], bytes], data: bytes, size: int
) -> None:
    assert inflated(encoding, encode(data), size) == data


@pytest.mark.parametrize(("encoding", "encode"), ENCODERS)
def test_a_long_body_in_one_piece_comes_out_whole(encoding: str, encode: Callable[[bytes], bytes]) -> None:
    data = b"abcdefghij" * 500_000 + bytes(range(256)) * 100
    body = encode(data)
    assert inflated(encoding, body, len(body)) == data


def test_no_encoding_is_identity() -> None:
    assert inflated(None, b"abc", 2) == b"abc"


@pytest.mark.parametrize(("encoding", "encode"), ENCODERS)
def test_what_comes_out_is_bounded(encoding: str, encode: Callable[[bytes], bytes]) -> None:
    inflater = Inflater(encoding, max_bytes=1000)
    out = inflater.feed(encode(b"x" * 50_000_000))
    assert out == b"x" * 1000
    assert inflater.overflow
    assert inflater.feed(b"more") == b""


def test_just_the_bound_is_no_overflow() -> None:
    inflater = Inflater("gzip", max_bytes=1000)
    assert len(inflater.feed(gzip.compress(b"x" * 1000))) == 1000
    assert not inflater.overflow


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@given(noise=st.binary(min_size=1, max_size=50))
def test_garbage_never_raises(encoding: str, noise: bytes) -> None:
    inflater = Inflater(encoding)
    inflater.feed(noise)
    inflater.feed(noise)
    inflater.close()


def test_garbage_is_told() -> None:
    for encoding in ("gzip", "zstd"):
        inflater = Inflater(encoding)
        assert inflater.feed(b"this is plain text") == b""
        assert inflater.broken


@pytest.mark.parametrize("encoding", ["br", "gzip, br", "compress", "no such"])
def test_an_unknown_encoding_inflates_to_nothing(encoding: str) -> None:
    inflater = Inflater(encoding)
    assert not inflater.known
    assert inflater.feed(b"abc") == b""
    assert encoding not in KNOWN_ENCODINGS


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (b"gzip, deflate, br, zstd", b"gzip, deflate, zstd"),
        (b"br", b"identity"),
        (b"", b"identity"),
        (b"*", b"identity"),
        (b"BR;q=1.0, GZIP;q=0.5,identity;q=0", b"GZIP;q=0.5, identity;q=0"),
    ],
)
def test_only_what_can_be_read_is_asked_for(asked: bytes, kept: bytes) -> None:
    assert readable(asked) == kept
