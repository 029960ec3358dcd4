"""Rows as the reader would find them."""

from datetime import UTC, datetime
from typing import Any

from proxy.core.money import Nano
from proxy.core.usage import Bucket
from proxy.telemetry import (
    AttemptRow,
    Comparison,
    DecisionRow,
    Mover,
    Observed,
    OperationDetail,
    OperationRow,
    PaidCalls,
    RunIdentity,
    RunTotals,
    Side,
    SpendRow,
    Term,
    WouldRefuse,
)


def operation(operation_id: str, org: str = "acme", team: str = "support") -> OperationDetail:
    """An operation of one attempt that cost 0.0125 dollars."""
    row = OperationRow(
        operation_id=operation_id,
        charged_at="2026-11-20 11:00:00.000",
        finished_at="2026-11-20 11:00:01.000",
        org=org,
        team=team,
        key_id="key_1",
        key_name="bot",
        endpoint="chat.completions",
        requested_model="gpt-5",
        model="gpt-5",
        provider="openai",
        outcome="ok",
        status=200,
        finish_reason="stop",
        usage_source="provider",
        duration_ms=842.1,
        input_tokens=1000,
        output_tokens=7,
        cost_usd="0.0125",
        stages_ms={"identity": 0.01, "upstream": 812.5},
        asked_usd="0.02",
        routing='{"strategy":"cheapest","candidates":[{"provider":"openai","model":"gpt-5","why":"expected to cost '
        '0.0125 USD","score":12500000}],"left_out":[{"provider":"local","model":"small","why":"does not take tools"}]}',
    )
    attempt = AttemptRow(
        attempt_id="att_1",
        operation_id=operation_id,
        started_at="2026-11-20 11:00:00.000",
        org=org,
        team=team,
        key_id="key_1",
        key_name="bot",
        provider="openai",
        sent_model="gpt-5",
        model="gpt-5",
        outcome="ok",
        status=200,
        usage_source="provider",
        cost_usd="0.0125",
        price_lines='[{"bucket":"input","quantity":1000,"usd_per_mtok":"12.5","usd":"0.0125"}]',
    )
    return OperationDetail(operation=row, attempts=(attempt,))


def decision(decision_id: str, operation_id: str, org: str = "acme", **changes: Any) -> DecisionRow:
    """A no of a rule at `request`."""
    values: dict[str, Any] = {
        "decided_at": "2026-11-20 11:00:00.001",
        "team": "support",
        "key_id": "key_1",
        "key_name": "bot",
        "agent": "triage",
        "point": "request",
        "engine": "embedded",
        "revision": "3b1c",
        "code": "model_not_listed",
        "message": "This model is not on the list.",
        "denials": ["model_not_listed"],
        "model": "gpt-5",
        "provider": "openai",
        "latency_us": 41.5,
        "input": '{"version":1,"point":"request","org":"acme","model":"gpt-5","messages":{"text":null}}',
        "unread": ["messages.text", "budgets"],
    }
    return DecisionRow(decision_id=decision_id, operation_id=operation_id, org=org, **{**values, **changes})


def spend(name: str, nano: int) -> SpendRow:
    """What a model cost on a day."""
    return SpendRow(
        bucket_start=datetime(2026, 11, 19, tzinfo=UTC),
        group={"model": name},
        calls=2,
        unpriced=1,
        refused=1,
        cost=Nano(nano),
        list_cost=Nano(2 * nano),
        tokens={Bucket.INPUT: 10, Bucket.OUTPUT: 0},
    )


def comparison() -> Comparison:
    """A day that cost 0.5 dollars more than the one before: twice the calls, of one team."""
    model = ("openai", "gpt-5")
    now = Side(models={model: PaidCalls(calls=20, cost=Nano(1_000_000_000), quantities={"input": 100})})
    before = Side(models={model: PaidCalls(calls=10, cost=Nano(500_000_000), quantities={"input": 50})})
    mover = Mover(
        group={"org": "acme", "team": "support"},
        now=now.cost,
        before=before.cost,
        calls=20,
        calls_before=10,
        first_operation="op_019a9f3c8e007b4c8000000000000001",
        first_at=datetime(2026, 11, 19, 9, 30, tzinfo=UTC),
    )
    terms = dict.fromkeys(Term, Nano(0)) | {Term.VOLUME: Nano(500_000_000)}
    return Comparison(now=now, before=before, terms=terms, movers={"team": [mover], "agent": [], "run": []})


def run(name: str, org: str = "acme", key_id: str = "key_1", **changes: Any) -> RunTotals:
    """A run of three calls of the agent triage that cost 0.0125 dollars."""
    values: dict[str, Any] = {
        "team": "support",
        "key_name": "bot",
        "source": "header",
        "parent": "",
        "depth": 1,
        "agents": ("triage",),
        "calls": 3,
        "refused": 0,
        "unpriced": 0,
        "tool_calls": 2,
        "cost": Nano(12_500_000),
        "tokens": {Bucket.INPUT: 3000, Bucket.OUTPUT: 21, Bucket.REASONING: 0},
        "outcomes": {"ok": 3},
        "last_code": "",
        "began_at": "2026-11-20 11:00:00.000",
        "last_at": "2026-11-20 11:02:03.250",
    }
    return RunTotals(identity=RunIdentity(org, key_id, name), **{**values, **changes})


def would_refuse() -> Observed:
    """Twelve of 3,400 calls that acme's month would have refused."""
    each = WouldRefuse(
        org="acme",
        team="support",
        key="bot",
        agent="triage",
        code="budget_exceeded",
        by="org:acme/acme-month",
        calls=12,
        cost=Nano(150_000_000),
        first=datetime(2026, 11, 19, 9, 30, tzinfo=UTC),
        last=datetime(2026, 11, 19, 17, 45, tzinfo=UTC),
    )
    return Observed(3400, 12, each.cost, (each,))
