"""Reads native blocks of newer protocol versions, as clickhouse-go does, with clickhouse-connect's column readers."""

import struct
from collections.abc import Iterator
from typing import Any

import lz4.block
from clickhouse_cityhash.cityhash import CityHash128
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.exceptions import StreamCompleteException
from clickhouse_connect.driver.query import QueryContext
from clickhouse_connect.driverc.buffer import ResponseBuffer

BLOCK_INFO = bytes([1, 0, 2, 255, 255, 255, 255, 0])


def uncompressed(stream: bytes) -> bytes:
    """The content of LZ4 blocks, after each checksum was compared: two halves, the high one first, little-endian."""
    plain = b""
    while stream:
        method, size, size_plain = struct.unpack_from("<BII", stream, 16)
        body, checksum, stream = stream[16 : 16 + size], stream[:16], stream[16 + size :]
        high, low = divmod(CityHash128(body), 1 << 64)
        assert struct.pack("<QQ", high, low) == checksum
        assert method == 0x82
        plain += lz4.block.decompress(body[9:], uncompressed_size=size_plain)
    return plain


class _Source:
    """What ResponseBuffer reads from."""

    def __init__(self, content: bytes) -> None:
        self.gen = iter([content])
        self.exception_tag = None

    def close(self, *_: object) -> None: ...


def rows(content: bytes) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns' names and all rows."""
    if not content:
        return [], []
    source = ResponseBuffer(_Source(content))
    blocks = list(_blocks(source))
    return blocks[0][0], [row for _, block in blocks for row in block]


def _blocks(source: Any) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
    context = QueryContext()
    while True:
        try:
            info = source.read_bytes(8)
        except StreamCompleteException:
            return
        assert bytes(info) == BLOCK_INFO
        columns, count = source.read_leb128(), source.read_leb128()
        names, values = [], []
        for _ in range(columns):
            names.append(source.read_leb128_str())
            kind = get_from_name(source.read_leb128_str())
            assert source.read_byte() == 0, "no serialization of its own"
            values.append(kind.read_column(source, count, context))
        yield names, list(zip(*values, strict=True))
