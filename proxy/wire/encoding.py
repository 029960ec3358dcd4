"""Inflates a content-encoded body piece by piece, for reading only: what is forwarded stays as it came."""

import sys
import zlib
from typing import Final, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_INFLATED_BYTES: Final = 64 * 1024 * 1024
"""No answer worth reading is larger; a small body that inflates to more is an attack on our memory."""

KNOWN_ENCODINGS: Final = frozenset({"identity", "gzip", "x-gzip", "deflate", "zstd"})
"""What can be read. An upstream that is asked for another encoding tells its usage to nobody."""

_PIECE: Final = 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
_GZIP_MARK: Final = b"\x1f"
# RFC 8878 §3.1.1.1.2: 8 MB is what every reader must take, and more need not be.
_ZSTD_WINDOW_LOG: Final = 23


def readable(accept_encoding: bytes) -> bytes:
    """A client's accept-encoding without what cannot be read here; `identity` when nothing is left of it."""
    kept = [choice.strip() for choice in accept_encoding.split(b",") if _name(choice) in KNOWN_ENCODINGS]
    return b", ".join(kept) or b"identity"


def _name(choice: bytes) -> str:
    return choice.partition(b";")[0].strip().lower().decode("latin-1")


class _Codec(Protocol):
    def take(self, data: bytes, room: int) -> bytes:
        """Inflate at most `room` bytes more; raises what the library raises."""
        ...


class Inflater:
    """One body's inflater. `known` is False for an encoding that cannot be read: then nothing comes out.

    `broken`: the bytes were not of that encoding; `overflow`: there was more than `max_bytes`. After either,
    nothing more comes out. `feed` never raises.
    """

    __slots__ = ("_codec", "_room", "broken", "known", "overflow")

    def __init__(self, content_encoding: str | None, *, max_bytes: int = MAX_INFLATED_BYTES) -> None:
        name = (content_encoding or "identity").strip().lower() or "identity"
        self.known = name in KNOWN_ENCODINGS
        self.broken = False
        self.overflow = False
        self._room = max_bytes
        self._codec = _codec(name)

    def feed(self, data: bytes) -> bytes:
        """What these bytes inflate to."""
        if not self.known or self.broken or self.overflow:
            return b""
        try:
            inflated = self._codec.take(data, self._room + 1)
        except (zlib.error, zstd.ZstdError, EOFError):
            self.broken = True
            return b""
        if len(inflated) > self._room:
            self.overflow = True
            inflated = inflated[: self._room]
        self._room -= len(inflated)
        return inflated

    def close(self) -> bytes:
        """Nothing is held back, so nothing is left; the bound and the codec's memory are given up."""
        self._codec = _Identity()
        return b""


class _Identity:
    def take(self, data: bytes, room: int) -> bytes:
        return data[:room]


class _Zlib:
    """gzip, several members in a row too; and `deflate`, which some servers send without the zlib wrapper."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._head = b""
        self._inflate = zlib.decompressobj(_GZIP) if gzip else None

    def take(self, data: bytes, room: int) -> bytes:
        if self._inflate is None:
            self._head += data
            if len(self._head) < 2:
                return b""
            data = self._head
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if _is_zlib(data) else -zlib.MAX_WBITS)
        return self._members(data, room)

    def _members(self, data: bytes, room: int) -> bytes:
        pieces: list[bytes] = []
        while room > 0:
            if self._inflate is None or self._inflate.eof:
                if not self._gzip or not data.startswith(_GZIP_MARK):
                    # Padding, or something else after the end: not a part of the body.
                    break
                self._inflate = zlib.decompressobj(_GZIP)
            wanted = min(room, _PIECE)
            piece = self._inflate.decompress(data, wanted)
            pieces.append(piece)
            room -= len(piece)
            data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if not data and len(piece) < wanted:
                break
        return b"".join(pieces)


def _is_zlib(head: bytes) -> bool:
    return head[0] & 0x0F == 8 and (head[0] << 8 | head[1]) % 31 == 0


class _Zstd:
    """Zstandard, several frames in a row too."""

    def __init__(self) -> None:
        self._inflate = _zstd_frame()

    def take(self, data: bytes, room: int) -> bytes:
        pieces: list[bytes] = []
        while room > 0:
            if self._inflate.eof:
                if not data:
                    break
                self._inflate = _zstd_frame()
            piece = self._inflate.decompress(data, min(room, _PIECE))
            pieces.append(piece)
            room -= len(piece)
            data = self._inflate.unused_data if self._inflate.eof else b""
            if not self._inflate.eof and self._inflate.needs_input:
                break
        return b"".join(pieces)


def _zstd_frame() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


def _codec(name: str) -> _Codec:
    if name in ("gzip", "x-gzip"):
        return _Zlib(gzip=True)
    if name == "deflate":
        return _Zlib(gzip=False)
    if name == "zstd":
        return _Zstd()
    return _Identity()
