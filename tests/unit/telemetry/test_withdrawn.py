"""Rows of a call that another host has settled as lost go no further."""

import json
from pathlib import Path

from proxy.core.clock import SystemClock
from proxy.telemetry import AttemptRow, DecisionRow, OperationRow, Spool, Table, TelemetrySettings, salvage


def operation(name: str) -> OperationRow:
    return OperationRow(
        operation_id=name, charged_at="", finished_at="", org="a", team="t", key_id="k", key_name="n", cost_usd="0.5"
    )


def attempt(name: str) -> AttemptRow:
    return AttemptRow(attempt_id="x", operation_id=name, started_at="", org="a", team="t", key_id="k", key_name="n")


def sealed(folder: Path) -> dict[str, list[str]]:
    """The operations in the sealed segments, by table."""
    found: dict[str, list[str]] = {}
    for path in sorted((folder / "sealed").iterdir()):
        rows = [json.loads(line)["operation_id"] for line in path.read_text().splitlines()]
        found.setdefault(path.name.split(".")[3], []).extend(rows)
    return found


def spooled(folder: Path, *names: str) -> Spool:
    spool = Spool(folder, "wrk_1", settings=TelemetrySettings(seal_after_ms=0), clock=SystemClock())
    for name in names:
        spool.append(Table.ATTEMPTS, attempt(name))
        spool.append(Table.OPERATIONS, operation(name))
    return spool


def test_a_withdrawn_operation_is_not_shipped(tmp_path: Path) -> None:
    spool = spooled(tmp_path, "op_1", "op_2", "op_3")
    spool.withdraw("op_2")
    spool.settled("op_1")
    assert spool.unsettled == 1
    spool.settled("op_3")
    spool.seal_due()
    assert sealed(tmp_path) == {"operations": ["op_1", "op_3"], "attempts": ["op_1", "op_3"]}


def test_one_withdrawn_from_a_segment_that_waits_lets_it_go(tmp_path: Path) -> None:
    spool = spooled(tmp_path, "op_1", "op_2")
    spool.settled("op_1")
    spool.seal_due()
    assert not list((tmp_path / "sealed").glob("*.operations.*"))
    spool.withdraw("op_2")
    assert sealed(tmp_path)["operations"] == ["op_1"]


def test_the_last_row_withdrawn_leaves_no_segment(tmp_path: Path) -> None:
    spool = spooled(tmp_path, "op_1")
    spool.withdraw("op_1")
    spool.close()
    assert not list((tmp_path / "sealed").glob("*"))
    assert not list((tmp_path / "open").glob("*"))


def test_what_is_salvaged_is_sealed_without_them(tmp_path: Path) -> None:
    spooled(tmp_path, "op_1", "op_2")
    left = salvage(tmp_path, "wrk_1")
    assert set(left.rows) == {"op_1", "op_2"}
    left.seal({"op_1"})
    assert sealed(tmp_path) == {"operations": ["op_2"], "attempts": ["op_2"]}


def decision(name: str) -> DecisionRow:
    return DecisionRow(decision_id="x", operation_id=name, decided_at="", org="a", team="t", key_id="k", key_name="n")


def test_what_policy_decided_stays_when_the_call_is_withdrawn(tmp_path: Path) -> None:
    spool = spooled(tmp_path, "op_1")
    spool.append(Table.DECISIONS, decision("op_1"))
    spool.withdraw("op_1")
    spool.close()
    assert sealed(tmp_path) == {"decisions": ["op_1"]}


def test_what_policy_decided_is_salvaged_whoever_has_the_call(tmp_path: Path) -> None:
    spool = spooled(tmp_path, "op_1")
    spool.append(Table.DECISIONS, decision("op_1"))
    salvage(tmp_path, "wrk_1").seal({"op_1"})
    assert sealed(tmp_path) == {"decisions": ["op_1"]}
