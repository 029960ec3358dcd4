"""Rows that were spooled stand in ClickHouse exactly once, whatever happens on the way."""

import os
import random
import shutil
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.telemetry.migrate import migrations
from proxy.telemetry.retention import retained
from proxy.telemetry.rows import ROWS, OperationRow, Table
from proxy.telemetry.segments import SegmentName
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

Make = Callable[..., Any]


def spooled(collector: CollectorProcess, worker: str, rows: list[OperationRow]) -> None:
    """Write and settle rows as a worker does."""
    spool = Spool(collector.spool, worker)
    for row in rows:
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
    spool.close()


def raw_and_rollup(collector: CollectorProcess, org: str) -> list[tuple[Any, ...]]:
    """Calls, distinct operations and exact cost: of the rows, then of the rollup."""
    client = collector.client()
    raw = client.query(
        "SELECT count(), uniqExact(operation_id), sum(toDecimal128(cost_usd, 9)), sum(input_tokens)"
        " FROM operations WHERE org = {org:String}",
        parameters={"org": org},
    ).result_rows[0]
    rolled = client.query(
        "SELECT sum(calls), sum(cost_usd), sum(input_tokens) FROM spend_quarter_hours WHERE org = {org:String}",
        parameters={"org": org},
    ).result_rows[0]
    client.close()
    assert raw[0] == raw[1], "an operation stands twice"
    return [(raw[0], raw[2], raw[3]), tuple(rolled)]


def expected(rows: list[OperationRow]) -> tuple[int, Decimal, int]:
    return (
        len(rows),
        sum((Decimal(row.cost_usd or "0") for row in rows), Decimal(0)),
        sum(row.input_tokens for row in rows),
    )


def test_the_columns_are_the_fields(collector: CollectorProcess) -> None:
    client = collector.client()
    for table, row in ROWS.items():
        answer = client.query(
            "SELECT name, type, default_expression FROM system.columns"
            " WHERE database = 'flyball' AND table = {t:String}",
            parameters={"t": table.value},
        )
        assert {line[0] for line in answer.result_rows} == set(row.__struct_fields__)
        columns = {name: (kind, default) for name, kind, default in answer.result_rows}
        for field in msgspec.structs.fields(row):
            kind, default = columns[field.name]
            if isinstance(field.default, str) and field.default and not kind.startswith("Decimal"):
                assert default == f"'{field.default}'", f"{field.name}: what is not written must have the same default"
            if isinstance(field.default, int) and field.default:
                assert default == str(field.default), field.name
            if field.default is None:
                assert kind.startswith("Nullable"), field.name


def test_a_row_comes_back_as_it_was(collector: CollectorProcess, operation: Make) -> None:
    row: OperationRow = operation(
        1,
        "whole",
        tags={"team": "a'b\\c", "日本": "ü\n"},
        tool_fees={"web_search": 2},
        usage_flaws=["negative"],
        stages_ms={"hold": 0.25},
        stages_us={"hold": 250, "beside_upstream": 1},
        streamed=True,
        cost_usd="12345.678901234",
        stated_usd=None,
        ttft_ms=211.5,
        error='{"quote": "\\""}',
    )
    spooled(collector, "roundtrip", [row])
    collector.all_shipped()
    answer = collector.client().query("SELECT * FROM operations WHERE org = 'whole'")
    found = next(iter(answer.named_results()))
    for field in row.__struct_fields__:
        value, stored = getattr(row, field), found[field]
        if field.endswith("_usd"):
            assert stored == (None if value is None else Decimal(value)), field
        elif field.endswith("_at"):
            assert stored.isoformat(sep=" ", timespec="milliseconds") == value, field
        elif field == "stages_us":
            assert {stage: spent for stage, spent in stored.items() if spent} == value
        else:
            assert stored == value, field


def test_defaults_that_are_not_written_read_as_defaults(collector: CollectorProcess, attempt: Make) -> None:
    spool = Spool(collector.spool, "defaults")
    spool.append(Table.ATTEMPTS, attempt(1, "defaults"))
    spool.close()
    collector.all_shipped()
    row = collector.client().query(
        "SELECT number, purpose, usage_source, price_lines, cost_usd, retry_after_s FROM attempts"
        " WHERE org = 'defaults'"
    )
    assert row.result_rows == [(1, "serve", "none", "[]", None, None)]


def test_a_segment_sent_twice_counts_once_in_table_and_rollup(
    collector: CollectorProcess, operation: Make, tmp_path: Path
) -> None:
    rows = [operation(number, "twice") for number in range(3000)]
    spool = Spool(tmp_path, "twice")
    for row in rows:
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
    spool.close()
    for _ in range(3):
        for segment in (tmp_path / "sealed").iterdir():
            shutil.copy(segment, collector.spool / segment.name)
            (collector.spool / segment.name).rename(collector.spool / "sealed" / segment.name)
        collector.all_shipped()
    assert raw_and_rollup(collector, "twice") == [expected(rows), expected(rows)]


def test_rows_over_several_partitions_count_once(collector: CollectorProcess, operation: Make) -> None:
    rows = [operation(month, "months", charged_at=f"2026-{month:02d}-28 23:59:59.999") for month in range(1, 13)]
    for _ in range(2):
        spool = Spool(collector.spool, "months")
        name = SegmentName(first_ns=1, worker="months", number=1, table=Table.OPERATIONS)
        for row in rows:
            spool.append(Table.OPERATIONS, row)
        (path,) = [each for each in (collector.spool / "open").iterdir() if ".months." in each.name]
        path.rename(collector.spool / "sealed" / str(name))
        collector.all_shipped()
    assert raw_and_rollup(collector, "months") == [expected(rows), expected(rows)]


@pytest.mark.timeout(240)
def test_a_killed_collector_loses_and_doubles_nothing(fresh_collector: Make, operation: Make) -> None:
    collector: CollectorProcess = fresh_collector()
    collector.start()
    chance = random.Random(7)
    rows: list[OperationRow] = []
    for kill in range(5):
        for segment in range(20):
            batch = [operation(len(rows) + number, "killed") for number in range(200)]
            rows += batch
            spooled(collector, f"w{kill}-{segment}", batch)
        time.sleep(chance.uniform(0.02, 0.4))
        collector.kill()
        collector.start()
    collector.all_shipped()
    assert raw_and_rollup(collector, "killed") == [expected(rows), expected(rows)]
    assert collector.stop() == 0


@pytest.mark.timeout(240)
def test_rows_wait_while_clickhouse_is_away(fresh_collector: Make, operation: Make) -> None:
    server: CollectorProcess = fresh_collector()
    server.start()
    port = server.address.port
    shipper: CollectorProcess = fresh_collector(
        url=f"http://flyball@127.0.0.1:{port}/flyball", password=server.address.password.reveal()
    )
    shipper.start()
    rows = [operation(number, "away") for number in range(600)]
    spooled(shipper, "before", rows[:200])
    shipper.all_shipped()
    server.kill()
    spooled(shipper, "during", rows[200:400])
    deadline = time.monotonic() + 20
    while not (metrics := shipper.metrics())["lag_seconds"] > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert metrics["away"] is True
    assert metrics["sealed_segments"] == 1
    assert metrics["lag_seconds"] > 1
    server.changes["listen"] = f"127.0.0.1:{port}"
    server.start()
    spooled(shipper, "after", rows[400:])
    shipper.all_shipped()
    assert raw_and_rollup(server, "away") == [expected(rows), expected(rows)]
    assert shipper.stop() == 0
    assert shipper.metrics()["shipped_rows"] == 600 + 3, "and a link of the chain for each segment"
    assert server.stop() == 0


def test_what_is_sealed_at_shutdown_is_flushed(fresh_collector: Make, operation: Make) -> None:
    collector: CollectorProcess = fresh_collector()
    collector.start()
    rows = [operation(number, "flushed") for number in range(500)]
    for start in range(0, 500, 50):
        spooled(collector, f"w{start}", rows[start : start + 50])
    assert collector.stop() == 0
    assert list((collector.spool / "sealed").iterdir()) == []
    collector.start()
    assert raw_and_rollup(collector, "flushed") == [expected(rows), expected(rows)]


def test_a_segment_refused_five_times_is_put_aside(fresh_collector: Make, operation: Make) -> None:
    collector: CollectorProcess = fresh_collector()
    collector.start()
    (collector.spool / "sealed").mkdir(exist_ok=True)
    bad = SegmentName(first_ns=1, worker="bad", number=1, table=Table.OPERATIONS)
    (collector.spool / "sealed" / str(bad)).write_bytes(b'{"operation_id": "op_1", "charged_at": "not a time"}\n')
    spooled(collector, "good", [operation(1, "beside")])
    deadline = time.monotonic() + 90
    while not (collector.spool / "rejected" / str(bad)).exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert raw_and_rollup(collector, "beside")[0][0] == 1, "a bad segment holds up no good one"
    time.sleep(1.2)
    metrics = collector.metrics()
    assert (metrics["rejected_segments"], metrics["rejected_rows"]) == (1, 1)
    assert metrics["refusals"] in (5, 6), "once more where both went in one list first"


def test_migrations_are_numbered_in_order_and_each_number_once() -> None:
    numbers = [each.number for each in migrations()]
    assert numbers == sorted(set(numbers))


def test_migrating_again_changes_nothing(collector: CollectorProcess) -> None:
    client = collector.client()
    assert client.query("SELECT number FROM schema_migrations ORDER BY number").result_rows == [
        (each.number,) for each in migrations()
    ]


def test_old_months_are_dropped_without_a_mutation(collector: CollectorProcess, operation: Make) -> None:
    spooled(collector, "old", [operation(1, "old", charged_at="2024-01-05 00:00:00.000"), operation(2, "old")])
    collector.all_shipped()
    client = collector.client()
    deadline = time.monotonic() + 30
    while client.query("SELECT operation_id FROM operations WHERE org = 'old'").row_count > 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # Other tests erase users, which is one.
    assert client.query("SELECT count() FROM system.mutations WHERE command NOT LIKE '%UPDATE%'").result_rows == [(0,)]


def test_another_retention_is_applied_at_the_next_start(fresh_collector: Make, operation: Make) -> None:
    collector: CollectorProcess = fresh_collector(operations_days=400)
    collector.start()
    assert collector.stop() == 0
    collector.changes["operations_days"] = 31
    collector.start()
    shown = "SELECT name, extract(engine_full, 'toIntervalDay\\((\\d+)\\)') FROM system.tables"
    answer = collector.client().query(f"{shown} WHERE database = 'flyball' AND engine_full LIKE '%TTL%'")
    kept = {str(name): days for name, days in answer.result_rows}
    assert (kept["operations"], kept["spend_days"], kept["attempts"], kept["decisions"]) == ("31", "31", "90", "400")
    assert kept.keys() == {each.table for each in retained(step.sql for step in migrations())}


def test_a_store_of_a_newer_flyball_is_refused(fresh_collector: Make, capfd: pytest.CaptureFixture[str]) -> None:
    collector: CollectorProcess = fresh_collector()
    collector.start()
    client = collector.client()
    client.command("INSERT INTO schema_migrations (number, name, sha256) VALUES (999, 'future', '')")
    assert collector.stop() == 0
    with pytest.raises(AssertionError, match="did not start"):
        collector.start()
    collector.wait()
    assert "newer Flyball" in capfd.readouterr().err


def test_the_engine_has_its_memory_ceiling(fresh_collector: Make) -> None:
    collector: CollectorProcess = fresh_collector(memory_mb=700)
    collector.start()
    asked = "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'"
    assert collector.client().query(asked).result_rows == [(str(700 * 1024 * 1024),)]


def test_a_backlog_of_many_small_segments_ships_fast_around_a_bad_one(fresh_collector: Make, operation: Make) -> None:
    collector: CollectorProcess = fresh_collector()
    rows = [operation(number, "backlog") for number in range(3000)]
    for number, row in enumerate(rows):
        spooled(collector, f"w{number}", [row])
    bad = SegmentName(first_ns=1, worker="bad", number=1, table=Table.OPERATIONS)
    (collector.spool / "sealed" / str(bad)).write_bytes(b'{"operation_id": "op_1", "charged_at": "not a time"}\n')
    collector.start()
    deadline = time.monotonic() + 90
    while (collector.spool / "sealed").exists() and {*os.listdir(collector.spool / "sealed")} - {str(bad)}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert raw_and_rollup(collector, "backlog") == [expected(rows), expected(rows)]
    parts = collector.client().query("SELECT count() FROM system.parts WHERE table = 'operations'").result_rows[0][0]
    assert parts < 400, "small segments must not each become a part"
    collector.kill()
    assert len(list((collector.spool / "lists").iterdir())) == 0
