"""Who is taken for dead, and who only could not say that it lives."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.budget import BudgetSettings, HoldLine, HoldRequest, SqliteLedger, Unit
from proxy.core.clock import SetClock
from proxy.core.ids import new_id
from proxy.core.money import Nano
from proxy.processes.sweep import Sweeper
from proxy.state import StateFile
from proxy.telemetry import OperationRow, Spool, Table

LEASE_S = 60
NS = 1_000_000_000


@dataclass
class Scene:
    """A ledger with one hold of one worker, and the sweeper that looks after it."""

    clock: SetClock
    ledger: SqliteLedger
    sweeper: Sweeper
    path: Path

    async def renew(self) -> None:
        """The worker lives."""
        await self.ledger.renew("wrk_1", self.clock.now_ns() + LEASE_S * NS)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock = SetClock(datetime(2026, 11, 20, tzinfo=UTC))
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(StateFile(path), clock=clock, settings=BudgetSettings(lease_s=LEASE_S, patience_ms=50))
    sweeper = Sweeper(ledger, tmp_path / "spool", Spool(tmp_path / "spool", "wrk_0"), clock, lease_s=LEASE_S)
    made = Scene(clock, ledger, sweeper, path)
    await made.renew()
    until = clock.now_ns() + LEASE_S * NS
    request = HoldRequest(
        operation=new_id("op"),
        worker="wrk_1",
        lines=(),
        amount=Nano(1),
        charged_at_ns=clock.now_ns(),
        lease_until_ns=until,
        start_record=b"",
        dispatched=True,
    )
    await ledger.hold(request)
    yield made
    await ledger.close()


async def test_what_a_dead_worker_recorded_is_booked_by_its_row(scene: Scene, tmp_path: Path) -> None:
    """Tokens and places too, and not as they were held."""
    units = {"spent": Unit.USD, "talked": Unit.TOKENS, "called": Unit.REQUESTS, "placed": Unit.SLOTS}
    lines = tuple(
        HoldLine(
            budget=name,
            name=name,
            scope="org:acme",
            window="total",
            limit=Nano(10_000),
            unit=unit,
            amount=None if unit is Unit.USD else 1 if unit is not Unit.TOKENS else 500,
        )
        for name, unit in units.items()
    )
    operation = new_id("op")
    request = HoldRequest(
        operation=operation,
        worker="wrk_2",
        lines=lines,
        amount=Nano(900),
        charged_at_ns=scene.clock.now_ns(),
        lease_until_ns=scene.clock.now_ns() + LEASE_S * NS,
        start_record=b"",
        dispatched=True,
    )
    await scene.ledger.hold(request)
    row = OperationRow(
        operation_id=operation, charged_at="", finished_at="", org="acme", team="t", key_id="k", key_name="k"
    )
    row.cost_usd, row.input_tokens, row.output_tokens, row.attempts = "0.000000700", 8, 20, 1
    Spool(tmp_path / "spool", "wrk_2").append(Table.OPERATIONS, row)
    await scene.sweeper.sweep_worker("wrk_2")
    balances = {line.name: (spent, held) for line, spent, held in await scene.ledger.balances(lines)}
    assert balances == {"spent": (700, 0), "talked": (28, 0), "called": (1, 0), "placed": (0, 0)}


async def test_a_worker_that_does_not_renew_though_it_could_hangs(scene: Scene) -> None:
    for seconds, hanging in ((30, False), (31, False), (20, False), (11, True)):
        scene.clock.move(seconds)
        assert bool(await scene.sweeper.hanging()) is hanging, seconds
    assert await scene.sweeper.hanging() == {"wrk_1"}


async def test_one_that_renews_again_in_time_is_let_live(scene: Scene) -> None:
    scene.clock.move(LEASE_S + 1)
    assert await scene.sweeper.hanging() == set()
    await scene.renew()
    scene.clock.move(40)
    assert await scene.sweeper.hanging() == set()
    scene.clock.move(LEASE_S)
    assert await scene.sweeper.hanging() == set()


async def test_nobody_hangs_while_nobody_can_renew(scene: Scene) -> None:
    """A backup that locks the ledger for minutes once had every worker killed, with all their calls."""
    other = sqlite3.connect(scene.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(10):
        scene.clock.move(LEASE_S)
        assert await scene.sweeper.hanging() == set()
    other.execute("ROLLBACK")
    other.close()
    assert await scene.sweeper.hanging() == set()
    await scene.renew()
    scene.clock.move(LEASE_S // 2 + 1)
    assert await scene.sweeper.hanging() == set()
