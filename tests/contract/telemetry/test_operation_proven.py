"""An operation is proven to be as it was shipped, or said not to be: changed, taken out, its chain tampered with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from proxy.admin.audit import StateAuditLog
from proxy.admin.tables import Tables
from proxy.app.audit_post import Noticed
from proxy.app.operation_check import OperationReport, check_operation, check_segments
from proxy.core.clock import SystemClock, stamp
from proxy.core.ids import new_id
from proxy.state import StateFile
from proxy.telemetry import OperationRow, Reader, SegmentRow, Spool, Table
from tests.contract.telemetry.collecting import CollectorProcess

Make = Callable[..., Any]


def ship(collector: CollectorProcess, rows: list[OperationRow], worker: str) -> None:
    spool = Spool(collector.spool, worker)
    for row in rows:
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
    spool.close()


async def test_rows_are_as_they_were_shipped_or_it_is_told(
    fresh_collector: Make, operation: Make, tmp_path: Path
) -> None:
    collector: CollectorProcess = fresh_collector()
    collector.start()
    said = {"tags": {"a": "b"}, "end_user": "u1", "decision": "ünï\"'\n", "cost_usd": "0.1"}
    many = [
        [operation(number, "acme", operation_id=new_id("op"), **said) for number in range(start, start + 3)]
        for start in (0, 10, 20)
    ]
    for number, rows in enumerate(many):
        for row in rows:
            row.charged_at = row.finished_at = stamp(SystemClock().now_ns())
        ship(collector, rows, f"wrk_{number}")
        collector.all_shipped()
    trail = StateAuditLog(Tables(StateFile(tmp_path / "ledger.sqlite")))
    reader = Reader(collector.address)
    one = many[1][0].operation_id

    async def checked(of: str = one) -> OperationReport:
        return await check_operation(of, trail, reader)

    assert "not in the chain yet" in (await checked()).why
    collector.stop()  # the links are spooled, and shipped on the way out or at the next start
    Noticed(trail, SystemClock()).segments_end(collector.spool)
    collector.start()
    collector.all_shipped()
    await reader.close()
    reader = Reader(collector.address)

    for rows in many:
        good = await checked(rows[2].operation_id)
        assert good.proven, good.why
        assert "one of 3 rows" in good.facts[0] and "whole up to 3, anchored" in good.facts[1]
    (chain,) = await check_segments(trail, reader)
    assert (chain.links, chain.anchored, chain.why) == (3, 3, "")
    assert "no such operation" in (await checked(new_id("op"))).why

    # A person may be taken out of a row: no proof is lost.
    with collector.client() as client:
        change = "ALTER TABLE operations UPDATE {} WHERE operation_id = '{}' SETTINGS mutations_sync = 1"
        client.command(change.format("end_user = '', tags = map()", one))
        assert (await checked()).proven
        for column, wrong, right in (
            ("cost_usd", "0.2", "0.1"),
            ("cost_usd", "NULL", "0.1"),
            ("output_tokens", "11", "10"),
            ("model", "'gpt-5'", "'gpt-5-mini'"),
            ("outcome", "'refused'", "'ok'"),
        ):
            client.command(change.format(f"{column} = {wrong}", one))
            assert "not as they were shipped" in (await checked()).why, column
            client.command(change.format(f"{column} = {right}", one))
        assert (await checked()).proven
        # A link of the chain is changed, whole in itself: the next one does not follow it.
        (link,) = await reader.segments(first_ns=many[0][0].segment)
        client.command("ALTER TABLE shipped_segments UPDATE rows = 4 WHERE number = 1 SETTINGS mutations_sync = 1")
        assert "link 1" in (await checked()).why
        assert "link 1" in (await check_segments(trail, reader))[0].why, "also where no operation is named"
        client.command("ALTER TABLE shipped_segments UPDATE rows = 3 WHERE number = 1 SETTINGS mutations_sync = 1")
        assert (await checked()).proven and isinstance(link, SegmentRow)
        client.command("ALTER TABLE shipped_segments DELETE WHERE number = 3 SETTINGS mutations_sync = 1")
        assert "the audit chain names link 3" in (await checked()).why
        client.command("ALTER TABLE shipped_segments DELETE WHERE number = 2 SETTINGS mutations_sync = 1")
        assert "not in the chain" in (await checked()).why
        # A row is taken out: those that were shipped with it show it.
        gone = many[0][1].operation_id
        client.command(f"ALTER TABLE operations DELETE WHERE operation_id = '{gone}' SETTINGS mutations_sync = 1")
        assert "had 3 rows, ClickHouse has 2" in (await checked(many[0][0].operation_id)).why
    await reader.close()
