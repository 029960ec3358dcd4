"""A real hour of calls over three targets in virtual time: the whole of a worker but its sockets."""

import asyncio
import csv
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from proxy.routing import Health, HealthSettings
from proxy.upstream import UpstreamFailed, UpstreamRequest
from tests.harness.one_worker import DONE, EVENT, STREAM_HEADERS, Client, chat, one_worker
from tests.harness.recordings import REPOSITORY
from tests.harness.virtual_time import VirtualClock, VirtualLoop, run_at_once

TRACES: Final = Path(os.environ.get("FLYBALL_TRACES", REPOSITORY.parent / "shared" / "traces"))
START: Final = datetime(2026, 11, 30, tzinfo=UTC)
TARGETS: Final = ("a", "b", "c")
SLOW: Final = "b"
FAILING: Final = "a"
_STAMP_CHARS: Final = 26


class Asked(NamedTuple):
    """A call of the trace: when it comes, in seconds from the first one on, and how many tokens its answer has."""

    at_s: float
    tokens: int


class Sent(NamedTuple):
    """A request to a target, and how it ended."""

    target: str
    at_s: float
    good: bool
    under_way: int
    """How many others the target had at that moment."""


@dataclass
class Answered:
    """One call as its client saw it."""

    asked: Asked
    status: int = 0
    first_s: float = 0.0
    took_s: float = 0.0
    is_whole: bool = False


@dataclass
class Hour:
    """What became of all calls, in their order, and of all requests."""

    calls: list[Answered] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


def trace(seconds: float) -> list[Asked]:
    """The beginning of the hour; empty where it is not there."""
    found: list[Asked] = []
    for path in TRACES.glob("azure_llm_2023_conv.csv"):
        with path.open() as file:
            for row in csv.DictReader(file):
                at_s = datetime.fromisoformat(row["TIMESTAMP"][:_STAMP_CHARS]).timestamp()
                found.append(Asked(at_s, int(row["GeneratedTokens"])))
    begins = found[0].at_s if found else 0.0
    return [each._replace(at_s=each.at_s - begins) for each in found if each.at_s - begins < seconds]


class _Stream:
    """An answer: one event after `first_s`, the rest after `rest_s` more."""

    status = 200

    def __init__(self, tokens: int, rest_s: float, over: Callable[[], None]) -> None:
        self.headers = list(STREAM_HEADERS)
        told = {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens}
        self._usage = b"data: " + json.dumps({"id": "c", "choices": [], "usage": told}).encode() + b"\n\n"
        self._rest_s = rest_s
        self._over: Callable[[], None] | None = over
        self._at = 0

    async def chunk(self) -> bytes | None:
        self._at += 1
        if self._at == 1:
            return EVENT
        if self._at == 2:
            await asyncio.sleep(self._rest_s)
            return EVENT + self._usage + DONE
        self.abort()
        return None

    def abort(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over()

    async def close(self) -> None:
        self.abort()


class _Refusal(_Stream):
    """A 503."""

    status = 503

    async def chunk(self) -> bytes | None:
        self._at += 1
        if self._at == 1:
            return b'{"error": {"message": "no", "type": "server_error"}}'
        self.abort()
        return None


class Fleet:
    """The three targets: how fast each is with a call hangs on the call alone, so that two runs can be compared."""

    def __init__(self, hour: Hour, loop: VirtualLoop, fails: Callable[[str, float], bool]) -> None:
        self._hour = hour
        self._loop = loop
        self._fails = fails
        self._under_way = dict.fromkeys(TARGETS, 0)

    async def send(self, request: UpstreamRequest) -> _Stream:
        target, at_s = request.provider.name, self._loop.time()
        number = int(dict(request.headers)[b"idempotency-key"])
        asked = self._hour.calls[number].asked
        fails = self._fails(target, at_s)
        self._hour.sent.append(Sent(target, at_s, not fails, self._under_way[target]))
        chance = Random(hashlib.sha256(f"{number} {target}".encode()).digest())
        self._under_way[target] += 1

        def over() -> None:
            self._under_way[target] -= 1

        if fails:
            await asyncio.sleep(0.05)
            if number % 2:
                over()
                raise UpstreamFailed("reset", "gone", sent=True)
            refusal = _Refusal(0, 0.0, over)
            refusal.headers = [(b"content-type", b"application/json")]
            return refusal
        slower = 6.0 if target == SLOW else 1.0
        await asyncio.sleep(slower * 0.3 * chance.lognormvariate(0.0, 0.4))
        return _Stream(asked.tokens, slower * asked.tokens / 80, over)

    async def close(self) -> None:
        """Nothing is open."""


def config(strategy: str) -> str:
    """One route of three."""
    targets = ", ".join(f"{{provider: {name}}}" for name in TARGETS)
    providers = ", ".join(f'{name}: {{base_url: "http://127.0.0.1:9/{name}"}}' for name in TARGETS)
    return f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}}
providers: {{{providers}}}
routes: [{{model: m, strategy: {strategy}, targets: [{targets}]}}]
prices: {{overlay: prices.yaml}}
tenants: [{{org: acme, teams: [{{team: support, keys: [{{name: bot, key_env: BOT_KEY}}]}}]}}]
"""


class _Caller(Client):
    """A client that notes when what comes."""

    def __init__(self, number: int, call: Answered, loop: VirtualLoop) -> None:
        super().__init__(chat(stream=True), headers=[(b"idempotency-key", b"%d" % number)])
        self._call = call
        self._loop = loop
        self._asked_s = loop.time()

    async def send(self, message: Any) -> None:
        await super().send(message)
        call, after_s = self._call, self._loop.time() - self._asked_s
        if message["type"] == "http.response.start":
            call.status = message["status"]
        elif message["body"] and not call.first_s:
            call.first_s = after_s
        call.took_s = after_s
        call.is_whole = DONE in self.text


def simulated(folder: Path, calls: list[Asked], fails: Callable[[str, float], bool], strategy: str = "fastest") -> Hour:
    """What became of these calls."""
    hour = Hour([Answered(each) for each in calls])

    async def work(loop: VirtualLoop) -> None:
        with one_worker(folder, config(strategy)) as house:
            rooms = house.rooms
            rooms.clock = clock = VirtualClock(loop, START)
            rooms.health = Health(HealthSettings(), clock, Random(1))
            rooms.transport = Fleet(hour, loop, fails)
            async with asyncio.TaskGroup() as under_way:
                for number, call in enumerate(hour.calls):
                    await asyncio.sleep(call.asked.at_s - loop.time())
                    caller = _Caller(number, call, loop)
                    under_way.create_task(house.parts.port(caller.scope, caller.receive, caller.send))
            await house.parts.ledger.close()
            hour.rows = house.rows()

    run_at_once(work)
    return hour
