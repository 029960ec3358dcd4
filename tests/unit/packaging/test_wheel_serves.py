"""The wheel, installed where no checkout is, serves a call from an empty folder and records it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

Found = TypeVar("Found")


def until(ask: Callable[[], Found | None], seconds: float) -> Found:
    """Ask until there is an answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = ask()
        if found is not None:
            return found
        time.sleep(0.1)
    raise AssertionError(f"no answer within {seconds} s")


@pytest.fixture
def installed(built_wheel: Path, tmp_path: Path) -> dict[str, str]:
    """An environment in which `import proxy` finds the installed wheel."""
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*command, str(built_wheel)], check=True)
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    free = {
        f"FLYBALL_{part}": "127.0.0.1:0" for part in ("SERVER__LISTEN", "SERVER__ADMIN_LISTEN", "TELEMETRY__LISTEN")
    }
    return {**kept, **free, "PYTHONPATH": str(site), "FLYBALL_HOME": str(tmp_path / "state")}


@pytest.fixture
def serving(installed: dict[str, str], tmp_path: Path) -> Iterator[dict[str, Any]]:
    """`flyball serve` in an empty folder: its addresses, ended in order afterwards."""
    empty = tmp_path / "empty"
    empty.mkdir()
    state = Path(installed["FLYBALL_HOME"])
    log = tmp_path / "log"
    with log.open("wb") as out:
        command = [sys.executable, str(tmp_path / "site" / "bin" / "flyball"), "serve"]
        process = subprocess.Popen(command, cwd=empty, env=installed, stdout=out, stderr=out)

    def addresses() -> dict[str, Any] | None:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            found: dict[str, Any] = json.loads((state / "run" / "endpoints.json").read_text())
            return found if httpx.get(f"{found['data']}/readyz").status_code == 200 else None
        except (OSError, ValueError, KeyError, httpx.TransportError):
            return None

    yield until(addresses, 90)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, log.read_text()[-3000:]
    assert list(empty.iterdir()) == []


def test_one_call_becomes_one_row(serving: dict[str, Any], installed: dict[str, str]) -> None:
    state = Path(installed["FLYBALL_HOME"])
    key = (state / "first-key").read_text().strip()
    asked = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
    answer = httpx.post(
        f"{serving['data']}/v1/chat/completions", json=asked, headers={"authorization": f"Bearer {key}"}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    operation = answer.headers["x-flyball-operation"]
    token = (state / "admin-token").read_text().strip()

    def row() -> dict[str, Any] | None:
        url = f"{serving['admin']}/admin/v1/operations/{operation}"
        told = httpx.get(url, headers={"authorization": f"Bearer {token}"}, timeout=30)
        return told.json() if told.status_code == 200 else None

    assert operation in json.dumps(until(row, 30))


def test_what_runs_is_the_wheel(installed: dict[str, str], tmp_path: Path) -> None:
    show = "import proxy, policies; print(proxy.__file__, *policies.__path__)"
    said = subprocess.run(
        [sys.executable, "-c", show], cwd=tmp_path, env=installed, capture_output=True, text=True, check=True
    )
    package, *policies = said.stdout.split()
    assert package.startswith(str(tmp_path / "site"))
    # A folder without code is a namespace: an editable install of the checkout may add its own part behind.
    assert any(path.startswith(str(tmp_path / "site")) for path in policies)
