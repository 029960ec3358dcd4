"""A provider that stops answering is noted once, and once more when it answers again."""

from pathlib import Path
from typing import Any

import pytest

from proxy.admin.audit import StateAuditLog
from proxy.admin.tables import Tables
from proxy.app.audit_post import Noticed
from proxy.app.outages import Answered, Outages
from proxy.core.clock import SystemClock
from proxy.processes.metrics import WorkerCounters, answered
from proxy.state import StateFile
from proxy.telemetry import AttemptRow, OperationRow


@pytest.fixture
def trail(tmp_path: Path) -> StateAuditLog:
    return StateAuditLog(Tables(StateFile(tmp_path / "ledger.sqlite")))


def noted(trail: StateAuditLog) -> list[tuple[str, str]]:
    return [(entry.change.action, entry.change.subject) for entry in trail.entries(0)]


def test_an_outage_begins_and_ends_once(trail: StateAuditLog) -> None:
    outages = Outages(Noticed(trail, SystemClock()))
    good = bad = 0
    for second in range(600):
        good += 200 <= second < 205 or second >= 400 or second < 100
        bad += 100 <= second < 400
        outages.look(second, {"openai": Answered(good, bad), "local": Answered(second, 0)})
        if second == 110:
            assert noted(trail) == [], "most of the last minute went well"
        if second == 300:
            assert noted(trail) == [("provider.outage", "provider:openai")]
            outages = Outages(Noticed(trail, SystemClock()))  # the admin process died: what is known is in the trail
    assert noted(trail) == [("provider.outage", "provider:openai"), ("provider.recovery", "provider:openai")]


def test_a_few_failures_and_counts_that_begin_anew_are_no_outage(trail: StateAuditLog) -> None:
    outages = Outages(Noticed(trail, SystemClock()))
    for second, counts in enumerate([(0, 0), (0, 4), (100, 4), (0, 0), (0, 4)]):
        outages.look(second, {"openai": Answered(*counts)})
    assert noted(trail) == []


def test_whose_fault_it_was(tmp_path: Path) -> None:
    who: dict[str, Any] = {"org": "a", "team": "b", "key_id": "k", "key_name": "n", "operation_id": "op"}
    counters = WorkerCounters()
    errors = ("", "http_400", "http_429", "http_503", "idle_timeout", "refused (not sent)", "aborted", "in_band_error")
    attempts = [AttemptRow(attempt_id="att", started_at="", provider='my"p', error=error, **who) for error in errors]
    counters.finished(OperationRow(charged_at="", finished_at="", **who), attempts, None)
    counters.write(tmp_path / "metrics-wrk_1.json", {})
    assert answered(tmp_path) == {'my\\"p': Answered(good=4, bad=4)}
