"""What rules of a policy say reaches the outbox: each message once an hour for an org, told to who wants it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.budget import Alerting, BudgetStore, Outbox, PolicyNote, Receiver, Sender, Watcher
from proxy.budget.alerts.messages import body_for, sentence
from proxy.budget.alerts.settings import AlertSettings
from proxy.core.clock import SetClock
from proxy.core.secret import Secret
from proxy.processes.metrics import WorkerCounters
from proxy.processes.policy_notes import MOST, PolicyNotes, policy_notes
from proxy.state import StateFile
from tests.unit.admin.admin_port import ScriptedPost

NOW = datetime(2026, 11, 20, 11, 50, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
HOUR_NS = 3_600 * 10**9
OPS = Receiver(name="ops", url=Secret("https://ops.example/"), kind="webhook")
BUDGETS = Receiver(name="budgets", url=Secret("https://ops.example/"), kind="webhook", kinds=frozenset({"block"}))


@pytest.fixture
def notes() -> list[PolicyNote]:
    return [PolicyNote("acme", "too much", "op_1", NOW_NS)]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    state = StateFile(tmp_path / "state.sqlite")
    yield state
    state.close()


def alerting(state: StateFile, notes: list[PolicyNote], clock: SetClock) -> Alerting:
    outbox = Outbox(state)
    watcher = Watcher(BudgetStore(state, clock=clock), state, outbox, clock)
    made = Alerting(watcher, Sender(outbox, ScriptedPost(), clock), outbox, clock, noted=lambda: notes)
    made.use(AlertSettings(), [OPS, BUDGETS])
    return made


def test_a_message_is_raised_once_an_hour_whoever_looks(state: StateFile, notes: list[PolicyNote]) -> None:
    clock = SetClock(NOW)
    looking = alerting(state, notes, clock)
    looking._look()
    notes.append(PolicyNote("acme", "too much", "op_2", NOW_NS + 10**9))  # another worker's
    looking._look()
    alerting(state, notes, clock)._look()  # after a restart, or on another host
    assert [each.alert.operation for each in looking.outbox.newest(limit=10)] == ["op_1"]
    notes.append(PolicyNote("acme", "too much", "op_3", NOW_NS + HOUR_NS))
    notes.append(PolicyNote("globex", "too much", "op_4", NOW_NS))
    notes.append(PolicyNote("acme", "too late", "op_5", NOW_NS))
    looking._look()
    found = looking.outbox.newest(limit=10)
    assert {each.alert.operation for each in found} == {"op_1", "op_3", "op_4", "op_5"}
    assert {each.receiver for kept in found for each in kept.deliveries} == {"ops"}
    assert looking.outbox.newest(limit=10, org="globex", kind="policy")[0].alert.message == "too much"


def test_it_is_told_in_words_without_numbers(state: StateFile, notes: list[PolicyNote]) -> None:
    looking = alerting(state, notes, SetClock(NOW))
    looking._look()
    (kept,) = looking.outbox.newest(limit=1)
    assert sentence(kept.alert) == "A policy alerts for org:acme: too much"
    said = json.loads(body_for("webhook", kept.alert))
    assert said["type"] == "policy.alert" and said["timestamp"] == "2026-11-20T11:50:00Z"
    assert said["data"] == {
        "id": kept.alert.id,
        "kind": "policy",
        "message": "too much",
        "org": "acme",
        "scope": "org:acme",
        "window": "2026-11-20T11",
        "operation": "op_1",
    }
    slack = json.loads(body_for("slack", kept.alert))
    assert len(slack["blocks"]) == 2 and ":warning:" in slack["blocks"][0]["text"]["text"]


async def test_a_receiver_is_told(state: StateFile, notes: list[PolicyNote]) -> None:
    looking = alerting(state, notes, SetClock(NOW))
    looking._look()
    await looking._tell(OPS)
    assert [each.state for each in looking.outbox.newest(limit=2)] == ["sent"]


def test_workers_leave_what_rules_say_where_the_admin_process_finds_it(tmp_path: Path) -> None:
    counters, now_ns = WorkerCounters(), _now_ns()
    assert counters.policy_alert("acme", "x" * 900, "op_1", now_ns)
    assert not counters.policy_alert("acme", "x" * 900, "op_2", now_ns)
    assert counters.policy_alert("acme", "old", "op_3", now_ns - 2 * HOUR_NS)
    counters.write(tmp_path / "metrics-wrk_1.json", {})
    (tmp_path / "metrics-wrk_2.json").write_text("{")
    assert policy_notes(tmp_path) == [PolicyNote("acme", "x" * 500, "op_1", now_ns)]


def test_there_is_room_for_so_many_until_they_are_old() -> None:
    notes = PolicyNotes()
    assert all(notes.note("acme", str(number), "op", NOW_NS) for number in range(MOST))
    assert notes.note("acme", "more", "op", NOW_NS) is None
    assert notes.note("acme", "more", "op", NOW_NS + HOUR_NS) and len(notes.all()) == 1


def _now_ns() -> int:
    return int(datetime.now(UTC).timestamp()) * 10**9
