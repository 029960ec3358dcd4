"""Receivers are told of each approval that waits, once, with where to decide on it."""

import json
from datetime import UTC, datetime
from pathlib import Path

from proxy.app.alerts import waiting_approvals
from proxy.budget import Alerting, AlertSettings, BudgetStore, Outbox, Receiver, Sender, Watcher
from proxy.budget.alerts.messages import body_for
from proxy.core.clock import SetClock
from proxy.core.secret import Secret
from proxy.policy import ApprovalBook, AskedCall, Sealer
from proxy.state import StateFile
from tests.unit.admin.admin_port import ScriptedPost
from tests.unit.admin.asked_approvals import asked

CALL = AskedCall("delete_file", '{"path":"canary"}')


def alerting(state: StateFile, clock: SetClock, book: ApprovalBook, *kinds: str) -> Alerting:
    outbox = Outbox(state)
    watcher = Watcher(BudgetStore(state, clock=clock), state, outbox, clock)
    made = Alerting(
        watcher,
        Sender(outbox, ScriptedPost(), clock),
        outbox,
        clock,
        asked=lambda: waiting_approvals(book, clock.now_ns()),
    )
    receiver = Receiver(name="ops", url=Secret("https://ops.example/x"), kind="webhook", kinds=frozenset(kinds))
    made.use(AlertSettings(), [receiver])
    return made


def test_each_approval_is_told_once_with_where_to_decide(tmp_path: Path) -> None:
    clock = SetClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    state = StateFile(tmp_path / "ledger.sqlite")
    book = ApprovalBook(state, Sealer(b"b" * 32))
    approval = asked(book, clock.now_ns(), calls=(CALL,))
    for process in range(2):
        made = alerting(state, clock, book)
        for _ in range(2):
            made._raise_of_policy()
        assert len(made.outbox.due("ops", clock.now_ns(), 9)) == 1, process
    (due,) = made.outbox.due("ops", clock.now_ns(), 9)
    told = json.loads(body_for("webhook", due.alert))
    assert told["type"] == "approval.requested"
    assert told["data"] | {"id": ""} == {
        "id": "",
        "kind": "approval",
        "message": "A call of key:acme/support/bot waits for a person, until 2026-11-20T13:00:00Z: "
        "calls delete_file (writes need a person)",
        "approval": approval.id,
        "org": "acme",
        "scope": "key:acme/support/bot",
        "operation": approval.operation,
        "expires_at": "2026-11-20T13:00:00Z",
        "console": f"/console/approvals/{approval.id}",
        "api": f"/admin/v1/approvals/{approval.id}",
    }
    slack = json.loads(body_for("slack", due.alert))
    assert "delete_file" in slack["text"] and len(slack["blocks"]) == 2 and "canary" not in str((told, slack))


def test_what_nobody_wants_or_can_decide_is_not_told(tmp_path: Path) -> None:
    clock = SetClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    state = StateFile(tmp_path / "ledger.sqlite")
    book = ApprovalBook(state, Sealer(b"b" * 32))
    made = alerting(state, clock, book, "block")
    asked(book, clock.now_ns())
    made._raise_of_policy()
    assert made.outbox.due("ops", clock.now_ns(), 9) == []
    everyone = alerting(state, clock, book)
    approval = asked(book, clock.now_ns(), said="other")
    book.decide(approval.id, "approved", by="anna", note="", now_ns=clock.now_ns())
    everyone._raise_of_policy()
    assert everyone.outbox.due("ops", clock.now_ns(), 9) == []
