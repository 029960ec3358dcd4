"""Rows of the store become what the pages show, to the nano-dollar and in order."""

from datetime import UTC, datetime

from proxy.admin.console.from_rows import BUCKETS, story
from proxy.admin.console.operation_page import operation_page
from proxy.admin.console.shell import Place
from proxy.core.usage import Bucket
from proxy.telemetry import AttemptRow, OperationRow


def an_attempt(number: int, price_lines: str = "[]", cost_usd: str | None = None) -> AttemptRow:
    return AttemptRow(
        attempt_id=f"att_{number}",
        operation_id="op_1",
        started_at="2026-11-20 11:07:30.500",
        org="acme",
        team="support",
        key_id="key_1",
        key_name="bot",
        number=number,
        price_lines=price_lines,
        cost_usd=cost_usd,
    )


def test_a_row_and_its_attempts_keep_money_times_tokens_and_facts() -> None:
    row = OperationRow(
        operation_id="op_1",
        charged_at="2026-11-20 11:07:30.250",
        finished_at="2026-11-20 11:07:31.000",
        org="acme",
        team="support",
        key_id="key_1",
        key_name="bot",
        cost_usd="0.038245001",
        stated_usd=None,
        held_usd="0.09",
        input_tokens=12,
        reasoning_tokens=3,
        ttft_ms=None,
        stages_ms={"read": 0.1, "hold": 0.2},
        usage_flaws=["negative", "total_unexplained"],
        agent="triage",
    )
    lines = '[{"bucket":"input","quantity":12,"usd_per_mtok":"1.25","usd":"0.000015"}]'
    seen = story(row, [an_attempt(2), an_attempt(1, lines, "0")])
    one = seen.operation
    assert (one.cost, one.stated_cost, one.held, one.overrun) == (38_245_001, None, 90_000_000, 0)
    assert one.charged_at == datetime(2026, 11, 20, 11, 7, 30, 250_000, UTC) and one.ttft_ms is None
    assert one.tokens == {"input": 12, "reasoning": 3} and list(one.stages_ms) == ["read", "hold"]
    assert one.facts["agent"] == "triage" and one.facts["usage_flaws"] == "negative, total_unexplained"
    assert "run" not in one.facts
    assert [attempt.number for attempt in seen.attempts] == [1, 2]
    (line,) = seen.attempts[0].price_lines
    assert (line.bucket, line.usd, line.weight, seen.attempts[1].cost) == ("input", "0.000015", 15 * 10**12, None)


def test_every_bucket_is_shown() -> None:
    assert sorted(BUCKETS) == sorted(bucket.value for bucket in Bucket)


def test_the_page_of_an_answer_from_memory_names_who_made_it() -> None:
    row = OperationRow(
        operation_id="op_2",
        charged_at="2026-11-20 11:07:30.250",
        finished_at="2026-11-20 11:07:31.000",
        org="acme",
        team="support",
        key_id="key_1",
        key_name="bot",
        outcome="cached",
        cache_status="hit",
        cache_kind="exact",
        cache_entry="op_1",
    )
    page = operation_page(Place("", None), story(row, []))
    assert "hit (exact) <code>op_1</code>" in page
    row.cache_status = row.cache_kind = row.cache_entry = ""
    assert "Cache</" not in operation_page(Place("", None), story(row, []))
