"""How bytes travel: HTTP content codings (gzip, deflate, lz4 frames, zstd) and ClickHouse's own blocks, bounded."""

import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, cast

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from proxy.telemetry.embedded.blocks import packed, unpacked
from proxy.telemetry.embedded.native import for_revision
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
    "deflate": lambda content: zlib.compress(content, 1),
}
_WORTH_IT: Final = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Travel:
    """How a request says that bytes travel, in its query string and its headers."""

    content_encoding: str = ""
    accept_encoding: str = ""
    packs_body: bool = False
    packs_answer: str = ""
    """The method of the answer's blocks (LZ4, ZSTD, NONE); empty: no blocks."""
    revision: int = 0

    @classmethod
    def read(cls, values: Mapping[str, str], headers: Mapping[str, str]) -> "Travel":
        """What `compress`, `decompress`, `client_protocol_version`, `enable_http_compression` and the headers ask for.

        Raises:
            BadRequest: a protocol version that is no number.
        """
        version = values.get("client_protocol_version", "0")
        if not (version.isascii() and version.isdigit()):
            raise BadRequest(f"client_protocol_version must be a number, not {version[:40]!r}")
        method = values.get("network_compression_method", "LZ4") if values.get("compress") == "1" else ""
        codes = values.get("enable_http_compression", "1") != "0" and not method
        return cls(
            content_encoding=headers.get("content-encoding", ""),
            accept_encoding=headers.get("accept-encoding", "") if codes else "",
            packs_body=values.get("decompress") == "1",
            packs_answer=method,
            revision=int(version),
        )

    @property
    def changes_body(self) -> bool:
        """Whether a body is another one after `body`."""
        return self.packs_body or bool(self.content_encoding)

    def body(self, content: bytes, *, bound: int) -> bytes:
        """A request's body as it was before it travelled.

        Raises:
            BadRequest: as `inflated` and `unpacked`.
        """
        plain = inflated(content, self.content_encoding, bound=bound)
        return unpacked(plain, bound=bound) if self.packs_body else plain

    def answer(self, content: bytes, form: str | None) -> tuple[bytes, str | None]:
        """An answer ready to travel, and its content coding.

        Raises:
            BadRequest: what this client's native blocks cannot carry, or an unknown method.
        """
        if form == "Native":
            content = for_revision(content, self.revision)
        if self.packs_answer:
            return packed(content, self.packs_answer), None
        return deflated(content, self.accept_encoding)


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
