"""HTTP content codings that ClickHouse clients use: gzip, deflate, lz4 (frame) and zstd, both ways and bounded."""

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol, cast

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from proxy.telemetry.embedded.statement import BadRequest


class _Inflater(Protocol):
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


_INFLATERS: Final[Mapping[str, Callable[[], _Inflater]]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": lambda: zlib.decompressobj(),
    "lz4": lambda: cast(_Inflater, lz4.frame.LZ4FrameDecompressor()),
    "zstd": lambda: cast(_Inflater, zstd.ZstdDecompressor()),
}
_DEFLATERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "zstd": zstd.compress,
    "lz4": lz4.frame.compress,
    "gzip": lambda content: zlib.compress(content, 1, 31),
}
_WORTH_IT: Final = 1024


def inflated(content: bytes, encoding: str, *, bound: int) -> bytes:
    """A request body without its content coding, at most `bound` bytes.

    Raises:
        BadRequest: an unknown coding, a broken body, or more than the bound.
    """
    if not encoding or encoding == "identity":
        return content
    make = _INFLATERS.get(encoding)
    if make is None:
        raise BadRequest(f"Unknown content encoding {encoding[:40]!r}", 89)
    try:
        plain = make().decompress(content, bound + 1)
    except (zlib.error, zstd.ZstdError, RuntimeError, EOFError) as broken:
        raise BadRequest(f"the body is not {encoding}: {broken}", 89) from None
    if len(plain) > bound:
        raise BadRequest(f"the body is larger than {bound} bytes", 307)
    return plain


def deflated(content: bytes, accepted: str) -> tuple[bytes, str | None]:
    """An answer in the first coding the client accepts that we know, and that coding; small ones stay plain."""
    if len(content) < _WORTH_IT:
        return content, None
    for each in accepted.split(","):
        name = each.partition(";")[0].strip()
        if name in _DEFLATERS:
            return _DEFLATERS[name](content), name
    return content, None
