"""Targets that are left alone, as `flyball doctor` tells of them."""

from pathlib import Path

from proxy.cli.doctor import _targets
from proxy.processes.folder import StateFolder
from proxy.processes.metrics import Now, WorkerCounters
from proxy.routing import TargetNow


def test_a_target_that_is_left_alone_is_told_and_one_in_a_cooldown_is_not_wrong(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.run.mkdir(parents=True)
    states = {"gpt-5": "open", "gpt-5-mini": "closed", "gpt-4o": "cooling"}
    targets = [TargetNow("openai", model, state, 1.0) for model, state in states.items()]
    for name in ("wrk_1", "wrk_2"):
        WorkerCounters().write(folder.run / f"metrics-{name}.json", {}, Now(targets=targets))
    assert list(_targets(folder)) == [
        (True, "target openai/gpt-4o is not asked as usual (cooling; workers: 2)"),
        (False, "target openai/gpt-5 is not asked as usual (open; workers: 2)"),
    ]
