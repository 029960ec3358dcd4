"""Budgets in the state file, and the numbers they stand at."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from proxy.budget import (
    BadBudget,
    Budget,
    BudgetCatalog,
    BudgetConflict,
    BudgetEntry,
    BudgetSpec,
    BudgetStore,
    Granted,
    HoldLine,
    HoldRequest,
    LineKind,
    Short,
    SqliteLedger,
    Which,
    WindowKind,
)
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.state import StateFile

USD = 10**9


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 11, 20, 12, tzinfo=UTC))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    made = StateFile(tmp_path / "ledger.sqlite")
    yield made
    made.close()


@pytest.fixture
def store(state: StateFile, clock: SetClock) -> BudgetStore:
    return BudgetStore(state, clock=clock)


def spec(name: str = "acme", limit: int = 100, scope: str = "org:acme", opening: int = 0) -> BudgetSpec:
    return BudgetSpec(name=name, scope=scope, limit=Nano(limit), opening_spent=Nano(opening))


def entry(name: str = "acme", limit: int = 100, scope: str = "org:acme", opening: int = 0) -> BudgetEntry:
    return BudgetEntry(name=name, scope=scope, limit_usd=Decimal(limit), opening_spent_usd=Decimal(opening))


async def spend(store: BudgetStore, state: StateFile, clock: SetClock, operation: str, cost: int) -> None:
    """One call of org acme, settled."""
    ledger = SqliteLedger(state, clock=clock)
    lines = store.load().lines_for(("org:acme",), clock.now_ns())
    verdict = await ledger.hold(
        HoldRequest(
            operation=operation,
            worker="wrk",
            lines=lines,
            amount=Nano(cost),
            charged_at_ns=clock.now_ns(),
            lease_until_ns=clock.now_ns(),
            start_record=b"",
        )
    )
    assert isinstance(verdict, Granted)
    await ledger.settle(operation, Nano(cost), clock.now_ns())
    await ledger.close()


def numbers(store: BudgetStore) -> dict[str, tuple[int, int, int]]:
    return {each.budget.name: (each.limit, each.spent, each.remaining) for each in store.states()}


def test_a_budget_is_made_changed_and_deleted(store: BudgetStore, state: StateFile) -> None:
    before = state.generation()
    made = store.put(spec(limit=100))
    assert made.id.startswith("bud_")
    assert (made.managed_by, made.window, made.org) == ("api", WindowKind.MONTH, "acme")
    assert store.get("acme") == made
    changed = store.put(spec(limit=200))
    assert (changed.id, changed.limit) == (made.id, 200)
    assert store.list() == store.load().budgets == (changed,)
    assert store.delete("acme") is True
    assert store.delete("acme") is False
    assert store.list() == ()
    assert state.generation() == before + 3


def test_budgets_of_one_org_are_listed_alone(store: BudgetStore) -> None:
    store.put(spec("a"))
    store.put(spec("b", scope="team:acme/support"))
    store.put(spec("c", scope="key:other/team/bot"))
    assert [budget.name for budget in store.list("acme")] == ["a", "b"]
    assert [budget.name for budget in store.list()] == ["a", "b", "c"]
    store.put(spec("d", scope="user:acme/u/1"))
    store.put(spec("e", scope="org:acme2"))
    store.put(spec("f", scope="tag:acme2/x=acme/"))
    assert [budget.name for budget in store.list("acme")] == ["a", "b", "d"]
    assert [budget.name for budget in store.list("acme2")] == ["e", "f"]


def test_pages_are_read_no_further_than_needed(store: BudgetStore) -> None:
    for name in "abcdef":
        store.put(spec(name))
    asked: list[str] = []

    def keep(budget: Budget) -> bool:
        asked.append(budget.name)
        return budget.name != "c"

    assert [each.name for each in store.page(Which(after="a"), keep, 2)] == ["b", "d"]
    assert asked == ["b", "c", "d"]
    assert store.page(Which(kind=LineKind.RATE), keep, 2) == store.page(Which(org="other"), keep, 2) == ()
    store.put(spec("g"))


async def test_the_numbers_shown_are_the_numbers_of_a_refusal(
    store: BudgetStore, state: StateFile, clock: SetClock
) -> None:
    store.put(spec(limit=100))
    await spend(store, state, clock, "op_1", 30)
    ledger = SqliteLedger(state, clock=clock)
    lines = store.load().lines_for(("org:acme",), clock.now_ns())

    def request(operation: str, amount: int) -> HoldRequest:
        return HoldRequest(
            operation=operation,
            worker="wrk",
            lines=lines,
            amount=Nano(amount),
            charged_at_ns=0,
            lease_until_ns=0,
            start_record=b"",
        )

    await ledger.hold(request("op_2", 50))
    short = await ledger.hold(request("op_3", 21))
    assert isinstance(short, Short)
    (shown,) = store.states()
    assert (shown.window, shown.resets_at_ns) == (short.line.window, short.line.resets_at_ns)
    assert (shown.limit, shown.spent, shown.held, shown.remaining) == (short.line.limit, short.spent, short.held, 20)
    assert shown.resets_at_ns == int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * USD
    await ledger.settle("op_2", Nano(90), 1)
    (shown,) = store.states()
    assert (shown.spent, shown.held, shown.overrun, shown.remaining) == (120, 0, 40, 0)
    await ledger.close()


async def test_a_changed_limit_keeps_what_was_spent_and_another_scope_does_not(
    store: BudgetStore, state: StateFile, clock: SetClock
) -> None:
    first = store.put(spec(limit=100))
    await spend(store, state, clock, "op_1", 30)
    store.put(spec(limit=200))
    assert numbers(store) == {"acme": (200, 30, 170)}
    moved = store.put(spec(limit=200, scope="org:other"))
    assert moved.id != first.id
    assert numbers(store) == {"acme": (200, 0, 200)}


def test_opening_spend_counts_in_its_first_window_only(store: BudgetStore, clock: SetClock) -> None:
    store.put(spec(limit=100, opening=40))
    assert numbers(store) == {"acme": (100, 40, 60)}
    store.put(spec(limit=150, opening=40))
    assert numbers(store) == {"acme": (150, 40, 110)}
    clock.move(20 * 86_400)
    assert numbers(store) == {"acme": (150, 0, 150)}
    store.put(spec(limit=100, opening=40))
    assert numbers(store) == {"acme": (100, 0, 100)}
    store.put(spec(limit=100, opening=10))
    assert numbers(store) == {"acme": (100, 10, 90)}


async def test_opening_spend_is_held_against(store: BudgetStore, state: StateFile, clock: SetClock) -> None:
    store.put(spec(limit=100, opening=40))
    with pytest.raises(AssertionError):
        await spend(store, state, clock, "op_1", 61)
    await spend(store, state, clock, "op_2", 60)
    assert numbers(store) == {"acme": (100, 100, 0)}


def test_the_file_is_followed_and_following_it_again_changes_nothing(store: BudgetStore, state: StateFile) -> None:
    store.put(spec("mine"))
    assert store.sync_from_file([entry("a"), entry("b")]) == (("a", "b"), (), ())
    before = state.generation()
    assert store.sync_from_file([entry("b"), entry("a")]) == ((), (), ())
    assert state.generation() == before
    assert store.sync_from_file([entry("a", limit=5), entry("c")]) == (("c",), ("a",), ("b",))
    assert {(budget.name, budget.managed_by, budget.limit) for budget in store.list()} == {
        ("a", "file", 5 * USD),
        ("c", "file", 100 * USD),
        ("mine", "api", 100),
    }


def test_a_name_in_the_file_and_in_the_api_is_an_error_and_changes_nothing(store: BudgetStore) -> None:
    store.put(spec("a"))
    store.sync_from_file([entry("b")])
    with pytest.raises(BudgetConflict) as caught:
        store.sync_from_file([entry("c"), entry("a")])
    assert caught.value.code == "name_in_both"
    assert [budget.name for budget in store.list()] == ["a", "b"]


def test_a_name_that_stands_twice_in_the_file_is_an_error(store: BudgetStore) -> None:
    with pytest.raises(BadBudget, match="stands twice"):
        store.sync_from_file([entry("a"), entry("a", limit=5)])
    assert store.list() == ()


def test_the_api_cannot_touch_what_the_file_has(store: BudgetStore) -> None:
    store.sync_from_file([entry("a")])
    for change in (lambda: store.put(spec("a")), lambda: store.delete("a")):
        with pytest.raises(BudgetConflict) as caught:
            change()
        assert caught.value.code == "managed_by_file"
    assert [budget.managed_by for budget in store.list()] == ["file"]


async def test_a_budget_that_comes_back_to_the_file_goes_on_where_it_stopped(
    store: BudgetStore, state: StateFile, clock: SetClock
) -> None:
    store.sync_from_file([entry()])
    await spend(store, state, clock, "op_1", 30 * USD)
    store.sync_from_file([])
    assert store.list() == ()
    assert store.load().lines_for(("org:acme",), clock.now_ns()) == ()
    assert store.sync_from_file([entry()]).added == ("acme",)
    assert numbers(store) == {"acme": (100 * USD, 30 * USD, 70 * USD)}
    store.sync_from_file([])
    store.put(spec("acme", limit=7))
    assert numbers(store) == {"acme": (7, 0, 7)}


def test_what_has_not_changed_is_taken_from_the_snapshot_before(store: BudgetStore, clock: SetClock) -> None:
    for name in ("a", "b", "d", "e"):
        store.put(spec(name, scope=f"org:{name}"))
    first = store.load()
    store.put(spec("b", limit=7, scope="org:b"))
    store.put(spec("c", scope="org:c"))
    store.delete("d")
    store.raise_limit("e", Nano(5), until_ns=clock.now_ns() + USD, reason="x", made_by="y")
    second = store.load()
    assert [each.name for each in second.budgets] == ["a", "b", "c", "e"]
    assert second.budgets == store.list()
    assert [each in first.budgets for each in second.budgets] == [True, False, False, False]
    assert second.budgets[0] is first.budgets[0]

    def lines(catalog: BudgetCatalog, org: str) -> tuple[HoldLine, ...]:
        return catalog.lines_for((f"org:{org}",), clock.now_ns())

    assert lines(second, "a")[0] is lines(first, "a")[0]
    assert [lines(second, org)[0].limit for org in "abce"] == [100, 7, 100, 105]
    assert lines(second, "d") == ()
    store.put(spec("f", scope="user:f/*"))
    kept = (store.load().lines_for(("user:f/u",), 1), store.load().lines_for(("user:f/u",), 1))
    assert kept[0][0] is kept[1][0]
    observed = store.load(observing={"a"})
    assert (lines(observed, "a")[0].observed, lines(observed, "b")[0].observed) == (True, False)
    assert not lines(store.load(), "a")[0].observed
    clock.move(2)
    assert lines(store.load(), "e")[0].limit == 100
