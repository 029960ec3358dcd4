"""A provider that streams: each event in a write of its own and stamped with the moment it was written.

`python -m tests.bench.sse_upstream PORT`. The query says how: `n` events, `gap_ms` between them (0 = back to back).
"""

import asyncio
import sys
import time
from typing import Final, cast
from urllib.parse import parse_qs, urlsplit

import uvloop

HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_bench\r\nopenai-processing-ms: 12\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
EVENT: Final = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1790000000,"model":"bench-stream",'
    b'"service_tier":"default","system_fingerprint":"t%020d","choices":[{"index":0,"delta":{"content":" governor"},'
    b'"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"Zk3PqW"}\n\n'
)
USAGE: Final = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1790000000,"model":"bench-stream",'
    b'"service_tier":"default","system_fingerprint":"x","choices":[],"usage":{"prompt_tokens":210,'
    b'"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":0}}}\n\n'
)
BACK_TO_BACK_TURN: Final = 16


def framed(event: bytes) -> bytes:
    """One event as one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(event), event)


class Provider(asyncio.Protocol):
    """One connection; requests are small and come whole or in few pieces."""

    def __init__(self) -> None:
        self._received = b""
        self._writable = asyncio.Event()
        self._writable.set()
        self._work: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def connection_lost(self, error: Exception | None) -> None:
        self._writable.set()
        for task in self._work:
            task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(rest) < length:
            return
        self._received = rest[length:]
        query = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
        count, gap_ms = int(query.get("n", ["60"])[0]), float(query.get("gap_ms", ["10"])[0])
        task = asyncio.get_running_loop().create_task(self._stream(count, gap_ms / 1000))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _stream(self, count: int, gap_s: float) -> None:
        self._transport.write(HEAD)
        for number in range(count):
            if gap_s and number:
                await asyncio.sleep(gap_s)
            elif number % BACK_TO_BACK_TURN == 0:
                await asyncio.sleep(0)
            await self._writable.wait()
            if self._transport.is_closing():
                return
            self._transport.write(framed(EVENT % time.monotonic_ns()))
        self._transport.write(framed(USAGE % (count, 210 + count)) + framed(b"data: [DONE]\n\n") + b"0\r\n\r\n")


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
