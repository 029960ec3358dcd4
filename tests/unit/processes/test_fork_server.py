"""What the fork server starts is a child of the supervisor with the descriptors it was given, and no others."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from proxy.processes.folder import StateFolder

# In an interpreter of its own: the tests' has threads, and would become the parent of others' processes.
PROGRAM = """
import asyncio, json, logging, os, signal, sys
from pathlib import Path
from proxy.processes.fork_server import ForkServer

async def told(forks, home, is_killed):
    if is_killed:
        os.kill(forks._pid, signal.SIGKILL)
    alive_read, alive_write = os.pipe()
    ready_read, ready_write = os.pipe()
    arguments = ["sim", f"--home={home}", f"--alive-fd={alive_read}", f"--ready-fd={ready_write}"]
    running = await forks.launch(arguments, [alive_read, ready_write])
    os.close(ready_write)
    pid = json.loads(await asyncio.to_thread(os.read, ready_read, 1000))["pid"]
    of = Path(f"/proc/{pid}")
    alive = os.readlink(f"/proc/self/fd/{alive_read}")
    pipes = [entry.name for entry in (of / "fd").iterdir() if os.readlink(entry) == alive]
    found = {
        "is_ours": int((of / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid(),
        "name": (of / "comm").read_text().strip(),
        "same_numbers": pipes == [str(alive_read)],
        "has_others": any(os.readlink(entry) == os.devnull for entry in (of / "fd").iterdir() if int(entry.name) > 2),
        "session": os.getsid(pid) == pid,
    }
    running.send_signal(signal.SIGKILL)
    found["status"] = await running.wait()
    wrong = await forks.launch(["no-such-role"], [])
    found["wrong"] = await wrong.wait()
    return found

logging.basicConfig(stream=sys.stderr)
opened_before = open(os.devnull)
forks = ForkServer.begin()
found = asyncio.run(told(forks, sys.argv[1], sys.argv[2] == "killed"))
forks.close()
print(json.dumps(found))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state folder with a configuration that was taken."""
    folder = StateFolder(tmp_path)
    folder.make()
    folder.take_config("")
    return tmp_path


def run(home: Path, server: str) -> tuple[dict[str, Any], str]:
    """What became of a process, and what was logged."""
    command = [sys.executable, "-c", PROGRAM, str(home), server]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found, done.stderr


def test_what_it_forks_is_the_supervisors_child_with_its_descriptors(home: Path) -> None:
    found, said = run(home, "living")
    assert found == {
        "is_ours": True,
        "name": "flyball-sim",
        "same_numbers": True,
        "has_others": False,
        "session": True,
        "status": -9,
        "wrong": 2,
    }
    assert "forked" not in said


def test_processes_are_started_without_it_once_it_is_gone(home: Path) -> None:
    found, said = run(home, "killed")
    assert (found["is_ours"], found["same_numbers"], found["status"], found["wrong"]) == (True, True, -9, 2)
    assert said.count("cannot be forked any more") == 1
