"""An upstream that answers each request as it was told to, in pieces cut where a test wants them."""

import asyncio
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

KEY: Final = "idempotency-key"
"""The header by which an answer is found: clients send it, Flyball passes it on."""

_FEW: Final = 32
_GAP_S: Final = 0.002


@dataclass(frozen=True, kw_only=True)
class Told:
    """One answer: `pieces` are written one by one. None of the framing headers are to be among `headers`."""

    status: int
    headers: Mapping[str, str]
    pieces: tuple[bytes, ...]
    chunked: bool


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header by its lower-case name."""
        return next((value for held, value in self.headers if held == name), None)


@dataclass
class ReplayingUpstream:
    """An HTTP/1.1 server in a thread, for as long as the `with` lasts; `asked` holds requests by their key."""

    answers: dict[str, Told] = field(default_factory=dict)
    asked: dict[str, list[Asked]] = field(default_factory=dict)
    url: str = ""

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="replaying", daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0, backlog=512)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                asked = await _read(reader)
                key = asked.header(KEY) or ""
                self.asked.setdefault(key, []).append(asked)
                await _answer(writer, self.answers[key])
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head[:-4].split("\r\n")
    method, target, _ = line.split(" ")
    pairs = [each.partition(":") for each in rest]
    headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
    length = int(dict(headers).get("content-length", "0"))
    return Asked(method=method, target=target, headers=headers, body=await reader.readexactly(length))


async def _answer(writer: asyncio.StreamWriter, told: Told) -> None:
    size = sum(map(len, told.pieces))
    framing = "transfer-encoding: chunked" if told.chunked else f"content-length: {size}"
    lines = [f"HTTP/1.1 {told.status} Said", framing, *(f"{name}: {value}" for name, value in told.headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    gap_s = _GAP_S if len(told.pieces) <= _FEW else 0.0
    for piece in told.pieces:
        # Given up between pieces, so that they arrive apart and not as one read.
        await asyncio.sleep(gap_s)
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if told.chunked else piece)
        await writer.drain()
    if told.chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()
