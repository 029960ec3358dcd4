"""A collector as a process of its own, for tests to start, kill and ask."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.httpclient import HttpClient

from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.store import StoreAddress, store_address

ROOT = Path(__file__).parents[3]


@dataclass
class CollectorProcess:
    """A collector that can be started, killed and started again on the same state folder."""

    folder: Path
    changes: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    endpoints: dict[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        script = str(Path(__file__).with_name("collector_process.py"))
        self.process = subprocess.Popen(
            [
                sys.executable,
                script,
                str(self.folder),
                json.dumps({"listen": "127.0.0.1:0", "gather_ms": 50, **self.changes}),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the collector did not start (exit {self.process.poll()})"
        self.endpoints = json.loads(line)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.wait()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        assert self.process is not None
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def address(self) -> StoreAddress:
        return store_address(TelemetrySettings(), self.folder, self.endpoints["url"])

    def client(self, user: str = "flyball", **options: Any) -> HttpClient:
        """The synchronous client, as an operator would use it."""
        address = self.address
        name = "clickhouse-password" if user == "flyball" else "grafana-password"
        client = clickhouse_connect.get_client(
            host=address.host,
            port=address.port,
            username=user,
            password=(self.folder / name).read_text().strip(),
            database="flyball",
            **options,
        )
        assert isinstance(client, HttpClient)
        return client

    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.spool / "collector.json").read_text())
        return found

    def all_shipped(self, within_s: float = 90) -> None:
        """Wait until nothing sealed is left."""
        deadline = time.monotonic() + within_s
        while any((self.spool / "sealed").glob("*.jsonl")):
            assert time.monotonic() < deadline, f"not shipped: {self.metrics()}"
            time.sleep(0.02)
