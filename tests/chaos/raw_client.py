"""A client of plain sockets, which can leave at any moment, politely or not."""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from tests.chaos.scene import KEY

_HEAD_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: `raw` as it stood on the wire; `ended` is how it ended, `left_at` when we left (monotonic)."""

    raw: bytes
    ended: str
    left_at: float = 0.0
    seconds: float = 0.0

    @property
    def status(self) -> int:
        """The status; 0 when there was no answer."""
        return int(self.raw[9:12]) if _HEAD_END in self.raw else 0

    @property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name."""
        lines = self.raw.partition(_HEAD_END)[0].decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def body(self) -> bytes:
        """The body without its framing, as far as it came."""
        body = self.raw.partition(_HEAD_END)[2]
        return unchunked(body)[0] if self.headers.get("transfer-encoding") == "chunked" else body

    @property
    def is_whole(self) -> bool:
        """Whether the framing says that the answer was complete."""
        if not self.status:
            return False
        body = self.raw.partition(_HEAD_END)[2]
        if self.headers.get("transfer-encoding") == "chunked":
            return unchunked(body)[1]
        return len(body) == int(self.headers.get("content-length", "-1"))


def unchunked(body: bytes) -> tuple[bytes, bool]:
    """A chunked body put together, and whether its last chunk came."""
    out, rest = b"", body
    while True:
        size, mark, rest = rest.partition(b"\r\n")
        if not mark:
            return out, False
        length = int(size, 16)
        if length == 0:
            return out, True
        out += rest[:length]
        if len(rest) < length + 2:
            return out, False
        rest = rest[length + 2 :]


@dataclass(kw_only=True)
class RawClient:
    """Makes calls on connections of their own. `refused` counts connections that were not taken at all."""

    url: str
    key: str = KEY
    refused: int = 0
    answers: list[Answer] = field(default_factory=list)

    def request(self, body: bytes, path: str = "/v1/chat/completions", **headers: str) -> bytes:
        """A request as bytes."""
        lines = [f"POST {path} HTTP/1.1", "host: flyball", f"authorization: Bearer {self.key}", "connection: close"]
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def call(
        self,
        body: bytes,
        *,
        path: str = "/v1/chat/completions",
        leave_when: Callable[[bytes], bool] | None = None,
        leave_after_s: float | None = None,
        reset: bool = False,
        seconds: float = 60.0,
        **headers: str,
    ) -> Answer:
        """One call on its own connection, to its end or until we leave it: after a time, or once something came."""
        began = time.monotonic()
        split = urlsplit(self.url)
        try:
            reader, writer = await asyncio.open_connection(split.hostname, split.port)
        except ConnectionRefusedError:
            self.refused += 1
            return Answer(raw=b"", ended="refused")
        raw, ended, left_at = b"", "clean", 0.0
        try:
            writer.write(self.request(body, path, **headers))
            async with asyncio.timeout(leave_after_s or seconds):
                while part := await reader.read(65536):
                    raw += part
                    if leave_when is not None and leave_when(raw):
                        ended = "left"
                        break
        except TimeoutError:
            ended = "left" if leave_after_s else "hangs"
        except ConnectionError:
            ended = "reset"
        finally:
            left_at = time.monotonic()
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        answer = Answer(raw=raw, ended=ended, left_at=left_at, seconds=time.monotonic() - began)
        self.answers.append(answer)
        return answer
