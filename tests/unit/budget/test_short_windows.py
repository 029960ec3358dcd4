"""Budgets of short and rolling windows, through the ledger: what counts, what is shown, what is forgotten."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from proxy.budget import BudgetEntry, BudgetStore, Granted, Short, SqliteLedger
from proxy.budget.schema import STEPS
from proxy.core.clock import SetClock
from proxy.state import StateFile, migrate
from tests.contract.ledger.kinds import request

USD = 10**9


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    made = StateFile(tmp_path / "ledger.sqlite")
    yield made
    made.close()


def store_with(state: StateFile, clock: SetClock, window: str, length: str = "") -> BudgetStore:
    store = BudgetStore(state, clock=clock)
    store.sync_from_file(
        [BudgetEntry(name="b", scope="org:acme", limit_usd=Decimal(100), window=window, length=length)]  # type: ignore[arg-type]
    )
    return store


async def held(store: BudgetStore, ledger: SqliteLedger, clock: SetClock, operation: str, usd: int) -> bool:
    """Whether a call that costs so much fits now; it is settled at that."""
    lines = store.load().lines_for(("org:acme",), clock.now_ns())
    verdict = await ledger.hold(request(operation, usd * USD, *lines))
    if isinstance(verdict, Short):
        (shown,) = store.states()
        assert (verdict.spent, verdict.held) == (shown.spent, shown.held)
        return False
    assert isinstance(verdict, Granted)
    await ledger.settle(operation, verdict.amount, clock.now_ns())
    return True


async def test_a_rolling_budget_frees_money_bucket_by_bucket(state: StateFile, clock: SetClock) -> None:
    store, ledger = store_with(state, clock, "rolling", "60m"), SqliteLedger(state, clock=clock)
    assert await held(store, ledger, clock, "op_1", 60)
    clock.move(600)
    assert await held(store, ledger, clock, "op_2", 40)
    assert not await held(store, ledger, clock, "op_3", 1)
    (state_now,) = store.states()
    assert (state_now.window, state_now.remaining) == ("2026-11-20T12:10:00Z", 0)
    assert state_now.resets_at_ns == int(datetime(2026, 11, 20, 12, 11, tzinfo=UTC).timestamp()) * USD
    clock.move(3000)  # an hour after the first call: its bucket counts whole
    assert not await held(store, ledger, clock, "op_4", 1)
    clock.move(30)
    assert await held(store, ledger, clock, "op_5", 60)
    assert not await held(store, ledger, clock, "op_6", 1)
    await ledger.close()


async def test_a_minute_starts_over(state: StateFile, clock: SetClock) -> None:
    store, ledger = store_with(state, clock, "minute"), SqliteLedger(state, clock=clock)
    assert await held(store, ledger, clock, "op_1", 100)
    assert not await held(store, ledger, clock, "op_2", 1)
    clock.move(30)
    assert await held(store, ledger, clock, "op_3", 100)
    await ledger.close()


async def test_minutes_long_past_are_forgotten_unless_something_is_held_there(
    state: StateFile, clock: SetClock
) -> None:
    store, ledger = store_with(state, clock, "minute"), SqliteLedger(state, clock=clock)
    assert await held(store, ledger, clock, "op_old", 1)
    clock.move(60)
    lines = store.load().lines_for(("org:acme",), clock.now_ns())
    await ledger.hold(request("op_open", USD, *lines))
    clock.move(2 * 86_400 + 120)
    for number in range(70):
        await held(store, ledger, clock, f"op_{number}", 1)
    with state.read() as connection:
        windows = [row[0] for row in connection.execute("SELECT window FROM counters ORDER BY window")]
    assert windows == ["2026-11-20T12:01Z", "2026-11-22T12:03Z"]
    await ledger.settle("op_open", request("", USD).amount, clock.now_ns())
    await ledger.close()


def test_budgets_of_an_older_state_file_stay(state: StateFile, clock: SetClock) -> None:
    connection = state.connect()
    migrate(connection, "budget", STEPS[:1])
    connection.execute(
        "INSERT INTO budgets VALUES ('bud_1', 'b', 'org:acme', 'month', 'UTC', 5, 1, 'api', 0, '2026-11', 0)"
    )
    connection.execute("INSERT INTO counters (budget, window, spent) VALUES ('bud_1', '2026-11', 3)")
    connection.close()
    (shown,) = BudgetStore(state, clock=clock).states()
    assert (shown.budget.id, shown.limit, shown.spent, shown.budget.length) == ("bud_1", 5, 3, "")
