"""A real Flyball, started as its users start it: `flyball serve` in a process of its own, over a fresh state folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

START_S: Final = 60.0
ROWS_S: Final = 30.0
LONGEST_COMM: Final = 15


class Flyball:
    """One running Flyball; ends with its `with` block. `log` collects what it wrote to standard error."""

    def __init__(self, folder: Path, config: str = "", environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.home = folder / "state"
        self.config = folder / "flyball.yaml"
        self.config.write_text(config or "server: {listen: '127.0.0.1:0', admin_listen: '127.0.0.1:0', workers: 1}\n")
        self.log = folder / "flyball.log"
        ours = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        self.environment = {**ours, "FLYBALL_HOME": str(self.home), **(environment or {})}
        self.environment.setdefault("FLYBALL_TELEMETRY__LISTEN", "127.0.0.1:0")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # life

    def start(self) -> None:
        """Start it and wait until every process is ready."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "proxy", "serve", "--config", str(self.config)]
            self._process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"flyball ended with {self._process.returncode}:\n{self.log.read_text()[-4000:]}")
            # Not those of an earlier one that was killed and whose workers still finish their calls.
            ours = self.endpoints().get("pid") == self._process.pid
            if ours and {"data", "admin", "clickhouse"} <= self.endpoints().keys() and self._is_ready():
                return
            time.sleep(0.05)
        raise RuntimeError(f"flyball was not ready after {START_S} s:\n{self.log.read_text()[-4000:]}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; its exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        try:
            status = self._process.wait(60)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait(10)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None
        return status

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        assert self._process is not None
        return self._process.pid

    def pids(self, role: str) -> list[int]:
        """The process ids of the children of a role."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    name = (entry / "comm").read_text().strip()
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except (OSError, ValueError):
                    continue
                if parent == self.pid and name == f"flyball-{role}"[:LONGEST_COMM]:
                    found.append(int(entry.name))
        return sorted(found)

    # addresses and secrets

    def endpoints(self) -> dict[str, Any]:
        """The published addresses, empty while there are none."""
        try:
            found: dict[str, Any] = json.loads((self.home / "run" / "endpoints.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    @property
    def data(self) -> str:
        """The data port's address, without `/v1`."""
        return str(self.endpoints()["data"])

    @property
    def admin_url(self) -> str:
        """The admin port's address."""
        return str(self.endpoints()["admin"])

    def secret(self, name: str) -> str:
        """A secret file of the state folder."""
        return (self.home / name).read_text().strip()

    # asking

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """One admin call as the bootstrap owner; the parsed answer."""
        headers = {"authorization": f"Bearer {self.secret('admin-token')}"}
        answer = httpx.request(method, self.admin_url + path, json=body, headers=headers, timeout=30)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the embedded ClickHouse."""
        answer = httpx.post(
            self.endpoints()["clickhouse"],
            params={
                "database": "flyball",
                "default_format": "JSONEachRow",
                "output_format_json_quote_decimals": "1",
                "output_format_json_quote_64bit_integers": "0",
            },
            headers={"x-clickhouse-user": "flyball", "x-clickhouse-key": self.secret("clickhouse-password")},
            content=sql,
            timeout=30,
        )
        assert answer.is_success, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    def wait_for_rows(self, count: int, table: str = "operations", where: str = "1") -> list[dict[str, Any]]:
        """The rows of a table once there are this many; an assertion error with the count there is otherwise."""
        deadline = time.monotonic() + ROWS_S
        found: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            found = self.query(f"SELECT * FROM {table} WHERE {where}")
            if len(found) >= count:
                return found
            time.sleep(0.1)
        raise AssertionError(f"{len(found)} rows in {table} after {ROWS_S} s, not {count}")

    def _is_ready(self) -> bool:
        try:
            return httpx.get(self.data + "/readyz", timeout=5).is_success
        except httpx.HTTPError:
            return False
