"""The client's end of a call, over ASGI."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from proxy.core.refusal import Refusal, Refused
from proxy.edge.lean_head import cycle_of, write_head, write_part, write_whole
from proxy.journey.call import Headers, UploadExchange

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class AsgiExchange:
    """Reads the request body within a bound and writes the answer; knows when the client has hung up.

    Writing waits while the server's buffer (64 KB) is full, so that a slow client slows the upstream.
    """

    def __init__(
        self, receive: Receive, send: Send, headers: dict[bytes, bytes], max_body_bytes: int, max_upload_bytes: int = 0
    ) -> None:
        self.started = False
        self._receive = receive
        self._send = send
        self._headers = headers
        self._max_body_bytes = max_body_bytes
        self._max_upload_bytes = max(max_body_bytes, max_upload_bytes)
        self._gone = False
        self._watcher: asyncio.Task[None] | None = None
        self._cycle = cycle_of(receive)
        self._when_gone: Callable[[], None] | None = None

    async def body(self) -> bytes:
        """The whole request body, refused as soon as it is known to be too large."""
        self._refuse_encoded()
        declared = self._headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_body_bytes:
            raise self._too_large(self._max_body_bytes, "max_body_bytes")
        message = await self._receive()
        first = self._part(message)
        if not message.get("more_body"):
            return first
        parts, size = [first], len(first)
        while message.get("more_body"):
            message = await self._receive()
            parts.append(self._part(message))
            size += len(parts[-1])
            if size > self._max_body_bytes:
                raise self._too_large(self._max_body_bytes, "max_body_bytes")
        return b"".join(parts)

    async def parts(self) -> AsyncIterator[bytes]:
        """The request body as it comes, refused as soon as it is known to be too large; it may be compressed."""
        declared = self._headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_upload_bytes:
            raise self._too_large(self._max_upload_bytes, "max_upload_bytes")
        size, more = 0, True
        while more:
            message = await self._receive()
            part = self._part(message)
            more = bool(message.get("more_body"))
            size += len(part)
            if size > self._max_upload_bytes:
                raise self._too_large(self._max_upload_bytes, "max_upload_bytes")
            if part:
                yield part

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status line and headers."""
        self.started = True
        if self._cycle is None or not write_head(self._cycle, status, headers):
            await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer; `headers` tell the body's length."""
        self.started = True
        if self._cycle is None or not write_whole(self._cycle, status, headers, body):
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            await self._send({"type": "http.response.body", "body": body, "more_body": False})

    def write(self, chunk: bytes) -> bool:
        """Send a part of the body if the client takes it at once; false, with nothing done, where `send` must wait."""
        return self._cycle is not None and write_part(self._cycle, chunk)

    async def send(self, chunk: bytes) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def finish(self, chunk: bytes = b"") -> None:
        """Send the last part of the body."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": False})

    def gone(self) -> bool:
        """Whether the client has hung up, found out without waiting."""
        if not self._gone and self._watcher is None:
            cycle = self._cycle
            self._gone = cycle.disconnected if cycle is not None else _would_disconnect(self._receive)
        return self._gone

    def watch(self, when_gone: Callable[[], None]) -> None:
        """Call this once when the client hangs up, instead of what was to be called before."""
        self._when_gone = when_gone
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._wait_for_the_end())
        elif self._gone:
            when_gone()

    def close(self) -> None:
        """End the watch; to be called when the call is over."""
        if self._watcher is not None:
            self._watcher.cancel()

    async def _wait_for_the_end(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        if self._when_gone is not None:
            self._when_gone()

    def _part(self, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            self._gone = True
            raise Refused(Refusal.INVALID_REQUEST, "The client hung up before its request was complete.")
        part: bytes = message.get("body", b"")
        return part

    def _refuse_encoded(self) -> None:
        encoding = self._headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"", b"identity"):
            raise Refused(
                Refusal.INVALID_REQUEST,
                "Compressed request bodies are not read; send the body without content-encoding.",
                param="content-encoding",
            )

    def _too_large(self, most: int, name: str) -> Refused:
        return Refused(
            Refusal.REQUEST_TOO_LARGE,
            f"The request body is larger than {most} bytes (server.{name}).",
            facts={name: most},
        )


def _would_disconnect(receive: Receive) -> bool:
    """Step `receive` once: a server that knows of a disconnect answers at once, any other answer would have to wait."""
    waiting = receive()
    step = waiting.__await__()
    try:
        next(step)
    except StopIteration as answered:
        return bool(answered.value["type"] == "http.disconnect")
    finally:
        if hasattr(step, "close"):
            step.close()
    return False


_: type[UploadExchange] = AsgiExchange
