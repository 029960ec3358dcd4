"""A real collector with a real embedded ClickHouse in a process of its own, one per test session."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.httpclient import HttpClient

from proxy.telemetry.rows import AttemptRow, OperationRow
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
            [sys.executable, script, str(self.folder), json.dumps({"listen": "127.0.0.1:0", **self.changes})],
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

    def all_shipped(self, within_s: float = 30) -> None:
        """Wait until nothing sealed is left."""
        deadline = time.monotonic() + within_s
        while any((self.spool / "sealed").glob("*.jsonl")):
            assert time.monotonic() < deadline, f"not shipped: {self.metrics()}"
            time.sleep(0.02)


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """The one everybody may write to; use an org of your own."""
    running = CollectorProcess(tmp_path_factory.mktemp("state"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def fresh_collector(tmp_path: Path) -> Iterator[Callable[..., CollectorProcess]]:
    """Makes collectors of one's own, to be killed and restarted."""
    made: list[CollectorProcess] = []

    def make(**changes: Any) -> CollectorProcess:
        made.append(CollectorProcess(tmp_path / f"state{len(made)}", changes))
        made[-1].folder.mkdir()
        return made[-1]

    yield make
    for each in made:
        if each.process is not None and each.process.poll() is None:
            each.kill()


@pytest.fixture
def operation() -> Callable[..., OperationRow]:
    """A row with the given differences."""

    def make(number: int, org: str, **changes: Any) -> OperationRow:
        values: dict[str, Any] = {
            "operation_id": f"op_{org}_{number:024x}",
            "charged_at": f"2026-11-20 10:{number // 60 % 60:02d}:{number % 60:02d}.{number % 1000:03d}",
            "finished_at": "2026-11-20 11:00:00.000",
            "org": org,
            "team": "support",
            "key_id": "key_1",
            "key_name": "bot",
            "model": "gpt-5-mini",
            "provider": "openai",
            "outcome": "ok",
            "usage_source": "provider",
            "input_tokens": 1000 + number,
            "output_tokens": 10,
            "cost_usd": f"0.{number + 1:09d}",
            "list_usd": f"0.{number + 1:09d}",
            "duration_ms": 812.5,
        }
        return OperationRow(**{**values, **changes})

    return make


@pytest.fixture
def attempt() -> Callable[..., AttemptRow]:
    """An attempt of the operation with the same number."""

    def make(number: int, org: str, **changes: Any) -> AttemptRow:
        values: dict[str, Any] = {
            "attempt_id": f"att_{org}_{number:024x}",
            "operation_id": f"op_{org}_{number:024x}",
            "started_at": "2026-11-20 10:00:00.000",
            "org": org,
            "team": "support",
            "key_id": "key_1",
            "key_name": "bot",
        }
        return AttemptRow(**{**values, **changes})

    return make
