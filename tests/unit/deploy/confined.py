"""Serves once from within a namespace without network but loopback: starts, makes one call, ends; prints what came.

Its argument is a folder that may be written. Run by test_confined.py.
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_STARTED_S = 150


def main() -> None:
    """Print one line of JSON: where else could be reached and written, what was answered, and the exit status."""
    home = Path(sys.argv[1])
    told: dict[str, Any] = {"writable": _writable(), "reached": _reached()}
    with subprocess.Popen([sys.executable, "-m", "proxy", "serve"], stdout=subprocess.DEVNULL) as serving:
        try:
            url = _ready(home, serving)
            told["answer"] = _call(url, (home / "first-key").read_text().strip())
            told["rows"] = _rows(home)
        finally:
            serving.terminate()
        told["status"] = serving.wait(60)
    print(json.dumps(told))  # noqa: T201  # for who runs it


def _writable() -> bool:
    try:
        Path("/flyball-was-here").write_text("")
    except OSError:
        return False
    return True


def _reached() -> bool:
    """Whether any way out is there: the documentation's own addresses, so that nobody is asked."""
    try:
        urllib.request.urlopen("http://192.0.2.1/", timeout=1)
    except TimeoutError:
        return True
    except urllib.error.URLError as error:
        return "unreachable" not in str(error)
    return True


def _ready(home: Path, serving: "subprocess.Popen[bytes]") -> str:
    until = time.monotonic() + _STARTED_S
    while time.monotonic() < until:
        assert serving.poll() is None, "flyball serve ended"
        try:
            url = str(json.loads((home / "run" / "endpoints.json").read_text())["data"])
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return url
        except (OSError, ValueError, KeyError):
            time.sleep(0.1)
    raise AssertionError("flyball serve was not ready")


def _call(url: str, key: str) -> str:
    body = json.dumps({"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/chat/completions", body, headers), timeout=30) as got:
        return str(json.loads(got.read())["choices"][0]["message"]["role"])


def _rows(home: Path) -> str:
    """How many operations the embedded ClickHouse has, once it has one."""
    ends = json.loads((home / "run" / "endpoints.json").read_text())
    headers = {
        "x-clickhouse-user": "grafana",
        "x-clickhouse-key": (home / "grafana-password").read_text().strip(),
        "x-clickhouse-database": "flyball",
        "content-type": "text/plain",
    }
    until, found = time.monotonic() + 60, ""
    while found in ("", "0") and time.monotonic() < until:
        ask = urllib.request.Request(ends["clickhouse"], b"SELECT count() FROM operations", headers)
        try:
            with urllib.request.urlopen(ask, timeout=30) as got:
                found = got.read().decode().strip()
        except urllib.error.HTTPError as error:  # not yet made
            found = error.read().decode()
        time.sleep(0.1)
    return found


if __name__ == "__main__":
    main()
