"""Rows as the reader would find them."""

from datetime import UTC, datetime

from proxy.core.money import Nano
from proxy.core.usage import Bucket
from proxy.telemetry import AttemptRow, OperationDetail, OperationRow, SpendRow


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
