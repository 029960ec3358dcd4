"""Repricing over a real store: rows stay, sums follow, twice is once, and what was interrupted is finished."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from proxy.admin.audit import StateAuditLog
from proxy.admin.tables import Tables
from proxy.app.reprice_plan import Plan, RepriceFolder
from proxy.app.repricing import Kept, Repricer, Target
from proxy.cli import main
from proxy.core.clock import SystemClock
from proxy.pricing import PricingSettings, load_book
from proxy.processes.folder import StateFolder
from proxy.state import StateFile
from proxy.telemetry import CorrectionRow, Corrections, RepriceQuery, SpendQuery
from proxy.telemetry.reader import Reader
from proxy.telemetry.rows import AttemptRow, OperationRow, Table
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

ORG = "repriced"
START, END = datetime(2026, 11, 19, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
CHEAP = (
    "models: {m: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}, n: {input_usd_per_mtok: 3, output_usd_per_mtok: 0}}"
)
DEAR = (
    "models: {m: {input_usd_per_mtok: 10, output_usd_per_mtok: 20.0001},"
    " n: {input_usd_per_mtok: 3, output_usd_per_mtok: 0}, u: {input_usd_per_mtok: 5, output_usd_per_mtok: 0}}"
)


@pytest.fixture(scope="module")
def seeded(collector: CollectorProcess) -> CollectorProcess:
    spool = Spool(collector.spool, ORG)
    for number, changes in enumerate(_operations(), start=1):
        row = _operation(number, **changes)
        for at, attempt in enumerate(changes.get("split", [row.input_tokens] if row.attempts else []), start=1):
            spool.append(Table.ATTEMPTS, _attempt(row, at, attempt))
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()
    return collector


def _operations() -> list[dict[str, Any]]:
    """Calls of each kind, and what they cost at the cheap prices."""
    return [
        {"input_tokens": 1, "output_tokens": 1, "cost_usd": "0.000003", "charged_at": "2026-11-19 23:59:59.999"},
        # Each attempt of it is rounded on its own: 20.0001 dollars a million of five tokens is 100000.5 nano-dollars.
        {"output_tokens": 10, "attempts": 2, "split": [5, 5], "cost_usd": "0.000020", "input_tokens": 0},
        {"model": "n", "requested_model": "n", "input_tokens": 7, "cost_usd": "0.000021"},
        {"model": "u", "requested_model": "u", "input_tokens": 2, "cost_usd": None},
        {"outcome": "lost", "input_tokens": 0, "usage_source": "estimated", "cost_usd": "0.5"},
        {"outcome": "refused", "attempts": 0, "input_tokens": 0, "usage_source": "none", "cost_usd": "0.00"},
        {"attempts": 2, "split": [5], "input_tokens": 9, "cost_usd": "0.000009"},
        # Its attempt was shed: the operation has the same buckets.
        {"split": [], "input_tokens": 4, "cost_usd": "0.000004", "charged_at": "2026-11-21 23:59:59.999"},
        {"model": "gone", "requested_model": "gone", "input_tokens": 4, "cost_usd": "0.01"},
    ]


def _operation(number: int, **changes: Any) -> OperationRow:
    values: dict[str, Any] = {
        "operation_id": f"op_{ORG}_{number:024x}",
        "charged_at": f"2026-11-20 10:00:{number:02d}.000",
        "finished_at": "2026-11-20 11:00:00.000",
        "org": ORG,
        "team": "support",
        "key_id": "key_1",
        "key_name": "bot",
        "model": "m",
        "requested_model": "m",
        "provider": "here",
        "outcome": "ok",
        "usage_source": "provider",
        "attempts": 1,
        "run": "loop",
        "tags": {"env": "a'b", "tier": "gold"},
        "ladder": ["downgrade:month"],
        **changes,
    }
    values.pop("split", None)
    values["list_usd"] = values["cost_usd"]
    return OperationRow(**values)


def _attempt(row: OperationRow, number: int, tokens: int) -> AttemptRow:
    used: dict[str, Any] = {"output_tokens": tokens} if not row.input_tokens else {"input_tokens": tokens}
    used = used if row.attempts > 1 else {"input_tokens": row.input_tokens, "output_tokens": row.output_tokens}
    return AttemptRow(
        attempt_id=f"att_{row.operation_id}_{number}",
        operation_id=row.operation_id,
        started_at=row.charged_at,
        org=ORG,
        team="support",
        key_id="key_1",
        key_name="bot",
        number=number,
        provider="here",
        sent_model=row.model,
        model="never-heard-of",
        usage_source=row.usage_source,
        **used,
    )


@pytest.fixture
async def corrections(seeded: CollectorProcess) -> AsyncIterator[Corrections]:
    made = Corrections(seeded.address, page=2)
    yield made
    await made.close()


def _repricer(folder: Path, overlay: str) -> Repricer:
    path = folder / "prices.yaml"
    path.write_text(overlay)
    return Repricer(Target(book=load_book(PricingSettings(overlay=path))), {}, "test")


async def _plan(folder: RepriceFolder, corrections: Corrections, repricer: Repricer) -> Plan:
    asked = RepriceQuery(start=START, end=END, org=ORG)
    return await folder.plan(corrections, asked, repricer, SystemClock(), lambda _: None)


async def _spent(collector: CollectorProcess) -> tuple[int, int, int]:
    """Cost, calls and unpriced calls, as every sum has them."""
    reader = Reader(collector.address)
    found: set[tuple[int, int, int]] = set()
    for group in ((), ("team",), ("run",), ("tag:env",), ("requested_model", "route")):
        rows = await reader.spend(SpendQuery(org=ORG, start=START, end=END, group_by=group))
        found.add((sum(row.cost for row in rows), sum(row.calls for row in rows), sum(row.unpriced for row in rows)))
    await reader.close()
    client = collector.client()
    for table in ("spend_quarter_hours", "spend_days", "call_days", "run_days", "tag_quarter_hours", "tag_days"):
        of = f"FROM {table} WHERE org = '{ORG}'" + (" AND tag = 'env'" if table.startswith("tag") else "")
        ((cost, calls, unpriced),) = client.query(f"SELECT sum(cost_usd), sum(calls), sum(unpriced) {of}").result_rows
        found.add((int(cost.scaleb(9)), int(calls), int(unpriced)))
    assert len(found) == 1, found
    return found.pop()


async def test_a_reprice_is_shown_then_written_once_and_taken_back(
    seeded: CollectorProcess, corrections: Corrections, tmp_path: Path
) -> None:
    # What 1, 2, 4 and 8 cost at the dear prices: exact, rounded once an attempt, half to even.
    before, after = 510_057_000, 510_057_000 + (30_000 - 3_000) + (200_000 - 20_000) + 10_000 + (40_000 - 4_000)
    assert await _spent(seeded) == (before, 9, 1)
    folder, dear = RepriceFolder(tmp_path / "reprice"), _repricer(tmp_path, DEAR)

    plan = await _plan(folder, corrections, dear)
    assert (plan.corrections, plan.batches) == (4, 4)
    assert plan.kept == {Kept.SAME: 1, Kept.LOST: 1, Kept.INCOMPLETE: 1, Kept.NO_PRICE: 1}
    one = plan.differences[(ORG, "support", "m")]
    assert (one.calls, one.before, one.after) == (3, 27_000, 270_000)
    assert await _spent(seeded) == (before, 9, 1)

    folder.decide()
    rows = seeded.client().query(f"SELECT operation_id, cost_usd FROM operations WHERE org = '{ORG}' ORDER BY 1")
    # Killed after the first batch came to the store and before that was noted: it is sent again, and counts once.
    first = sorted((tmp_path / "reprice" / "decided").iterdir())[0]
    await corrections.write(first.read_bytes(), first.stem.partition(".")[2])
    again = RepriceFolder(tmp_path / "reprice")
    assert again.waiting() == 4
    assert await again.carry_out(corrections, lambda _: None) == 4
    assert await _spent(seeded) == (after, 9, 0)
    assert rows.result_rows == (
        seeded.client()
        .query(f"SELECT operation_id, cost_usd FROM operations WHERE org = '{ORG}' ORDER BY 1")
        .result_rows
    )

    plan = await _plan(folder, corrections, dear)
    assert (plan.corrections, plan.kept[Kept.SAME]) == (0, 5)

    # There and back, twice: each step is one of its own, though it writes the same amounts.
    for overlay, expected in ((CHEAP, before), (DEAR, after), (CHEAP, before), (DEAR, after)):
        if (await _plan(folder, corrections, _repricer(tmp_path, overlay))).corrections:
            folder.decide()
            await folder.carry_out(corrections, lambda _: None)
        # What had no price keeps the one it was given, where the cheap prices know none.
        assert await _spent(seeded) == (expected + (10_000 if overlay == CHEAP else 0), 9, 0)


async def test_a_plan_of_a_model_touches_no_other(corrections: Corrections, tmp_path: Path) -> None:
    folder = RepriceFolder(tmp_path / "reprice")
    seen: list[int] = []
    asked = RepriceQuery(start=START, end=END, org=ORG, filters={"model": ["n"]})
    plan = await folder.plan(
        corrections,
        asked,
        _repricer(
            tmp_path,
            DEAR.replace(
                "n: {input_usd_per_mtok: 3, output_usd_per_mtok: 0}",
                "n: {input_usd_per_mtok: 4, output_usd_per_mtok: 0}",
            ),
        ),
        SystemClock(),
        seen.append,
    )
    assert [names for names, _ in plan.differences.items()] == [(ORG, "support", "n")]
    assert sum(seen) == 1
    folder.discard()
    assert folder.waiting() == 0


def test_the_columns_of_corrections_are_those_of_the_row(collector: CollectorProcess) -> None:
    columns = collector.client().query(
        "SELECT name FROM system.columns WHERE database = 'flyball' AND table = 'corrections' ORDER BY position"
    )
    assert [name for (name,) in columns.result_rows] == list(CorrectionRow.__struct_fields__)


async def test_the_command_shows_writes_and_notes_in_the_audit_trail(
    collector: CollectorProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = Spool(collector.spool, "commanded")
    row = _operation(1, org="commanded", operation_id="op_commanded", input_tokens=1_000_000, cost_usd="1.000000001")
    spool.append(Table.OPERATIONS, row)
    spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()
    home = tmp_path / "home"
    StateFolder(home).make()
    StateFolder(home).write_endpoints({"clickhouse": collector.endpoints["url"]})
    (home / "clickhouse-password").write_text((collector.folder / "clickhouse-password").read_text())
    (tmp_path / "prices.yaml").write_text(DEAR)
    (tmp_path / "flyball.yaml").write_text("prices: {overlay: prices.yaml}")
    monkeypatch.setenv("FLYBALL_HOME", str(home))
    said = ["reprice", "--from=2026-11-20", "--until=2026-11-21", "--org=commanded"]
    said += [f"--config={tmp_path / 'flyball.yaml'}"]

    assert await asyncio.to_thread(main, [*said, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["difference_usd"], told["corrections"]) == ("8.999999999", 1)
    assert told["groups"] == [
        {
            "org": "commanded",
            "team": "support",
            "model": "m",
            "calls": 1,
            "before_usd": "1.000000001",
            "after_usd": "10.00",
        }
    ]
    assert await asyncio.to_thread(main, said) == 0  # nobody is there to say yes
    assert "say --yes" in capsys.readouterr().err
    assert await asyncio.to_thread(main, [*said, "--yes", "--reason=new contract"]) == 0
    assert "8.999999999" in capsys.readouterr().out
    assert await asyncio.to_thread(main, [*said, "--yes"]) == 0
    assert "nothing to correct" in capsys.readouterr().out
    rows = collector.client().query("SELECT delta_usd, reason FROM corrections WHERE org = 'commanded'").result_rows
    assert rows == [(Decimal("8.999999999"), "new contract")]
    (noted,) = StateAuditLog(Tables(StateFile(home / "ledger.sqlite"))).newest(
        before=None, org="commanded", team=None, filters={}, limit=9
    )
    assert (noted[1].action, noted[1].after) == ("money.reprice", b'{"corrections":1}')

    assert await asyncio.to_thread(main, [*said, "--to=yesterday"]) == 1
    assert "neither a day" in capsys.readouterr().err
    # A day whose rates count: the book's own, by the day they hold from.
    assert await asyncio.to_thread(main, [*said, "--to=2026-11-20", "--dry-run"]) == 0
    assert "nothing to correct" in capsys.readouterr().out
