"""Rows are on disk before append returns, and a segment is sealed when its money is settled."""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.telemetry.rows import AttemptRow, OperationRow, Table
from proxy.telemetry.salvaging import Recorded, SalvagedRows, abandoned, salvage
from proxy.telemetry.segments import SegmentName, forget_oldest
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.spool import Spool


def operation(number: int, cost: str | None = "0.25") -> OperationRow:
    return OperationRow(
        operation_id=f"op_{number:032x}",
        charged_at="2026-11-20 10:00:00.000",
        finished_at="2026-11-20 10:00:01.000",
        org="acme",
        team="support",
        key_id="key_1",
        key_name="bot",
        cost_usd=cost,
    )


def costs(found: SalvagedRows) -> dict[str, Nano | None]:
    return {operation: row.cost for operation, row in found.rows.items()}


def attempt(number: int) -> AttemptRow:
    return AttemptRow(
        attempt_id=f"att_{number:032x}",
        operation_id=f"op_{number:032x}",
        started_at="2026-11-20 10:00:00.000",
        org="acme",
        team="support",
        key_id="key_1",
        key_name="bot",
    )


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 11, 20, 10, tzinfo=UTC))


@pytest.fixture
def spool(tmp_path: Path, clock: SetClock) -> Spool:
    return Spool(tmp_path, "w1", clock=clock)


def test_a_row_is_on_disk_when_append_returns(spool: Spool, tmp_path: Path) -> None:
    spool.append(Table.OPERATIONS, operation(1))
    (name,) = names(tmp_path / "open")
    content = (tmp_path / "open" / name).read_bytes()
    assert content.endswith(b"\n")
    said = msgspec.json.decode(content, type=OperationRow)
    assert said.segment == int(name.partition(".")[0]), "a row says which segment it is shipped in"
    said.segment = 0
    assert said == operation(1)
    assert spool.written == 1


def test_a_segment_waits_for_the_last_of_its_operations(spool: Spool, clock: SetClock, tmp_path: Path) -> None:
    spool.append("operations", operation(1))
    spool.append("operations", operation(2))
    clock.move(2)
    spool.settled(operation(1).operation_id)
    spool.seal_due()
    assert (len(names(tmp_path / "open")), names(tmp_path / "sealed"), spool.unsettled) == (1, [], 1)
    spool.append("operations", operation(3))
    assert len(names(tmp_path / "open")) == 2, "rows after the sealing time go to a new segment"
    spool.settled(operation(2).operation_id)
    assert len(names(tmp_path / "sealed")) == 1
    assert spool.unsettled == 1


def test_a_segment_is_sealed_at_its_age_and_not_before(spool: Spool, clock: SetClock, tmp_path: Path) -> None:
    spool.append("attempts", attempt(1))
    clock.move(0.9)
    spool.seal_due()
    assert names(tmp_path / "sealed") == []
    clock.move(0.2)
    spool.seal_due()
    (name,) = names(tmp_path / "sealed")
    parsed = SegmentName.parse(name)
    assert parsed == SegmentName(first_ns=1795168800_000_000_000, worker="w1", number=1, table=Table.ATTEMPTS)


def test_a_segment_is_sealed_at_its_size(tmp_path: Path, clock: SetClock) -> None:
    spool = Spool(tmp_path, "w1", settings=TelemetrySettings(seal_bytes=1000), clock=clock)
    for number in range(20):
        spool.append("attempts", attempt(number))
    sizes = [each.stat().st_size for each in (tmp_path / "sealed").iterdir()]
    assert len(sizes) > 2
    assert all(1000 <= size < 1600 for size in sizes)


def test_names_sort_by_age_over_tables_and_workers(tmp_path: Path, clock: SetClock) -> None:
    first, second = Spool(tmp_path, "w2", clock=clock), Spool(tmp_path, "w1", clock=clock)
    first.append("operations", operation(1))
    clock.move(0.001)
    second.append("attempts", attempt(1))
    clock.move(0.001)
    first.append("attempts", attempt(2))
    first.settled(operation(1).operation_id)
    first.close()
    second.close()
    assert [name.split(".")[1] for name in names(tmp_path / "sealed")] == ["w2", "w1", "w2"]


def test_a_clean_close_seals_everything(spool: Spool, tmp_path: Path) -> None:
    spool.append("operations", operation(1))
    spool.append("attempts", attempt(1))
    spool.settled(operation(1).operation_id)
    spool.close()
    assert names(tmp_path / "open") == []
    assert len(names(tmp_path / "sealed")) == 2


def test_a_close_leaves_open_what_still_has_to_be_settled(spool: Spool, tmp_path: Path) -> None:
    """The ledger was away when the worker ended: a sealed row would be taken for lost, and stand there twice."""
    spool.append("operations", operation(1))
    spool.append("attempts", attempt(1))
    spool.close()
    (left,) = names(tmp_path / "open")
    assert left.endswith("operations.jsonl")
    assert len(names(tmp_path / "sealed")) == 1


def test_what_a_dead_worker_recorded_tells_what_was_used(spool: Spool, tmp_path: Path) -> None:
    row = operation(1)
    row.attempts, row.input_tokens, row.cache_read_tokens = 1, 7, 3
    row.output_tokens, row.reasoning_tokens, row.tool_calls, row.tool_fees = 20, 5, 2, {"web_search": 1}
    spool.append("operations", row)
    unsent = operation(2)
    unsent.attempts, unsent.error = 1, "refused (not sent)"
    spool.append("operations", unsent)
    assert list(salvage(tmp_path, "w1").rows.values()) == [
        Recorded(Nano(250_000_000), 10, 25, 3, True),
        Recorded(Nano(250_000_000), 0, 0, 0, False),
    ]


def test_a_dead_worker_is_salvaged_with_its_torn_line_cut(spool: Spool, tmp_path: Path) -> None:
    spool.append("operations", operation(1))
    spool.append("operations", operation(2, cost=None))
    spool.append("attempts", attempt(1))
    for path in (tmp_path / "open").iterdir():
        with path.open("ab") as file:
            file.write(b'{"operation_id":"op_ha')
    assert abandoned(tmp_path, alive=["w2"]) == ("w1",)
    assert abandoned(tmp_path, alive=["w1"]) == ()

    found = salvage(tmp_path, "w1")
    assert costs(found) == {operation(1).operation_id: Nano(250_000_000), operation(2).operation_id: None}
    assert (found.torn_lines, found.unreadable_lines) == (2, 0)
    assert salvage(tmp_path, "w1").rows == found.rows, "until sealed it can be read again"
    found.seal()
    assert names(tmp_path / "open") == []
    lines = b"".join(path.read_bytes() for path in (tmp_path / "sealed").iterdir()).splitlines()
    assert len(lines) == 3
    assert salvage(tmp_path, "w1").rows == {}


def test_settled_segments_are_not_salvaged(spool: Spool, clock: SetClock, tmp_path: Path) -> None:
    spool.append("operations", operation(1))
    spool.settled(operation(1).operation_id)
    clock.move(2)
    spool.seal_due()
    assert salvage(tmp_path, "w1").rows == {}


def test_a_segment_with_only_a_torn_line_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    name = SegmentName(first_ns=1, worker="w1", number=1, table=Table.OPERATIONS)
    (tmp_path / "open" / str(name)).write_bytes(b'{"operation_id"')
    found = salvage(tmp_path, "w1")
    found.seal()
    assert found.torn_lines == 1
    assert (names(tmp_path / "open"), names(tmp_path / "sealed")) == ([], [])


def test_lines_that_are_no_rows_are_counted(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    name = SegmentName(first_ns=1, worker="w1", number=1, table=Table.OPERATIONS)
    (tmp_path / "open" / str(name)).write_bytes(b'garbage\n{"operation_id":"op_1","cost_usd":"1.00000000001"}\n')
    assert salvage(tmp_path, "w1").unreadable_lines == 2


def test_a_full_spool_sheds_attempts_first_and_counts(
    tmp_path: Path, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, "w1", settings=TelemetrySettings(spool_mb=1), clock=clock)
    filler = SegmentName(first_ns=1, worker="w0", number=1, table=Table.ATTEMPTS)
    (tmp_path / "sealed").mkdir()
    (tmp_path / "sealed" / str(filler)).write_bytes(b"x" * (950 * 1024))
    spool.measure()
    with caplog.at_level(logging.ERROR):
        spool.append("attempts", attempt(1))
        spool.append("attempts", attempt(2))
        spool.append("operations", operation(1))
    assert (spool.dropped, spool.written) == ({("attempts", "full"): 2}, 1)
    assert len(caplog.records) == 1, "said once a minute"
    (tmp_path / "sealed" / str(filler)).unlink()
    clock.move(6)
    spool.seal_due()
    deadline = time.monotonic() + 5
    while spool.written < 2:
        assert time.monotonic() < deadline, "the timer measures again"
        spool.append("attempts", attempt(3))
        time.sleep(0.001)


def test_operations_are_shed_at_the_bound(tmp_path: Path, clock: SetClock) -> None:
    spool = Spool(tmp_path, "w1", settings=TelemetrySettings(spool_mb=1), clock=clock)
    (tmp_path / "sealed").mkdir()
    filler = SegmentName(first_ns=1, worker="w0", number=1, table=Table.ATTEMPTS)
    (tmp_path / "sealed" / str(filler)).write_bytes(b"x" * (1024 * 1024))
    spool.measure()
    spool.append("operations", operation(1))
    assert spool.dropped == {("operations", "full"): 1}


def test_a_disk_that_cannot_be_written_never_stops_serving(
    tmp_path: Path, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "open").write_text("a file where the folder should be")
    spool = Spool(tmp_path, "w1", clock=clock)
    with caplog.at_level(logging.ERROR):
        for number in range(50):
            spool.append("operations", operation(number))
        clock.move(61)
        spool.append("operations", operation(51))
    assert spool.dropped == {("operations", "disk"): 51}
    assert len(caplog.records) == 2
    (tmp_path / "open").unlink()
    clock.move(2)
    spool.append("operations", operation(52))
    assert spool.written == 1


@pytest.mark.parametrize("worker", ["", "a/b", "a.b", "../x", "x" * 65])
def test_a_worker_name_that_is_no_file_name_is_refused(tmp_path: Path, worker: str) -> None:
    with pytest.raises(ValueError, match="worker name"):
        Spool(tmp_path, worker)


def test_a_write_cut_short_by_the_disk_leaves_no_half_line(tmp_path: Path, clock: SetClock) -> None:
    import resource
    import signal

    spool = Spool(tmp_path, "w1", clock=clock)
    spool.append("operations", operation(1))
    (path,) = (tmp_path / "open").iterdir()
    whole = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 10, hard))
    try:
        spool.append("operations", operation(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert path.stat().st_size == whole
    assert spool.dropped == {("operations", "disk"): 1}
    spool.append("operations", operation(3))
    assert len(path.read_bytes().splitlines()) == 2


def test_of_what_was_put_aside_the_oldest_is_forgotten_and_counted(tmp_path: Path) -> None:
    for age in range(5):
        name = SegmentName(first_ns=10**18 + age, worker="w1", number=1, table=Table.ATTEMPTS)
        (tmp_path / str(name)).write_bytes(b"x" * 98 + b"\n\n")
    (tmp_path / "a note of somebody").write_text("stays")
    assert forget_oldest(tmp_path, keep_bytes=500) == 0
    assert forget_oldest(tmp_path, keep_bytes=299) == 6
    assert [each[:19] for each in names(tmp_path)] == [f"{10**18 + 3}", f"{10**18 + 4}", "a note of somebody"]
    assert forget_oldest(tmp_path / "nowhere", keep_bytes=0) == 0
