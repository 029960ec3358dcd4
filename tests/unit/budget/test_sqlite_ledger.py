"""The SQLite ledger's own promises: a locked, broken or crowded file, and bounded work."""

import asyncio
import multiprocessing
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.budget import BudgetSettings, Granted, LedgerUnavailable, Short, SqliteLedger
from proxy.budget.steps import Release, number_of, settled_key
from proxy.core.clock import SetClock, SystemClock
from proxy.core.ids import new_id
from proxy.core.money import Nano
from proxy.state import StateFile
from tests.contract.ledger.contenders import lock_for
from tests.contract.ledger.kinds import line, request

SPAWN = multiprocessing.get_context("spawn")
BUDGET = line(limit=10**15)


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "ledger.sqlite")


@pytest.fixture
async def ledger(state: StateFile) -> AsyncIterator[SqliteLedger]:
    made = SqliteLedger(state, clock=SystemClock())
    yield made
    await made.close()


async def locked_elsewhere(path: Path, seconds: float) -> multiprocessing.process.BaseProcess:
    """Another process that has the write lock now and gives it up after that time."""
    reading, writing = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=lock_for, args=(path, seconds, writing))
    process.start()
    assert await asyncio.to_thread(reading.recv) == "locked"
    return process


async def longest_pause(until: "asyncio.Future[object]") -> float:
    """The longest time in seconds for which the loop did not turn."""
    longest, before = 0.0, time.monotonic()
    while not until.done():
        await asyncio.sleep(0.001)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
    return longest


@pytest.mark.alone
async def test_a_hold_waits_for_a_locked_file_without_stopping_the_loop(ledger: SqliteLedger, state: StateFile) -> None:
    process = await locked_elsewhere(state.path, 0.3)
    began = time.monotonic()
    holding: asyncio.Future[object] = asyncio.ensure_future(ledger.hold(request("op_1", 60, BUDGET)))
    pause = await longest_pause(holding)
    assert isinstance(holding.result(), Granted)
    assert 0.1 < time.monotonic() - began < 0.9
    assert pause < 0.25
    assert ledger.figures.busy > 5
    await asyncio.to_thread(process.join)


@pytest.mark.alone
async def test_a_file_locked_for_longer_is_said_to_be_unavailable_in_time(
    ledger: SqliteLedger, state: StateFile
) -> None:
    await ledger.hold(request("op_0", 60, BUDGET))
    process = await locked_elsewhere(state.path, 2)
    began = time.monotonic()
    asked = [ledger.hold(request("op_1", 60, BUDGET)), ledger.settle("op_0", Nano(50), 1)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert time.monotonic() - began <= 1.2
    assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable] * 2
    assert "ledger" in str(outcomes[0])
    # A reader waits for no one.
    assert (await ledger.balances((BUDGET,)))[0].held == 60
    await asyncio.to_thread(process.join)
    assert (await ledger.settle("op_0", Nano(50), 1)).already is False
    assert (await ledger.balances((BUDGET,)))[0][1:] == (50, 0)


async def test_a_hold_cancelled_while_the_file_is_locked_is_never_made(ledger: SqliteLedger, state: StateFile) -> None:
    blocker = state.connect()
    blocker.execute("BEGIN IMMEDIATE")
    holding = asyncio.ensure_future(ledger.hold(request("op_1", 60, BUDGET)))
    await asyncio.sleep(0.02)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    blocker.execute("ROLLBACK")
    blocker.close()
    await ledger.renew("wrk_1", 1)
    assert await ledger.holds_of("wrk_1") == []
    assert ledger.figures.orphans_released == 0


async def test_a_hold_granted_to_a_caller_just_cancelled_is_given_back(ledger: SqliteLedger) -> None:
    holding = asyncio.ensure_future(ledger.hold(request("op_1", 60, BUDGET)))
    for _ in range(50):
        await asyncio.sleep(0)
        if ledger.figures.steps:
            break
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    assert holding.cancelled()
    assert ledger.figures.orphans_released == 1
    await asyncio.sleep(0.005)
    assert await ledger.holds_of("wrk_1") == []


async def test_waiting_steps_share_transactions_of_bounded_size(ledger: SqliteLedger) -> None:
    await asyncio.gather(*[ledger.hold(request(new_id("op"), 1, BUDGET)) for _ in range(200)])
    assert ledger.figures.steps == 200
    assert 4 <= ledger.figures.batches <= 40


async def test_a_transaction_takes_no_further_step_once_its_time_is_up(state: StateFile) -> None:
    ledger = SqliteLedger(state, clock=SystemClock(), settings=BudgetSettings(batch_us=0))
    await asyncio.gather(*[ledger.hold(request(new_id("op"), 1, BUDGET)) for _ in range(20)])
    assert ledger.figures.batches == 20
    await ledger.close()


async def test_too_many_waiting_holds_are_refused_and_endings_never_are(state: StateFile) -> None:
    ledger = SqliteLedger(state, clock=SystemClock(), settings=BudgetSettings(max_waiting=3))
    asked = [ledger.hold(request(f"op_{at}", 1, BUDGET)) for at in range(5)]
    endings = [ledger.release(f"op_{at}") for at in range(5)]
    outcomes = await asyncio.gather(*asked, *endings, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[:5]] == [Granted] * 3 + [LedgerUnavailable] * 2
    assert outcomes[5:] == [True] * 3 + [False] * 2
    await ledger.close()


async def test_a_broken_store_fails_every_waiting_step_and_heals_without_a_restart(
    ledger: SqliteLedger, state: StateFile
) -> None:
    await ledger.hold(request("op_0", 60, BUDGET))
    breaker = state.connect()
    breaker.execute("ALTER TABLE holds RENAME TO gone")
    asked = [ledger.hold(request("op_1", 1, BUDGET)), ledger.settle("op_0", Nano(1), 1)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable] * 2
    with pytest.raises(LedgerUnavailable):
        await ledger.lapsed(1)
    breaker.execute("ALTER TABLE gone RENAME TO holds")
    breaker.close()
    assert (await ledger.settle("op_0", Nano(1), 1)).already is False
    assert isinstance(await ledger.hold(request("op_1", 1, BUDGET)), Granted)
    assert (await ledger.balances((BUDGET,)))[0][1:] == (1, 1)


async def test_a_store_that_cannot_be_opened_again_is_unavailable_until_it_can(
    ledger: SqliteLedger, state: StateFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*, busy_ms: int) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    ledger._let_go()
    monkeypatch.setattr(state, "connect", fail)
    with pytest.raises(LedgerUnavailable, match="unable to open"):
        await ledger.hold(request("op_1", 1, BUDGET))
    with pytest.raises(LedgerUnavailable, match="unable to open"):
        await ledger.balances((BUDGET,))
    monkeypatch.undo()
    assert isinstance(await ledger.hold(request("op_1", 1, BUDGET)), Granted)


async def test_a_fault_of_ours_in_one_step_undoes_its_transaction_and_stops_nobody_else(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))
    await ledger.hold(request("op_0", 5, BUDGET))

    def fault(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(Release, "run", fault)
    asked = [ledger.hold(request("op_1", 60, BUDGET)), ledger.release("op_0"), ledger.hold(request("op_2", 7, BUDGET))]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable, LedgerUnavailable, Granted]
    assert [type(each) for each in faults] == [ZeroDivisionError]
    assert (await ledger.balances((BUDGET,)))[0].held == 12


async def test_a_budget_deleted_under_an_open_hold_stops_nobody(ledger: SqliteLedger, state: StateFile) -> None:
    other = line("bud_other", limit=100)
    await ledger.hold(request("op_1", 60, BUDGET, other))
    with state.change() as connection:
        connection.execute("DELETE FROM counters WHERE budget = 'bud_other'")
    assert (await ledger.settle("op_1", Nano(50), 1)).already is False
    granted = await ledger.hold(request("op_2", 100, BUDGET, other))
    assert isinstance(granted, Granted)
    assert [balance.spent for balance in granted.balances] == [50, 0]


async def test_settled_operations_are_forgotten_in_bounded_steps_after_a_day(state: StateFile) -> None:
    clock = SetClock(datetime(2026, 11, 20, tzinfo=UTC))
    ledger = SqliteLedger(state, clock=clock)

    async def spend(calls: int) -> list[str]:
        operations = [new_id("op") for _ in range(calls)]
        for operation in operations:
            await ledger.hold(request(operation, 1, BUDGET))
            await ledger.settle(operation, Nano(1), clock.now_ns())
        return operations

    def remembered() -> int:
        with state.read() as connection:
            return int(connection.execute("SELECT count(*) FROM settled").fetchone()[0])

    old = await spend(300)
    assert remembered() == 300
    clock.move(86_300)
    await spend(100)
    assert remembered() == 400
    clock.move(200)
    await spend(200)
    assert remembered() == 300
    assert (await ledger.settle(old[0], Nano(1), 1)).unknown is True
    await ledger.close()
    state.close()


async def test_the_leases_of_workers_long_gone_are_forgotten(state: StateFile) -> None:
    clock = SetClock(datetime(2026, 11, 20, tzinfo=UTC))
    ledger = SqliteLedger(state, clock=clock)
    await ledger.renew("wrk_gone", clock.now_ns())
    await ledger.renew("wrk_owing", clock.now_ns())
    await ledger.hold(replace(request("op_kept", 1, BUDGET), worker="wrk_owing"))
    clock.move(3 * 86_400)
    for _ in range(70):
        operation = new_id("op")
        await ledger.hold(request(operation, 1, BUDGET))
        await ledger.settle(operation, Nano(1), clock.now_ns())
    with state.read() as connection:
        assert connection.execute("SELECT worker FROM leases").fetchall() == [("wrk_owing",)]
    await ledger.close()
    state.close()


def test_the_keys_of_operations_are_short_for_ours_and_sound_for_any() -> None:
    ours = new_id("op")
    assert len(settled_key(ours)) == 16
    for operation in (ours, "op_1", "op_" + "z" * 32, "", "ö"):
        assert 0 <= number_of(operation) < 2**62
        assert number_of(operation) == number_of(operation)
    assert len({settled_key(new_id("op")) for _ in range(100)}) == 100
    assert settled_key("op_" + "z" * 32) == b"op_" + b"z" * 32


async def test_what_was_read_is_remembered_only_until_someone_else_writes(state: StateFile) -> None:
    first, second = (SqliteLedger(state, clock=SystemClock()) for _ in range(2))
    tight = line(limit=100)
    for at in range(10):
        # Each has just read what the other changes next.
        assert isinstance(await first.hold(request(f"op_a{at}", 50, tight)), Granted)
        assert isinstance(await second.hold(request(f"op_b{at}", 50, tight)), Granted)
        assert isinstance(await first.hold(request(f"op_c{at}", 1, tight)), Short)
        await first.release(f"op_a{at}")
        await second.release(f"op_b{at}")
    with state.change() as connection:
        connection.execute("UPDATE counters SET opening = 100")
    assert isinstance(await first.hold(request("op_d", 1, tight)), Short)
    await first.close()
    await second.close()


async def test_a_window_that_was_forgotten_and_is_asked_for_again_counts_anew(state: StateFile) -> None:
    clock = SetClock(datetime(2026, 11, 20, tzinfo=UTC))
    ledger = SqliteLedger(state, clock=clock)
    ended = replace(line(limit=10, window="m1"), kept_until_ns=clock.now_ns() - 10**10)
    for at in range(70):
        await ledger.hold(request(f"op_{at}", 10, ended if at == 0 else BUDGET))
        await ledger.settle(f"op_{at}", Nano(7 if at == 0 else 1), clock.now_ns())
    with state.read() as connection:
        assert connection.execute("SELECT window FROM counters").fetchall() == [("2026-11",)]
    assert isinstance(await ledger.hold(request("op_again", 10, ended)), Granted)
    assert isinstance(await ledger.hold(request("op_more", 1, ended)), Short)
    assert (await ledger.balances((ended,)))[0][1:] == (0, 10)
    await ledger.close()
    state.close()
