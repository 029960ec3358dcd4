"""Instructions in user space per unary call, by callgrind: a figure that a busy machine does not change.

`python -m tests.bench.instructions` takes a minute or two and prints the worker's and the bare relay's; with `--door
NAME` (several, or `all`) the worker's at these doors, beside chat's. It needs Debian's valgrind and nginx. What the
kernel does is not in it.
"""

import argparse
import asyncio
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench import nginx
from tests.bench.candidates import CONFIG, POOR, PRICES, Candidate
from tests.bench.doors import DOORS, at_door, prices
from tests.bench.processes import OTHER_CORE, NotReady, Running, free_port, start, wait_for_port

CONNECTIONS: Final = 32
WARM: Final = 20
"""Calls on each connection before counting: the interpreter fits its instructions to what it has met."""
COUNTED: Final = 20
_PLAIN: Final = partial(Candidate, "flyball")
# A step takes fifty times as long under valgrind: by the clock, transactions would hold fewer steps than in life.
UNHURRIED: Final = "holds: {batch_us: 10000000}\n"
PATIENCE_S: Final = 300.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.I)
_SUMMARY: Final = re.compile(r"^(?:summary|totals): (\d+)", re.M)


def main() -> None:
    """Count what is asked for, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--door", action="append", choices=[*DOORS, "all"], default=[])
    asked = parser.parse_args().door
    if asked:
        _count_doors(list(DOORS) if "all" in asked else ["chat", *(name for name in asked if name != "chat")])
    else:
        _count_relay()


def _count_doors(names: Sequence[str]) -> None:
    """Each door's figure, and its part of the first one's."""
    first = 0.0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            counted = _at_door(Path(folder), name)
        first = first or counted
        print(f"instructions per call at {name}: {counted:,.0f} ({counted / first - 1:+.1%})", flush=True)


def _at_door(folder: Path, name: str) -> float:
    upstream, port = free_port(), free_port()
    provider = nginx.start_provider(folder, upstream, OTHER_CORE, DOORS[name].answer)
    (folder / "flyball.yaml").write_text(DOORS[name].settings(port, free_port(), upstream) + UNHURRIED)
    (folder / "prices.yaml").write_text(prices())
    worker = (port, ["-m", "tests.bench.counted_worker", str(folder), str(port)])
    try:
        return asyncio.run(_counted(folder, "flyball", worker, partial(at_door, name)))
    finally:
        provider.stop()


def _count_relay() -> None:
    """Count worker and relay, and print the two figures and what lies between them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        upstream = free_port()
        provider = nginx.start_provider(folder, upstream, OTHER_CORE)
        try:
            relay = asyncio.run(_counted(folder, "relay-door", _relay(upstream)))
            flyball = asyncio.run(_counted(folder, "flyball", _worker(folder, upstream)))
        finally:
            provider.stop()
    print(f"instructions per unary call: flyball {flyball:,.0f}, relay-door {relay:,.0f}, ours {flyball - relay:,.0f}")


def _relay(upstream: int) -> tuple[int, list[str]]:
    port, url = free_port(), f"http://127.0.0.1:{upstream}"
    return port, ["-m", "tests.bench.relay", str(port), url, url, "--client=door"]


def _worker(folder: Path, upstream: int) -> tuple[int, list[str]]:
    port = free_port()
    settings = CONFIG.format(port=port, admin=free_port(), unary=upstream, stream=upstream, more="")
    (folder / "flyball.yaml").write_text(settings + UNHURRIED)
    (folder / "prices.yaml").write_text(PRICES)
    return port, ["-m", "tests.bench.counted_worker", str(folder), str(port)]


async def _counted(
    folder: Path,
    name: str,
    at: tuple[int, list[str]],
    asked: Callable[[int, str], Candidate] = _PLAIN,
) -> float:
    port, command = at
    key = "fb-bench-" + secrets.token_hex(20)
    out = folder / f"{name}.callgrind"
    running = _start(folder, name, key, [f"--callgrind-out-file={out}", sys.executable, *command])
    try:
        wait_for_port(port, running, PATIENCE_S)
        # `taskset` becomes the command it starts, and valgrind the program it looks into.
        return await _count(asked(port, key), running.process.pid, out)
    finally:
        running.stop()


def _start(folder: Path, name: str, key: str, command: Sequence[str]) -> Running:
    given = {
        "BENCH_KEY": key,
        "BENCH_POOR_KEY": key + POOR,
        "BENCH_PROVIDER_KEY": "sk-bench-" + secrets.token_hex(20),
        "PYTHONHASHSEED": "0",
    }
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", *command]
    return start(valgrind, core=OTHER_CORE, log=folder / f"{name}.log", environment={**os.environ, **given})


async def _count(candidate: Candidate, pid: int, out: Path) -> float:
    streams = [await asyncio.open_connection("127.0.0.1", candidate.port) for _ in range(CONNECTIONS)]
    request = candidate.request(streamed=False)

    async def calls(count: int) -> None:
        await asyncio.gather(*[_call(*stream, request, count) for stream in streams])

    await calls(WARM)
    _control(pid, "-i", "on")
    await calls(1)
    _control(pid, "-d", "begin")
    await calls(COUNTED)
    _control(pid, "-d", "measured")
    found = _SUMMARY.search(_dump(out).read_text())
    if found is None:
        raise NotReady(f"callgrind has left no sum in {out}")
    return int(found[1]) / (COUNTED * CONNECTIONS)


def _dump(out: Path, patience_s: float = 30.0) -> Path:
    """The second dump, once it is written."""
    path = out.with_name(f"{out.name}.2")
    until = time.monotonic() + patience_s
    while not (path.exists() and _SUMMARY.search(path.read_text())) and time.monotonic() < until:
        time.sleep(0.1)
    return path


async def _call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, count: int) -> None:
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not head.startswith(b"HTTP/1.1 200") or length is None:
            raise NotReady(f"the answer begins with {head[:300]!r}")
        await reader.readexactly(int(length[1]))


def _control(pid: int, *what: str) -> None:
    subprocess.run(["callgrind_control", *what, str(pid)], check=True, capture_output=True, timeout=PATIENCE_S)


if __name__ == "__main__":
    main()
