"""The audit chain beside its copy in ClickHouse: shipped once however often it is sent, and compared entry by entry."""

import sqlite3
from contextlib import closing
from pathlib import Path

from proxy.admin.audit import StateAuditLog
from proxy.admin.chain import Head, hash_of, row_of
from proxy.admin.rooms import Change
from proxy.admin.tables import Tables
from proxy.app.audit_check import ChainReport, check_chain
from proxy.app.audit_post import AuditPost, Noticed
from proxy.core.clock import SystemClock
from proxy.state import StateFile
from proxy.telemetry import Reader, Spool, Table, TelemetrySettings
from tests.contract.telemetry.collecting import CollectorProcess


def change(subject: str) -> Change:
    return Change(
        at_ns=SystemClock().now_ns(),
        actor="anna",
        role="owner",
        action="budget.put",
        subject=subject,
        org="acme",
        team=None,
        before=None,
        after='{"note":"it\'s ünïcode\\n"}'.encode(),
    )


async def checked(trail: StateAuditLog, collector: CollectorProcess, expected: Head | None = None) -> ChainReport:
    reader = Reader(collector.address)
    try:
        return await check_chain(trail, reader, expected)
    finally:
        await reader.close()


def in_state(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)) as connection:
        connection.execute(statement)


async def test_what_was_shipped_convicts_what_was_changed(collector: CollectorProcess, tmp_path: Path) -> None:
    trail = StateAuditLog(Tables(StateFile(tmp_path / "ledger.sqlite")))
    post = AuditPost(trail, collector.spool, tmp_path / "mark.json", TelemetrySettings(), "adm_1")
    for number in range(5):
        trail.append(change(f"budget:{number}"))
    Noticed(trail, SystemClock()).now_is("prices.take", "prices", {"version": "abc"})
    Noticed(trail, SystemClock()).now_is("prices.take", "prices", {"version": "abc"})
    noted = trail.entries(0)[-1]
    assert noted.number == 6, "what is the same as before is not noted again"
    post.ship_now()
    post.ship_now()
    (tmp_path / "mark.json").unlink()
    post.ship_now()
    collector.all_shipped()
    with collector.client() as client:
        assert client.query("SELECT count(), uniqExact(hash) FROM audit FINAL").result_rows == [(6, 6)]

    good = await checked(trail, collector, Head(noted.number, noted.hash))
    assert good.broken is None and not good.unasked
    assert (good.entries, good.head, good.shipped_from, good.shipped_to) == (6, Head(6, noted.hash), 1, 6)
    wrong = await checked(trail, collector, Head(6, "f" * 64))
    assert wrong.broken is not None and (wrong.broken.number, wrong.broken_in) == (6, "the state file")
    wrong = await checked(trail, collector, Head(7, "f" * 64))
    assert wrong.broken is not None and wrong.broken.number == 7

    # Whoever can write the state file makes a chain that is whole in itself: the copy shows it.
    in_state(tmp_path, "DELETE FROM audit WHERE number = 6")
    cut = await checked(trail, collector)
    assert cut.broken is not None and cut.broken.number == 6 and "cut off" in cut.broken.why
    trail.append(change("budget:forged"))
    forged = await checked(trail, collector)
    assert forged.broken is not None and (forged.broken.number, forged.broken_in) == (
        6,
        "ClickHouse beside the state file",
    )

    # And what is put into ClickHouse beside the truth is seen there.
    row = row_of(trail.entries(0)[2])
    row.actor, row.hash = "nobody", hash_of(3, change("budget:other"), row.previous)
    spool = Spool(collector.spool, "adm_2")
    spool.append(Table.AUDIT, row)
    spool.close()
    collector.all_shipped()
    doubled = await checked(trail, collector)
    assert doubled.broken is not None and (doubled.broken.number, doubled.broken_in) == (3, "ClickHouse")


async def test_without_clickhouse_the_state_file_is_checked_alone(tmp_path: Path) -> None:
    trail = StateAuditLog(Tables(StateFile(tmp_path / "ledger.sqlite")))
    trail.append(change("budget:1"))
    (tmp_path / "clickhouse-password").touch()
    collector = CollectorProcess(tmp_path, endpoints={"url": "http://127.0.0.1:9"})
    report = await checked(trail, collector)
    assert report.broken is None and report.entries == 1 and report.unasked
