"""Two hosts' sweepers over one ledger: a lost call has one row, whoever finds it, and whoever comes back."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from proxy.budget import BudgetSettings, HoldRequest, Ledger
from proxy.core.clock import Clock, SystemClock
from proxy.core.ids import new_id
from proxy.core.money import Nano
from proxy.journey.start_record import StartRecord
from proxy.processes.sweep import Sweeper
from proxy.telemetry import OperationRow, Spool, Table, TelemetrySettings
from tests.contract.ledger.kinds import line, opened

LEASE_S = 1
NS = 1_000_000_000


@dataclass
class Host:
    """One host's supervisor: its spool, its sweeper."""

    folder: Path
    name: str
    spool: Spool
    sweeper: Sweeper

    def rows(self) -> list[str]:
        """The operations it ships."""
        self.spool.close()
        paths = sorted((self.folder / "sealed").glob("*.operations.*")) if self.folder.exists() else []
        return [json.loads(each)["operation_id"] for path in paths for each in path.read_text().splitlines()]


def host(folder: Path, ledger: Ledger, clock: Clock) -> Host:
    name = new_id("sup")
    spool = Spool(folder, name, settings=TelemetrySettings(seal_after_ms=0), clock=clock)
    return Host(folder, name, spool, Sweeper(ledger, folder, spool, clock, lease_s=LEASE_S, name=name, shared=True))


@dataclass
class Scene:
    clock: Clock
    ledger: Ledger
    one: Host
    two: Host

    async def hold(self, worker: str, *, dispatched: bool = True) -> str:
        operation = new_id("op")
        known = {name: "" for name in StartRecord.__struct_fields__}
        record = StartRecord(**{**known, "operation_id": operation, "tags": {}, "streamed": False, "request_bytes": 0})  # type: ignore[arg-type]
        await self.ledger.hold(
            HoldRequest(
                operation=operation,
                worker=worker,
                lines=(line(limit=1000),),
                amount=Nano(100),
                charged_at_ns=self.clock.now_ns(),
                lease_until_ns=self.clock.now_ns() + LEASE_S * NS,
                start_record=msgspec.json.encode(record),
                dispatched=dispatched,
            )
        )
        return operation

    async def standing(self) -> tuple[int, int]:
        (balance,) = await self.ledger.balances([line(limit=1000)])
        return balance.spent, balance.held

    async def both_look(self) -> list[set[str]]:
        return list(await asyncio.gather(self.one.sweeper.hanging(), self.two.sweeper.hanging()))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock = SystemClock()
    settings = BudgetSettings(lease_s=LEASE_S)
    async with opened("redis", tmp_path, clock, settings) as ledger:
        one, two = (host(tmp_path / name, ledger, clock) for name in ("one", "two"))
        yield Scene(clock, ledger, one, two)


async def test_a_start_ends_only_its_own_hosts_holds(scene: Scene) -> None:
    theirs, ours = await scene.hold("wrk_theirs"), await scene.hold("wrk_ours")
    held = await scene.hold("wrk_ours", dispatched=False)
    await scene.one.sweeper.sweep_all(["wrk_ours"])
    assert scene.one.rows() == [ours]
    assert await scene.standing() == (100, 100)
    assert {each.operation for each in await scene.ledger.holds_of("wrk_theirs")} == {theirs}
    assert not await scene.ledger.release(held)


async def test_a_dead_hosts_call_is_lost_once_though_both_find_it(scene: Scene) -> None:
    lost = [await scene.hold("wrk_gone") for _ in range(5)]
    await asyncio.sleep(LEASE_S + 0.1)
    assert await scene.both_look() == [set(), set()]
    await asyncio.sleep(LEASE_S / 2)
    assert await scene.both_look() == [{"wrk_gone"}, {"wrk_gone"}]
    await asyncio.gather(*(each.sweeper.sweep_worker("wrk_gone") for each in (scene.one, scene.two)))
    assert sorted(scene.one.rows() + scene.two.rows()) == sorted(lost)
    assert await scene.standing() == (500, 0)


async def test_a_host_that_comes_back_does_not_ship_what_was_taken_for_lost(scene: Scene, tmp_path: Path) -> None:
    """Its worker had recorded an answer when the whole host died; another host has settled that call meanwhile."""
    taken, booked = await scene.hold("wrk_1"), await scene.hold("wrk_1")
    spool = Spool(scene.one.folder, "wrk_1", clock=scene.clock)
    for operation in (taken, booked):
        spool.append(
            Table.OPERATIONS,
            OperationRow(
                operation_id=operation,
                charged_at="",
                finished_at="",
                org="a",
                team="",
                key_id="",
                key_name="",
                cost_usd="0.00000007",
            ),
        )
    await scene.ledger.settle(booked, Nano(70), scene.clock.now_ns())
    await scene.two.sweeper.sweep_worker("wrk_1")
    await scene.one.sweeper.sweep_all(["wrk_1"])
    assert (scene.two.rows(), scene.one.rows()) == ([taken], [booked])
    assert await scene.standing() == (170, 0)


async def test_a_supervisor_that_dies_between_row_and_settle_ships_its_row_later(scene: Scene) -> None:
    lost = await scene.hold("wrk_gone")
    (hold,) = await scene.ledger.holds_of("wrk_gone")
    scene.one.sweeper._record_lost(hold, scene.clock.now_ns())
    again = host(scene.one.folder, scene.ledger, scene.clock)
    await again.sweeper.sweep_all(["wrk_gone"])
    await scene.two.sweeper.sweep_worker("wrk_gone")
    assert (again.rows(), scene.two.rows()) == ([lost], [])
    assert await scene.standing() == (100, 0)
