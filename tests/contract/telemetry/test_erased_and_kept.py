"""An end user is taken out of every table, no sum changes; what drops when is told as it will happen."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from proxy.telemetry import erase_user, plan_retention
from proxy.telemetry.migrate import migrations
from proxy.telemetry.retention import retained
from proxy.telemetry.rows import DecisionRow, Table, ToolCallRow
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

Make = Callable[..., Any]
ORG: Final = "forgetful"
USER: Final = "ann'; DROP TABLE operations --\\"


def _ship(collector: CollectorProcess, operation: Make, attempt: Make) -> None:
    spool = Spool(collector.spool, ORG)
    for number in range(6):
        org, user = (ORG, USER) if number < 3 else (ORG, "bob") if number < 5 else ("other", USER)
        row = operation(
            number, org, end_user=user, run=f"chat of {user}", tags={"user": user}, client="ann's laptop",
            provider_request_id=f"req_{number}", step="1", reason="", agent="triage",
        )  # fmt: skip
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
        spool.append(Table.ATTEMPTS, attempt(number, org, provider_request_id=f"req_{number}", raw_usage='{"a":1}'))
        spool.append(
            Table.TOOL_CALLS,
            ToolCallRow(
                operation_id=row.operation_id, called_at=row.charged_at, org=org, team="support", key_id="key_1",
                key_name="bot", run=row.run, tool=f"look_up_{user}",
            ),
        )  # fmt: skip
        spool.append(
            Table.DECISIONS,
            DecisionRow(
                decision_id=f"dec_{ORG}_{number}", operation_id=row.operation_id, decided_at="2026-11-20 10:00:00.000",
                org=org, team="support", key_id="key_1", key_name="bot", end_user=user, input=f'{{"user":"{number}"}}',
            ),
        )  # fmt: skip
    spool.close()
    collector.all_shipped()


def _sums(collector: CollectorProcess) -> list[Any]:
    client = collector.client()
    return [
        client.query(f"SELECT {what} FROM {table} WHERE org IN ('{ORG}', 'other')").result_rows
        for table, what in (
            ("operations", "count(), sum(cost_usd), sum(input_tokens), uniqExact(operation_id)"),
            ("attempts", "count(), uniqExact(attempt_id)"),
            ("decisions", "count(), uniqExact(decision_id)"),
            ("spend_quarter_hours", "sum(calls), sum(cost_usd)"),
            ("call_days", "sum(calls), sum(cost_usd)"),
            ("run_days", "sum(calls), uniqExact(run)"),
            ("tag_days", "sum(calls), sum(cost_usd)"),
        )
    ]


def test_a_user_is_erased_and_no_sum_changes(collector: CollectorProcess, operation: Make, attempt: Make) -> None:
    _ship(collector, operation, attempt)
    before = _sums(collector)
    counted = asyncio.run(erase_user(collector.address, org=ORG, user=USER, dry_run=True))
    assert counted.rows == {"attempts": 3, "tool_calls": 3, "decisions": 3, "corrections": 0, "operations": 3}
    assert (counted.named_alike["tag_days"], counted.named_alike["run_days"]) == (1, 0)
    erased = asyncio.run(erase_user(collector.address, org=ORG, user=USER))
    assert erased == counted
    assert _sums(collector) == before
    client = collector.client()
    kept = client.query(
        "SELECT org, end_user, run, step, client, length(tags), provider_request_id, agent FROM operations"
        " WHERE org IN ('forgetful', 'other') ORDER BY operation_id"
    ).result_rows
    assert kept[:3] == [(ORG, "", "", "", "", 0, "", "triage")] * 3
    assert [row[1] for row in kept[3:]] == ["bob", "bob", USER], "nobody else, and not the same name elsewhere"
    assert kept[3][2:7] == ("chat of bob", "1", "ann's laptop", 1, "req_3")
    assert client.query(
        "SELECT end_user, input FROM decisions WHERE org = 'forgetful' ORDER BY decision_id"
    ).result_rows == [("", "")] * 3 + [("bob", '{"user":"3"}'), ("bob", '{"user":"4"}')]
    assert client.query(
        "SELECT provider_request_id, raw_usage FROM attempts WHERE org = 'forgetful' ORDER BY attempt_id"
    ).result_rows == [("", "")] * 3 + [("req_3", '{"a":1}'), ("req_4", '{"a":1}')]
    assert (
        client.query("SELECT run, tool FROM tool_calls WHERE org = 'forgetful' ORDER BY operation_id").result_rows
        == [("", "")] * 3 + [("chat of bob", "look_up_bob")] * 2
    )
    again = asyncio.run(erase_user(collector.address, org=ORG, user=USER))
    assert set(again.rows.values()) == {0}


@pytest.mark.parametrize(("org", "user"), [("", "ann"), ("acme", "")])
def test_nobody_is_not_a_user(collector: CollectorProcess, org: str, user: str) -> None:
    with pytest.raises(ValueError, match="name the org and the user"):
        asyncio.run(erase_user(collector.address, org=org, user=user))


def test_the_plan_of_retention_is_what_the_tables_hold(
    collector: CollectorProcess, operation: Make, attempt: Make
) -> None:
    _ship(collector, operation, attempt)
    settings = TelemetrySettings(attempts_days=91)
    plan = asyncio.run(plan_retention(collector.address, settings))
    assert plan == sorted(plan, key=lambda each: (each.drops_at, each.table))
    assert {each.table for each in plan} <= {each.table for each in retained(step.sql for step in migrations())}
    client = collector.client()
    for table in ("operations", "attempts", "call_days", "tag_quarter_hours"):
        ((rows,),) = client.query(f"SELECT count() FROM {table}").result_rows
        assert sum(each.rows for each in plan if each.table == table) == rows, table
    (week,) = [each for each in plan if (each.table, each.partition) == ("attempts", "2026-11-16")]
    ((last,),) = client.query("SELECT toUnixTimestamp(max(started_at)) FROM attempts").result_rows
    assert week.drops_at.timestamp() == last + 91 * 86400
    assert week.bytes_on_disk > 0
    (month,) = [each for each in plan if (each.table, each.partition) == ("spend_days", "202611")]
    assert month.drops_at <= datetime(2026, 11, 30, tzinfo=UTC).replace(year=2028)
    assert month.days == 400
