"""Starting processes on a core of their own, and reading from /proc what they cost."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CANDIDATE_CORE = 0
OTHER_CORE = 1


class NotReady(RuntimeError):
    """A process ended or stayed silent before it answered."""


@dataclass
class Running:
    """A started process tree; `measured` are the processes whose cost counts."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """Ask the whole group to end, then make it."""
        for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(patience)
                return
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def tree(self) -> list[int]:
        """The process and all that came of it."""
        return [self.process.pid, *_descendants(self.process.pid)]


def start(command: Sequence[str], *, core: int, log: Path, environment: Mapping[str, str] | None = None) -> Running:
    """Start a command in a group of its own, bound to one core."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    return Running(process, log)


def wait_for_port(port: int, running: Running, patience_s: float = 60.0) -> None:
    """Wait until somebody listens; raises NotReady with the end of the log."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if running.process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise NotReady(f"port {port} does not answer; {running.log}:\n{running.log.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port: int = chosen.getsockname()[1]
        return port


def pin(pids: Sequence[int], core: int) -> None:
    """Bind processes with all their threads to one core."""
    for pid in pids:
        for thread in _threads(pid):
            os.sched_setaffinity(thread, {core})


def cpu_ns(pids: Sequence[int]) -> int:
    """Nanoseconds on a CPU, of all threads, since they were started (/proc/…/schedstat)."""
    return sum(
        int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
        for pid in pids
        for thread in _threads(pid)
    )


def memory_kb(pids: Sequence[int]) -> dict[str, int]:
    """Resident and private memory in KB (/proc/…/smaps_rollup)."""
    found = {"rss": 0, "uss": 0}
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, kilobytes = line.split()[:2]
            found["rss"] += int(kilobytes) if name == "Rss:" else 0
            found["uss"] += int(kilobytes) if name.startswith("Private_") else 0
    return found


def _threads(pid: int) -> list[int]:
    return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]


def _descendants(pid: int) -> list[int]:
    children: list[int] = []
    for thread in _threads(pid):
        text = Path(f"/proc/{pid}/task/{thread}/children").read_text()
        children.extend(int(child) for child in text.split())
    return [each for child in children for each in (child, *_descendants(child))]
