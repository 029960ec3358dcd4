"""One worker's parts in this process: real ledger, spool and data port; its upstream and its client are scripted."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from proxy.app.following_reader import FollowingReader
from proxy.app.stores import Stores
from proxy.app.worker import WorkerParts
from proxy.config import load_config
from proxy.core.clock import SystemClock
from proxy.metering import preload_vocabulary
from proxy.processes.metrics import WorkerCounters
from proxy.upstream import UpstreamFailed, UpstreamRequest

KEY: Final = "fb-one-worker-key-0123456789-abcdef"
WORKER: Final = "wrk_one"
JSON_HEADERS: Final = [(b"content-type", b"application/json")]
STREAM_HEADERS: Final = [(b"content-type", b"text/event-stream")]
EVENT: Final = (
    b'data: {"id":"c","object":"chat.completion.chunk","model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
)
DONE: Final = b"data: [DONE]\n\n"
PRICES: Final = """
models:
  m: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
  cheap: {input_usd_per_mtok: 1, output_usd_per_mtok: 10, since: 2026-01-01, source: test}
  embed: {input_usd_per_mtok: 10, output_usd_per_mtok: 0, max_input_tokens: 100, since: 2026-01-01, source: test}
"""
Item: TypeAlias = bytes | UpstreamFailed | Callable[[], Awaitable[None]]


def config(provider: str = "", more: str = "", budget: str = "limit_usd: 1000") -> str:
    """Three models at one provider, one key, one hard budget on the key."""
    return f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}}
providers: {{up: {{base_url: "http://127.0.0.1:9/v1", {provider}}}}}
routes: [{{model: m, targets: [{{provider: up}}]}}, {{model: cheap, targets: [{{provider: up}}]}},
  {{model: embed, targets: [{{provider: up}}]}}]
prices: {{overlay: prices.yaml}}
tenants: [{{org: acme, teams: [{{team: support, keys: [{{name: bot, key_env: BOT_KEY}}]}}]}}]
budgets: [{{name: own, scope: "key:acme/support/bot", window: total, hard: true, {budget}}}]
{more}
"""


class Answer:
    """An upstream's answer: bytes are handed out, a failure is raised, anything else is awaited."""

    def __init__(self, *script: Item, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.status = status
        self.headers = list(STREAM_HEADERS if headers is None else headers)
        self.is_over = False
        self.aborted = asyncio.Event()
        self._script = list(script)

    async def chunk(self) -> bytes | None:
        """The next thing of the script."""
        while self._script and not self.aborted.is_set():
            item = self._script.pop(0)
            if isinstance(item, bytes):
                return item
            if isinstance(item, UpstreamFailed):
                self.is_over = True
                raise item
            await self._unless_aborted(item())
        if self.aborted.is_set():
            raise UpstreamFailed("aborted", "by us", sent=True)
        self.is_over = True
        return None

    def abort(self) -> None:
        """Dropped by us."""
        if not self.is_over:
            self.aborted.set()

    async def close(self) -> None:
        """Done with."""
        self.abort()

    async def _unless_aborted(self, waiting: Awaitable[None]) -> None:
        tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(self.aborted.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


class Upstream:
    """A Transport that answers with what it was given, in order."""

    def __init__(self, *answers: Answer | UpstreamFailed) -> None:
        self.answers = list(answers)
        self.seen: list[UpstreamRequest] = []

    async def send(self, request: UpstreamRequest) -> Answer:
        """The next answer."""
        self.seen.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, UpstreamFailed):
            raise answer
        return answer

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Client:
    """A client as uvicorn shows it: once its body is read, `receive` waits until it left or was answered.

    With `takes` it reads nothing of the answer's body before that.
    """

    body: bytes
    path: str = "/v1/chat/completions"
    method: str = "POST"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    takes: asyncio.Event | None = None
    query: bytes = b""
    body_parts: list[bytes | None] | None = None
    """The body in the parts it comes in, None where the client hangs up; in the place of `body`."""
    _asked: bool = False

    @property
    def scope(self) -> dict[str, Any]:
        """The call's ASGI scope."""
        own = any(name == b"x-flyball-key" for name, _ in self.headers)
        bearer = [] if own else [(b"authorization", f"Bearer {KEY}".encode())]
        given = [(b"host", b"localhost"), *bearer, *self.headers]
        return {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "raw_path": self.path.encode(),
            "query_string": self.query,
            "headers": given,
        }

    async def receive(self) -> dict[str, Any]:
        """The body, then in its time the end."""
        if self.body_parts:
            part = self.body_parts.pop(0)
            if part is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": part, "more_body": bool(self.body_parts)}
        if self.body_parts is None and not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take a part of the answer."""
        if self.gone.is_set():
            return
        self.sent.append(dict(message))
        if message["type"] == "http.response.body":
            if self.takes is not None:
                await self.takes.wait()
            if not message["more_body"]:
                self.gone.set()  # uvicorn: whoever was answered is told to be gone

    def hang_up(self) -> None:
        """Leave."""
        self.gone.set()

    @property
    def status(self) -> int:
        """The answer's status, 0 when there is none."""
        return int(self.sent[0]["status"]) if self.sent else 0

    @property
    def answered(self) -> dict[bytes, bytes]:
        """The answer's headers."""
        return dict(self.sent[0]["headers"])

    @property
    def text(self) -> bytes:
        """The answer's body as far as it came."""
        return b"".join(message["body"] for message in self.sent[1:])


class OneWorker:
    """The parts, and what they leave behind."""

    def __init__(self, parts: WorkerParts, spool: Path, state: Stores) -> None:
        self.parts = parts
        self.rooms = parts.rooms
        self._spool = spool
        self.stores = state

    async def call(self, client: Client, *answers: Answer | UpstreamFailed) -> Client:
        """One call from beginning to end."""
        self.rooms.transport = Upstream(*answers)
        await self.parts.port(client.scope, client.receive, client.send)
        return client

    def rows(self, table: str = "operations") -> list[dict[str, Any]]:
        """All rows written so far."""
        files = sorted(self._spool.glob(f"*/*.{table}.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    async def standing(self) -> tuple[int, int]:
        """Spent and held of the one budget, in nano-dollars."""
        snapshot = self.rooms.snapshot()
        lines = snapshot.budgets.lines_for(("key:acme/support/bot",), self.rooms.clock.now_ns())
        (balance,) = await self.rooms.ledger.balances(lines)
        return balance.spent, balance.held


@contextmanager
def one_worker(folder: Path, text: str = "", environment: Mapping[str, str] | None = None) -> Iterator[OneWorker]:
    """Make the parts over a fresh state folder; to be used within a running loop."""
    preload_vocabulary()
    (folder / "prices.yaml").write_text(PRICES)
    path = folder / "flyball.yaml"
    path.write_text(text or config())
    given = {"BOT_KEY": KEY, "FLYBALL_HOME": str(folder / "state"), **(environment or {})}
    loaded = replace(load_config(path, given), home=folder / "state")
    clock = SystemClock()
    stores = Stores.open(loaded, loaded.home / "ledger.sqlite", clock)
    stores.follow_file(loaded, given)
    reader = FollowingReader(loaded.settings.telemetry, loaded.home, lambda: None)
    parts = WorkerParts(loaded, stores, folder / "spool", WORKER, WorkerCounters(), reader)
    yield OneWorker(parts, folder / "spool", stores)
    if parts.rooms.semantic is not None:
        parts.rooms.semantic.close()
    parts.counter.close()
    parts.spool.close()
    stores.state.close()


async def settle_what_waits(house: OneWorker) -> None:
    """As a worker does every second: settle what could not be when it was recorded."""
    rooms = house.rooms
    for operation, due in list(rooms.unsettled.items()):
        await rooms.ledger.settle(operation, due.cost, rooms.clock.now_ns(), used=due.used)
        del rooms.unsettled[operation]
        rooms.spool.settled(operation)


def chat(*, stream: bool = False, **more: Any) -> bytes:
    """A chat request's body."""
    body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 50}
    return json.dumps({**body, **more}).encode()
