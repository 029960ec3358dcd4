"""Calls at a fixed rate whatever becomes of them: latency counts from the moment a call was due, not when it got away.

`python -m tests.bench.fixed_rate` reads `{"port", "request", "rate", "seconds"}` and writes the latencies in µs.
"""

import json
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from typing import IO, Any

from tests.bench.candidates import Candidate
from tests.bench.processes import OTHER_CORE, cpu_ns
from tests.bench.saturation import Unsound

WARM_UP = 50


@dataclass(frozen=True)
class FixedRate:
    """One run. Times in microseconds."""

    p50_us: float
    p99_us: float
    cpu_us_per_call: float


def run(candidate: Candidate, rate: int, seconds: float) -> FixedRate:
    """Send at a rate from a process of its own."""
    order = {
        "port": candidate.port,
        "request": candidate.request(streamed=False).decode(),
        "rate": rate,
        "seconds": seconds,
    }
    before = cpu_ns(candidate.pids)
    latencies = in_process("tests.bench.fixed_rate", order, seconds)
    spent = cpu_ns(candidate.pids) - before
    ordered = sorted(latencies)
    return FixedRate(at(ordered, 0.5), at(ordered, 0.99), spent / 1e3 / (len(ordered) + WARM_UP))


def in_process(module: str, order: dict[str, Any], seconds: float) -> Any:
    """Run one of our own load generators on the load's core; raises Unsound with what it said when it fails."""
    running = begin(module, order, OTHER_CORE)
    return running.report(seconds + 60)


@dataclass
class Begun:
    """A process of ours at work. What it reports is long, so it goes to a file: a pipe may be read in parts."""

    module: str
    process: subprocess.Popen[bytes]
    said: IO[str]
    wrong: IO[str]

    def report(self, seconds: float) -> Any:
        """Wait for its end; the JSON that it wrote, whole."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = -1
        with self.said, self.wrong:
            self.wrong.seek(0)
            self.said.seek(0)
            complaint, text = self.wrong.read(), self.said.read()
        if status or not text.endswith("\n"):
            raise Unsound(f"{self.module} ended with {status} after {len(text)} characters: {complaint[-2000:]}")
        return json.loads(text)


def begin(module: str, order: dict[str, Any], core: int | None) -> Begun:
    """Start a module of ours with an order on its standard input, bound to a core if one is named."""
    bound = [] if core is None else ["taskset", "-c", str(core)]
    said, wrong = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115  closed by who reads them
    with tempfile.TemporaryFile("w+") as asked:
        json.dump(order, asked)
        asked.seek(0)
        command = [*bound, sys.executable, "-m", module]
        process = subprocess.Popen(command, stdin=asked, stdout=said, stderr=wrong)
    return Begun(module, process, said, wrong)


def at(ordered: list[float], part: float) -> float:
    """A quantile of sorted numbers (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class Connection:
    """One kept connection with at most one call on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self._received = b""

    def fileno(self) -> int:
        """For select."""
        return self.socket.fileno()

    def send(self, request: bytes, due: float) -> None:
        """Begin a call that was due at this moment."""
        self.due, self._received = due, b""
        self.socket.sendall(request)

    def is_done(self) -> bool:
        """Read what has come; whether the answer is whole."""
        piece = self.socket.recv(65536)
        if not piece:
            raise Unsound("the connection was closed")
        self._received += piece
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise Unsound(self._received.decode(errors="replace")[:500])
        told = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return len(body) >= int(told) if told else self._received.endswith(b"0\r\n\r\n")


def measure(port: int, request: bytes, rate: int, seconds: float) -> list[float]:
    """Latencies in µs from the intended instant, after a warm-up."""
    idle = deque([Connection(port)])
    busy: dict[int, Connection] = {}
    latencies: list[float] = []
    start, sent, total = time.perf_counter() + 0.1, 0, int(rate * seconds) + WARM_UP
    while len(latencies) < total:
        now = time.perf_counter()
        while sent < total and start + sent / rate <= now:
            connection = idle.popleft() if idle else Connection(port)
            connection.send(request, start + sent / rate)
            busy[connection.fileno()] = connection
            sent += 1
        # select, because its timeout counts microseconds; a poll's counts milliseconds.
        wait = max(0.0, start + sent / rate - time.perf_counter()) if sent < total else 10.0
        ready, _, _ = select.select(list(busy), [], [], wait)
        if not ready and sent == total:
            raise Unsound(f"{total - len(latencies)} answers never came")
        for number in ready:
            if busy[number].is_done():
                connection = busy.pop(number)
                latencies.append((time.perf_counter() - connection.due) * 1e6)
                idle.appendleft(connection)
    return latencies[WARM_UP:]


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    print(json.dumps(measure(asked["port"], asked["request"].encode(), asked["rate"], asked["seconds"])))
