"""Realtime sessions in this process: a scripted provider behind the real data port, and a client as uvicorn has it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.upstream import Closed, HandshakeRefused, Message, SocketRequest, UpstreamFailed
from tests.harness.one_worker import KEY, OneWorker

PATIENCE_S: Final = 20.0


def created(**more: Any) -> str:
    """The first event of a session."""
    return json.dumps({"type": "session.created", "session": {"model": "m", "tools": [], **more}})


def usage(
    text_in: int, audio_in: int, text_out: int, audio_out: int, *, cached: int = 0, cached_audio: int = 0
) -> dict[str, Any]:
    """A response's usage object, as the provider writes it."""
    return {
        "total_tokens": text_in + audio_in + text_out + audio_out,
        "input_tokens": text_in + audio_in,
        "output_tokens": text_out + audio_out,
        "input_token_details": {
            "text_tokens": text_in,
            "audio_tokens": audio_in,
            "cached_tokens": cached,
            "cached_tokens_details": {"text_tokens": cached - cached_audio, "audio_tokens": cached_audio},
        },
        "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
    }


def done(number: int, told: dict[str, Any] | None, *output: dict[str, Any], status: str = "completed") -> str:
    """The end of a response."""
    response = {"id": f"resp_{number}", "status": status, "output": list(output), "usage": told}
    return json.dumps({"type": "response.done", "response": response})


def begun(number: int) -> str:
    """The beginning of a response."""
    return json.dumps({"type": "response.created", "response": {"id": f"resp_{number}", "status": "in_progress"}})


CREATE: Final = json.dumps({"type": "response.create"})


class Provider:
    """A session at a provider: what it is asked is kept, what it says is what a test lets it say."""

    def __init__(self) -> None:
        self.subprotocol: str | None = None
        self.headers: list[tuple[bytes, bytes]] = [(b"x-request-id", b"req_1")]
        self.heard: list[Message] = []
        self.closed: tuple[int, str] | None = None
        self.aborted = False
        self.request: SocketRequest | None = None
        self.opened = asyncio.Event()
        self._says: asyncio.Queue[Message | Closed] = asyncio.Queue()
        self._news = asyncio.Event()

    async def open(self, request: SocketRequest) -> "Provider":
        """Let it in."""
        self.request = request
        self.opened.set()
        return self

    def say(self, *messages: Message | Closed) -> None:
        """Say something, or end it."""
        for message in messages:
            self._says.put_nowait(message)

    async def heard_of(self, count: int) -> list[Message]:
        """What it was sent, once it is so much."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()
        return self.heard

    async def receive(self) -> Message | Closed:
        """What it says next."""
        if self.aborted:
            return Closed(1006)
        return await self._says.get()

    async def send(self, message: Message) -> None:
        """What it is told."""
        if self.aborted:
            raise UpstreamFailed("reset", "aborted", sent=True)
        self.heard.append(message)
        self._news.set()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """We close it."""
        self.closed = (code, reason)

    def abort(self) -> None:
        """We drop it."""
        self.aborted = True


class Refusing:
    """A provider that lets nobody in."""

    def __init__(self, error: HandshakeRefused | UpstreamFailed) -> None:
        self._error = error

    async def open(self, request: SocketRequest) -> Provider:
        """No."""
        raise self._error


@dataclass
class Caller:
    """A client's end; `came` is what it was sent, in order."""

    query: bytes = b"model=m"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    key: str = KEY
    subprotocols: tuple[str, ...] = ()
    came: list[dict[str, Any]] = field(default_factory=list)
    _says: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def scope(self) -> dict[str, Any]:
        """The ASGI scope of its handshake."""
        key = [(b"authorization", f"Bearer {self.key}".encode())] if self.key else []
        return {
            "type": "websocket",
            "http_version": "1.1",
            "raw_path": b"/v1/realtime",
            "query_string": self.query,
            "headers": [(b"host", b"localhost"), *key, *self.headers],
            "subprotocols": list(self.subprotocols),
        }

    def say(self, *messages: Message) -> None:
        """Send something."""
        for message in messages:
            kind = "text" if isinstance(message, str) else "bytes"
            self._says.put_nowait({"type": "websocket.receive", kind: message})

    def leave(self, code: int = 1000) -> None:
        """Go."""
        self._says.put_nowait({"type": "websocket.disconnect", "code": code})

    async def receive(self) -> dict[str, Any]:
        """What uvicorn hands over."""
        return await self._says.get()

    async def send(self, message: Any) -> None:
        """What it is sent."""
        self.came.append(dict(message))
        self._news.set()

    async def got(self, count: int) -> list[Message]:
        """The messages that came, once there are so many."""
        await self.until(lambda: len(self.messages) >= count)
        return self.messages

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait until what came makes this true."""
        async with asyncio.timeout(PATIENCE_S):
            while not there():
                self._news.clear()
                await self._news.wait()

    @property
    def messages(self) -> list[Message]:
        """The messages that came."""
        sent = [each for each in self.came if each["type"] == "websocket.send"]
        return [each["text"] if "text" in each else each["bytes"] for each in sent]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events among them."""
        return [json.loads(each) for each in self.messages if isinstance(each, str)]

    @property
    def closed(self) -> tuple[int, str] | None:
        """How it was closed, None while it was not."""
        ends = [each for each in self.came if each["type"] == "websocket.close"]
        return (ends[0]["code"], ends[0]["reason"]) if ends else None

    @property
    def refused(self) -> tuple[int, dict[str, Any]]:
        """The status and body that its handshake was answered with."""
        start, body = self.came[0], self.came[1]
        return start["status"], json.loads(body["body"])


def begin(house: OneWorker, caller: Caller, provider: Any) -> "asyncio.Task[None]":
    """Open a session; the task ends with it."""
    house.rooms.sockets = provider
    return asyncio.ensure_future(_through(house, caller))


async def _through(house: OneWorker, caller: Caller) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await house.parts.port(caller.scope, caller.receive, caller.send)
