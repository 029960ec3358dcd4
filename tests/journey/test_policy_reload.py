"""A changed policy is taken without a restart; a broken one keeps the old one, also for a worker that starts again."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.flyball import Flyball

pytestmark = pytest.mark.timeout(120)
CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 2}
policy: {dir: rules}
"""
ONLY_SMALL = """package flyball.request

deny contains {"code": "only_small", "msg": "Only sim-small."} if not input.model in data.allowed
"""
BROKEN = ONLY_SMALL + '\ndeny contains {"code" "x"}\n'


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Flyball]:
    rules = tmp_path / "rules" / "org"
    rules.mkdir(parents=True)
    (rules / "models.rego").write_text(ONLY_SMALL)
    (tmp_path / "rules" / "data.json").write_text(json.dumps({"allowed": ["sim-small"]}))
    with Flyball(tmp_path, CONFIG) as flyball:
        yield flyball


def asked(flyball: Flyball, model: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {flyball.secret('first-key')}"}
    body = {"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
    return httpx.post(f"{flyball.data}/v1/chat/completions", json=body, headers=headers, timeout=30)


def log(flyball: Flyball, message: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in flyball.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if message in json.dumps(line)]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def answers(flyball: Flyball, model: str, status: int) -> bool:
    """Whether every worker answers so. All at once: the simulated provider takes its time."""
    with ThreadPoolExecutor(10) as pool:
        return all(each.status_code == status for each in pool.map(lambda _: asked(flyball, model), range(10)))


def test_changed_policies_are_taken_and_broken_ones_are_not(served: Flyball) -> None:
    rules = served.folder / "rules"
    models = rules / "org" / "models.rego"
    refused = asked(served, "sim-large")
    assert (refused.status_code, refused.json()["error"]["flyball"]["rule"]) == (403, "only_small")
    assert asked(served, "sim-small").status_code == 200

    (rules / "data.json").write_text(json.dumps({"allowed": ["sim-small", "sim-large"]}))
    until(lambda: answers(served, "sim-large", 200))

    models.write_text(BROKEN)
    until(lambda: bool(log(served, "the changed configuration is not used")))
    (said,) = log(served, "the changed configuration is not used")
    assert said["level"].lower() == "error" and "org/models.rego:5" in json.dumps(said)
    assert asked(served, "sim-large").status_code == 200
    assert asked(served, "sim-medium").status_code == 403

    # What dies while they are broken comes back with the old ones.
    dead = served.pids("worker")
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(set(served.pids("worker")) - set(dead)) == 2 and served._is_ready())
    assert asked(served, "sim-large").status_code == 200
    assert asked(served, "sim-medium").status_code == 403

    models.unlink()
    until(lambda: all(asked(served, "sim-medium").status_code != 403 for _ in range(10)))
    taken = log(served, "configuration taken")
    assert len({line["policy"] for line in taken}) == len(taken) == 2
