"""ClickHouse's compressed blocks: both ways, and what is wrong with them is said."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from proxy.telemetry.embedded.blocks import packed, unpacked
from proxy.telemetry.embedded.statement import BadRequest

BOUND = 4 * 1024 * 1024

BLOCK = packed(b"SELECT 1 " * 8, "LZ4")


@given(some.binary(max_size=4000), some.sampled_from(["LZ4", "ZSTD", "NONE", "lz4"]))
def test_what_is_packed_is_unpacked(content: bytes, method: str) -> None:
    assert unpacked(packed(content, method), bound=BOUND) == content


def test_long_answers_are_cut_into_blocks_of_a_megabyte() -> None:
    content = bytes(range(256)) * 10_000
    stream = packed(content, "LZ4")
    assert struct.unpack_from("<I", stream, 21) == (1024 * 1024,)
    assert unpacked(stream, bound=BOUND) == content
    assert packed(b"", "LZ4") == b""


@given(some.integers(min_value=0, max_value=len(BLOCK) - 1), some.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    damaged = bytearray(BLOCK)
    damaged[place] ^= change
    with pytest.raises(BadRequest) as refused:
        unpacked(bytes(damaged), bound=BOUND)
    assert refused.value.code in (40, 271, 307)


@given(some.integers(min_value=1, max_value=len(BLOCK) - 1))
def test_a_block_that_is_cut_off_is_noticed(size: int) -> None:
    with pytest.raises(BadRequest) as refused:
        unpacked(BLOCK[:size], bound=BOUND)
    assert refused.value.code == 271


def test_more_than_the_bound_is_refused_before_it_is_unpacked() -> None:
    bomb = packed(b"0" * BOUND, "ZSTD")
    assert len(bomb) < BOUND // 100
    with pytest.raises(BadRequest) as refused:
        unpacked(bomb, bound=BOUND - 1)
    assert refused.value.code == 307
    with pytest.raises(BadRequest) as refused:
        unpacked(packed(b"0" * 2000, "LZ4"), bound=1000)
    assert refused.value.code == 307


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(BadRequest, match="'Delta'"):
        packed(b"x", "Delta")
