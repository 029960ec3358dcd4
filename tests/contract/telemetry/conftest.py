"""A real collector with a real embedded ClickHouse in a process of its own, one per test session."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.telemetry.rows import AttemptRow, OperationRow
from tests.contract.telemetry.collecting import CollectorProcess


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
