"""ClickHouse's own block compression: what travels with `compress=1` and `decompress=1` (clickhouse-go, Grafana).

A stream is a row of blocks. Each has 16 bytes of CityHash128 (version 1.0.2, over all that follows), one byte of
method, the size of method, sizes and packed bytes, the size unpacked (both 32 bits, little-endian), the packed bytes.
"""

import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import lz4.block
from clickhouse_cityhash.cityhash import CityHash128

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from proxy.telemetry.embedded.statement import BadRequest

_PLAIN, _LZ4, _ZSTD = 0x02, 0x82, 0x90
_SUM: Final = 16
_HEAD: Final = struct.Struct("<BII")
_MOST_IN_A_BLOCK: Final = 1024 * 1024
_CANNOT_DECOMPRESS: Final = 271
_CHECKSUM_DOESNT_MATCH: Final = 40
_PACKERS: Final[Mapping[str, tuple[int, Callable[[bytes], bytes]]]] = {
    "LZ4": (_LZ4, lambda content: bytes(lz4.block.compress(content, store_size=False))),
    "ZSTD": (_ZSTD, zstd.compress),
    "NONE": (_PLAIN, bytes),
}


def packed(content: bytes, method: str) -> bytes:
    """An answer as compressed blocks of at most 1 MB each; an empty one has no block.

    Raises:
        BadRequest: no method of that name (LZ4, ZSTD, NONE).
    """
    known = _PACKERS.get(method.upper())
    if known is None:
        raise BadRequest(f"Unknown compression method {method[:40]!r}: LZ4, ZSTD and NONE are known", 89)
    starts = range(0, len(content), _MOST_IN_A_BLOCK)
    return b"".join(_block(content[start : start + _MOST_IN_A_BLOCK], *known) for start in starts)


def unpacked(stream: bytes, *, bound: int) -> bytes:
    """The bytes that compressed blocks hold, at most `bound` of them; every checksum is looked at.

    Raises:
        BadRequest: a block that is cut off, damaged, of an unknown method, or more than the bound.
    """
    plain = bytearray()
    for content in _blocks(stream, bound):
        plain += content
        if len(plain) > bound:
            raise BadRequest(f"the body is larger than {bound} bytes", 307)
    return bytes(plain)


def _block(content: bytes, method: int, pack: Callable[[bytes], bytes]) -> bytes:
    squeezed = pack(content)
    body = _HEAD.pack(method, _HEAD.size + len(squeezed), len(content)) + squeezed
    return _checksum(body) + body


def _checksum(body: bytes) -> bytes:
    """The two halves of the hash, the first one first, each little-endian."""
    return b"".join(half.to_bytes(8, "little") for half in divmod(CityHash128(body), 1 << 64))


def _blocks(stream: bytes, bound: int) -> Iterator[bytes]:
    at = 0
    while at < len(stream):
        if len(stream) - at < _SUM + _HEAD.size:
            raise BadRequest("a compressed block is cut off in its head", _CANNOT_DECOMPRESS)
        method, size, size_plain = _HEAD.unpack_from(stream, at + _SUM)
        end = at + _SUM + size
        if size < _HEAD.size or end > len(stream):
            raise BadRequest("a compressed block is cut off", _CANNOT_DECOMPRESS)
        if size_plain > bound:
            raise BadRequest(f"the body is larger than {bound} bytes", 307)
        body = stream[at + _SUM : end]
        if _checksum(body) != stream[at : at + _SUM]:
            raise BadRequest("Checksum doesn't match: a compressed block is damaged", _CHECKSUM_DOESNT_MATCH)
        yield _content(method, body[_HEAD.size :], size_plain)
        at = end


def _content(method: int, squeezed: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            plain = bytes(lz4.block.decompress(squeezed, uncompressed_size=size)) if size else b""
        elif method == _ZSTD:
            plain = zstd.ZstdDecompressor().decompress(squeezed, size + 1)
        elif method == _PLAIN:
            plain = squeezed
        else:
            raise BadRequest(f"Unknown compression method {method:#x} of a block", 89)
    except (lz4.block.LZ4BlockError, zstd.ZstdError) as broken:
        raise BadRequest(f"a compressed block cannot be unpacked: {broken}", _CANNOT_DECOMPRESS) from None
    if len(plain) != size:
        raise BadRequest("a compressed block has another size than it says", _CANNOT_DECOMPRESS)
    return plain
