"""`flyball telemetry`: tables as Parquet, and backups that come back as they were."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from proxy.cli import main
from proxy.telemetry import exporting
from proxy.telemetry.rows import OperationRow, Table
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

Make = Callable[..., Any]
ROWS = 300


def told_of(collector: CollectorProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the verbs find this collector as they find a running Flyball's."""
    (collector.folder / "run").mkdir(exist_ok=True)
    (collector.folder / "run" / "endpoints.json").write_text(json.dumps({"clickhouse": collector.endpoints["url"]}))
    monkeypatch.setenv("FLYBALL_HOME", str(collector.folder))
    monkeypatch.delenv("FLYBALL_CONFIG", raising=False)


def spooled(collector: CollectorProcess, rows: list[OperationRow]) -> None:
    spool = Spool(collector.spool, "kept")
    for row in rows:
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()


@pytest.fixture
def kept(collector: CollectorProcess, operation: Make, monkeypatch: pytest.MonkeyPatch) -> list[OperationRow]:
    told_of(collector, monkeypatch)
    tags = {"env": "a'b\\日本"}
    rows = [operation(number, "kept", charged_at=at(number), tags=tags) for number in range(ROWS)]
    spooled(collector, [*rows, operation(9999, "kept", charged_at="2026-11-19 23:59:59.999")])
    return rows


def at(number: int) -> str:
    """Most in one millisecond, the others over the day."""
    return "2026-11-20 10:00:00.000" if number % 2 else f"2026-11-20 {number // 60 % 24:02d}:{number % 60:02d}:00.001"


def test_a_day_of_one_org_as_parquet(
    kept: list[OperationRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exporting, "_ROWS_A_SLICE", 50)
    out = tmp_path / "x.parquet"
    asked = ["--since", "2026-11-20", "--until", "2026-11-21", "--org", "kept", "--out", str(out)]
    assert main(["telemetry", "export", *asked]) == 0
    assert f"{out}: {ROWS} rows" in capsys.readouterr().out
    table = pq.read_table(out)
    assert table.column_names[:2] == ["operation_id", "charged_at"]
    assert sorted(table["operation_id"].to_pylist()) == sorted(row.operation_id for row in kept)
    assert sum(table["cost_usd"].to_pylist()) == sum(Decimal(row.cost_usd or 0) for row in kept)
    assert dict(table["tags"][0].as_py()) == {"env": "a'b\\日本"}
    assert table["charged_at"][0].as_py().replace(tzinfo=UTC) == datetime(2026, 11, 20, 0, 0, 0, 1000, UTC)
    assert pq.ParquetFile(out).num_row_groups >= 4, "written slice by slice"
    assert list(tmp_path.iterdir()) == [out]

    assert main(["telemetry", "export", *asked]) == 1
    assert "exists already" in capsys.readouterr().err


def test_an_export_of_nothing_is_a_file_with_columns(kept: list[OperationRow], tmp_path: Path) -> None:
    out = tmp_path / "empty.parquet"
    asked = ["--table", "decisions", "--since", "2020-01-01", "--until", "2020-01-03", "--out", str(out)]
    assert main(["telemetry", "export", *asked]) == 0
    assert pq.read_table(out).num_rows == 0
    assert "decision_id" in pq.read_table(out).column_names


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["--since", "2026-11-20", "--until", "2026-11-20"], "no time between"),
        (["--since", "yesterday"], "yesterday"),
    ],
)
def test_what_cannot_be_exported_is_said(
    kept: list[OperationRow], tmp_path: Path, asked: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.parquet"
    try:
        assert main(["telemetry", "export", *asked, "--out", str(out)]) == 1
        assert why in capsys.readouterr().err
    except SystemExit as ended:
        assert why in str(ended)
    assert not out.exists()


def test_a_backup_comes_back_as_it_was(
    kept: list[OperationRow],
    collector: CollectorProcess,
    fresh_collector: Callable[..., CollectorProcess],
    operation: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    saved = tmp_path / "saved.tar.zst"
    assert main(["telemetry", "backup", "--out", str(saved)]) == 0
    assert str(saved) in capsys.readouterr().out
    assert main(["telemetry", "restore", str(saved)]) == 1
    assert "operations already" in capsys.readouterr().err
    asked = "SELECT count(), sum(cost_usd), (SELECT sum(calls) FROM spend_quarter_hours WHERE org = 'kept')"
    before = collector.client().query(f"{asked} FROM operations WHERE org = 'kept'").result_rows

    fresh = fresh_collector()
    fresh.start()
    told_of(fresh, monkeypatch)
    assert main(["telemetry", "restore", str(saved)]) == 0
    client = fresh.client()
    assert client.query(f"{asked} FROM operations WHERE org = 'kept'").result_rows == before
    spooled(fresh, [operation(77777, "kept")])
    assert client.query(f"{asked} FROM operations WHERE org = 'kept'").result_rows[0][2] == before[0][2] + 1
    assert not list((fresh.folder / "backups").iterdir()), "nothing is left of what was read"


def test_without_a_running_store_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLYBALL_HOME", str(tmp_path))
    monkeypatch.delenv("FLYBALL_CONFIG", raising=False)
    assert main(["telemetry", "backup"]) == 1
    assert "not running" in capsys.readouterr().err
