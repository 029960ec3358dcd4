"""Streams: time to the first event, delay of every event, cost per event; paced, or as fast as they go.

`python -m tests.bench.streams` reads an order like the one in `run` and writes `{"ttft", "transit", "events"}`.
"""

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Final, cast

import uvloop

from tests.bench.candidates import Candidate
from tests.bench.fixed_rate import at, in_process
from tests.bench.processes import cpu_ns
from tests.bench.saturation import Unsound

STAMP: Final = re.compile(rb'"system_fingerprint":"t(\d{20})"')
KEPT_BYTES: Final = 64
PATIENCE_S: Final = 40.0
"""How long the last streams may still take once all were opened."""


@dataclass(frozen=True)
class Pattern:
    """How streams come: so many a second for so long (or all at once), each of so many events so far apart."""

    streams_per_s: int
    seconds: float
    events: int
    gap_ms: int


@dataclass(frozen=True)
class Streams:
    """One run. Times in microseconds; the first event's counts from the moment the stream was due."""

    ttft_p50_us: float
    ttft_p99_us: float
    transit_p50_us: float
    transit_p99_us: float
    cpu_us_per_event: float
    events_per_s: float


def run(candidate: Candidate, pattern: Pattern) -> Streams:
    """Open streams from a process of its own."""
    query = f"?n={pattern.events}&gap_ms={pattern.gap_ms}"
    request = candidate.request(streamed=True, query=query).decode()
    order = {"port": candidate.stream_port or candidate.port, "request": request, **asdict(pattern)}
    before = cpu_ns(candidate.pids)
    found = in_process("tests.bench.streams", order, pattern.seconds + pattern.events * pattern.gap_ms / 1000)
    spent = cpu_ns(candidate.pids) - before
    ttft, transit = sorted(found["ttft"]), sorted(found["transit"])
    return Streams(
        at(ttft, 0.5), at(ttft, 0.99), at(transit, 0.5), at(transit, 0.99),
        spent / 1e3 / found["events"], found["events"] / found["took_s"],
    )  # fmt: skip


@dataclass
class Found:
    """What all streams together have shown."""

    ttft: list[float] = field(default_factory=list)
    transit: list[float] = field(default_factory=list)
    events: int = 0
    took_s: float = 0.0


class Stream(asyncio.Protocol):
    """One stream on a connection of its own."""

    def __init__(self, request: bytes, due: float, found: Found) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request, self._due, self._found = request, due, found
        self._tail, self._begun = b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if not self._begun and not (self._tail + data).startswith(b"HTTP/1.1 200"):
            self.done.set_exception(Unsound(data.decode(errors="replace")[:500]))
            self._transport.abort()
            return
        self._read(self._tail + data, now)

    def _read(self, seen: bytes, now: int) -> None:
        last = 0
        for stamp in STAMP.finditer(seen):
            if not self._begun:
                self._begun = True
                self._found.ttft.append((time.perf_counter() - self._due) * 1e6)
            self._found.transit.append((now - int(stamp.group(1))) / 1e3)
            self._found.events += 1
            last = stamp.end()
        self._tail = seen[last:] if not self._begun else seen[max(last, len(seen) - KEPT_BYTES) :]
        if b"[DONE]" in seen and not self.done.done():
            self.done.set_result(None)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(Unsound(f"a stream broke off: {error}"))


async def measure(port: int, request: bytes, pattern: Pattern) -> Found:
    """Open every stream at its moment and wait for them all."""
    loop, found, streams = asyncio.get_running_loop(), Found(), []
    start, total = time.perf_counter() + 0.1, max(1, int(pattern.streams_per_s * pattern.seconds))
    for number in range(total):
        due = start + (number / pattern.streams_per_s if pattern.gap_ms else 0.0)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        # uvloop's clock counts milliseconds: what it wakes too late is not the candidate's doing.
        moment = max(due, time.perf_counter())
        _, stream = await loop.create_connection(partial(Stream, request, moment, found), "127.0.0.1", port)
        streams.append(stream.done)
    ended, unfinished = await asyncio.wait(streams, timeout=PATIENCE_S)
    if unfinished:
        raise Unsound(f"{len(unfinished)} of {total} streams did not end; {found.events} events came in all")
    for end in ended:
        end.result()
    found.took_s = time.perf_counter() - start
    return found


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    port, text = asked.pop("port"), asked.pop("request")
    print(json.dumps(asdict(uvloop.run(measure(port, text.encode(), Pattern(**asked))))))
