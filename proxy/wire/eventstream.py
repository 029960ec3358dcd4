"""application/vnd.amazon.eventstream: bytes in, whole frames out however they are split; nothing here waits.

A frame is a prelude (length of all, length of the headers, CRC-32 of these eight bytes), headers, a payload, and the
CRC-32 of everything before it; numbers are big-endian. Source: AWS's event stream encoding, and recorded streams.
"""

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple
from zlib import crc32

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""The most that AWS's own decoders take; one of a model is a few hundred bytes."""
MAX_HEADER_BYTES: Final = 128 * 1024

_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_LEAST: Final = _PRELUDE.size + _CRC.size
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Type of a header's value → its bytes: true, false, byte, short, int, long, time, UUID."""
_BYTES: Final = 6
_STRING: Final = 7


class BadFrame(Exception):
    """The stream is none, is damaged, or a frame outgrew its bound. `frames` are the whole ones before it; the rest is
    had from `close`."""

    def __init__(self, why: str, frames: list[bytes]) -> None:
        super().__init__(why)
        self.frames = frames


class Frame(NamedTuple):
    """What a frame says: its headers that are strings, by name, and its payload."""

    headers: Mapping[str, str]
    payload: bytes

    @property
    def event(self) -> str:
        """The event's name, empty for an error or an exception."""
        return self.headers.get(":event-type", "")

    @property
    def error(self) -> str:
        """The name of what went wrong, empty for an event."""
        return self.headers.get(":exception-type") or self.headers.get(":error-code", "")


class FrameSplitter:
    """Cuts a stream into raw frames, each with its checksums looked at."""

    __slots__ = ("_limit", "_tail")

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._limit = max_frame_bytes
        self._tail = bytearray()

    @property
    def tail(self) -> bytes:
        """What has come of the frame that is not yet whole."""
        return bytes(self._tail)

    @property
    def is_between_frames(self) -> bool:
        """Whether all that has come is whole frames."""
        return not self._tail

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that this chunk makes whole.

        Raises:
            BadFrame: what comes next is none; feed nothing more, `close` gives what is left.
        """
        self._tail += chunk
        frames: list[bytes] = []
        at, end = 0, len(self._tail)
        while end - at >= _PRELUDE.size:
            size = self._size(at, frames)
            if end - at < size:
                break
            frame = bytes(self._tail[at : at + size])
            if crc32(frame[: -_CRC.size]) != _CRC.unpack(frame[-_CRC.size :])[0]:
                self._bad("a frame's checksum is not its own", at, frames)
            frames.append(frame)
            at += size
        del self._tail[:at]
        return frames

    def close(self) -> bytes:
        """What is left at the end of the stream: a part of a frame, or nothing."""
        rest = bytes(self._tail)
        self._tail.clear()
        return rest

    def _size(self, at: int, frames: list[bytes]) -> int:
        """The length of the frame that begins here, its prelude looked at."""
        size, header_bytes, checksum = _PRELUDE.unpack_from(self._tail, at)
        if crc32(self._tail[at : at + 8]) != checksum:
            self._bad("a frame's prelude is not what its checksum says", at, frames)
        if not _LEAST + header_bytes <= size <= self._limit or header_bytes > MAX_HEADER_BYTES:
            self._bad(f"a frame of {size} bytes with {header_bytes} of headers", at, frames)
        return int(size)

    def _bad(self, why: str, at: int, frames: list[bytes]) -> None:
        del self._tail[:at]
        raise BadFrame(why, frames)


def read_frame(frame: bytes) -> Frame | None:
    """What a whole frame says; None where it is none, or its headers cannot be read."""
    if len(frame) < _LEAST:
        return None
    size, header_bytes, _ = _PRELUDE.unpack_from(frame)
    end = _PRELUDE.size + header_bytes
    if size != len(frame) or end > size - _CRC.size:
        return None
    headers = _headers(frame, _PRELUDE.size, end)
    return None if headers is None else Frame(headers, frame[end : -_CRC.size])


def framed(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A frame of these headers, all strings, and this payload."""
    block = b"".join(_header(name, value) for name, value in headers.items())
    size = _LEAST + len(block) + len(payload)
    prelude = struct.pack(">II", size, len(block))
    begun = b"".join((prelude, _CRC.pack(crc32(prelude)), block, payload))
    return begun + _CRC.pack(crc32(begun))


def event_frame(name: str, payload: bytes) -> bytes:
    """An event whose payload is JSON."""
    return framed({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception_frame(name: str, payload: bytes) -> bytes:
    """An exception that ends a stream; SDKs raise on it."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return framed(headers, payload)


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return b"%c%b%c%b%b" % (len(key), key, _STRING, struct.pack(">H", len(text)), text)


def _headers(frame: bytes, at: int, end: int) -> dict[str, str] | None:
    found: dict[str, str] = {}
    try:
        while at < end:
            name_end = at + 1 + frame[at]
            name, kind = frame[at + 1 : name_end].decode(), frame[name_end]
            at = name_end + 1
            if kind in (_BYTES, _STRING):
                size = int.from_bytes(frame[at : at + 2])
                if kind == _STRING:
                    found[name] = frame[at + 2 : at + 2 + size].decode()
                at += 2 + size
            else:
                at += _SIZES[kind]
    except (IndexError, KeyError, UnicodeDecodeError):
        return None
    return found if at == end else None
