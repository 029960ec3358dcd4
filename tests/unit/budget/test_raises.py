"""Raises: a limit is higher for a while, and what it was the moment the raise ends."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import (
    BadBudget,
    BudgetEntry,
    BudgetSpec,
    BudgetStore,
    Raise,
    Rung,
    Unit,
    WindowKind,
    raised_by,
)
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.state import StateFile

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
HOUR = 3600 * 10**9


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "state.sqlite")


@pytest.fixture
def store(state: StateFile, clock: SetClock) -> BudgetStore:
    return BudgetStore(state, clock=clock)


def spec(name: str = "a", scope: str = "org:acme", **more: Any) -> BudgetSpec:
    stated: dict[str, Any] = {"name": name, "scope": scope, "limit": Nano(100)}
    return BudgetSpec(**stated | more)


def lift(store: BudgetStore, by: int = 50, until_ns: int = NOW_NS + HOUR, name: str = "a") -> Raise:
    made = store.raise_limit(name, Nano(by), until_ns=until_ns, reason="launch", made_by="anna@example.com")
    assert made is not None
    return made


def limits(store: BudgetStore, *at: int, scope: str = "org:acme") -> list[int]:
    catalog = store.load()
    return [catalog.lines_for((scope,), NOW_NS + each)[0].limit for each in at]


def test_a_limit_is_higher_until_the_raise_ends(store: BudgetStore, state: StateFile) -> None:
    store.put(spec())
    before = state.generation()
    made = lift(store)
    assert state.generation() == before + 1
    assert made.id.startswith("rai_")
    lift(store, 7, NOW_NS + 2 * HOUR)
    assert limits(store, 0, HOUR - 1, HOUR, 2 * HOUR - 1, 2 * HOUR) == [157, 157, 107, 107, 100]
    assert limits(store, 2 * HOUR, HOUR, 0) == [100, 107, 157]
    found = store.get("a")
    assert found is not None and (found.limit, [each.amount for each in found.raises]) == (100, [50, 7])


def test_the_line_of_a_steady_stretch_is_one_object(store: BudgetStore) -> None:
    store.put(spec())
    lift(store)
    catalog = store.load()
    (first,) = catalog.lines_for(("org:acme",), NOW_NS)
    assert catalog.lines_for(("org:acme",), NOW_NS + HOUR - 1)[0] is first
    (second,) = catalog.lines_for(("org:acme",), NOW_NS + HOUR)
    assert catalog.lines_for(("org:acme",), NOW_NS + 10 * HOUR)[0] is second


def test_each_scope_of_a_pattern_is_raised(store: BudgetStore) -> None:
    store.put(spec(scope="user:acme/*", window=WindowKind.TOTAL))
    lift(store)
    assert limits(store, 0, HOUR, 0, scope="user:acme/u") == [150, 100, 150]


def test_a_raise_raises_the_rungs_too(store: BudgetStore) -> None:
    store.put(spec(ladder=(Rung(500_000, "cache_only"), Rung(900_000, "block"))))
    lift(store, 100)
    (line,) = store.load().lines_for(("org:acme",), NOW_NS)
    assert (line.gate, line.limit, line.whole) == (100, 180, 200)


def test_the_state_shows_what_holds(store: BudgetStore, clock: SetClock) -> None:
    store.put(spec(opening_spent=Nano(95), ladder=(Rung(600_000, "alert"), Rung(900_000, "alert"))))
    lift(store)
    (shown,) = store.states()
    assert (shown.limit, shown.budget.limit, shown.remaining) == (150, 100, 55)
    assert [rung.at_millionths for rung in shown.rungs] == [600_000]
    clock.move(3600)
    (shown,) = store.states()
    assert (shown.limit, shown.remaining, shown.budget.raises) == (100, 5, ())
    assert [rung.at_millionths for rung in shown.rungs] == [600_000, 900_000]


def test_a_raise_is_ended_and_goes_with_its_budget(store: BudgetStore, state: StateFile) -> None:
    store.put(spec())
    made = lift(store)
    assert store.end_raise("a", made.id) == made
    assert limits(store, 0) == [100]
    assert store.end_raise("a", made.id) is None
    assert store.end_raise("nobody", made.id) is None
    lift(store)
    store.put(spec(limit=Nano(200)))
    assert limits(store, 0) == [250]
    store.put(spec(scope="org:beta"))
    assert limits(store, 0, scope="org:beta") == [100]
    lift(store)
    store.delete("a")
    with state.read() as connection:
        assert connection.execute("SELECT count(*) FROM budget_raises").fetchone() == (0,)


def test_ended_raises_are_forgotten_when_another_is_made(store: BudgetStore, state: StateFile, clock: SetClock) -> None:
    store.put(spec())
    lift(store)
    clock.move(7200)
    lift(store, 5, NOW_NS + 5 * HOUR)
    with state.read() as connection:
        assert connection.execute("SELECT amount FROM budget_raises").fetchall() == [(5,)]


def test_a_budget_of_the_file_is_raised_too_and_following_the_file_keeps_it(store: BudgetStore) -> None:
    entry = BudgetEntry(name="a", scope="org:acme", limit_requests=100)
    store.sync_from_file([entry])
    lift(store)
    assert store.sync_from_file([entry]) == ((), (), ())
    assert limits(store, 0) == [150]
    assert store.raise_limit("none", Nano(1), until_ns=NOW_NS + 1, reason="x", made_by="y") is None


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"by": 0}, "by_usd"),
        ({"by": 10**18}, "by_usd"),
        ({"until_ns": NOW_NS}, "until"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 501}, "reason"),
    ],
)
def test_raises_that_cannot_be_meant_so(store: BudgetStore, said: dict[str, Any], field: str) -> None:
    store.put(spec())
    whole: dict[str, Any] = {"by": Nano(1), "until_ns": NOW_NS + 1, "reason": "x", "made_by": "y"} | said
    with pytest.raises(BadBudget) as caught:
        store.raise_limit("a", whole.pop("by"), **whole)
    assert caught.value.field == field
    assert limits(store, 0) == [100]


def test_a_hundred_raises_are_enough(store: BudgetStore) -> None:
    store.put(spec())
    for _ in range(100):
        lift(store, 1)
    with pytest.raises(BadBudget, match="100 raises"):
        lift(store, 1)
    assert limits(store, 0) == [200]


def test_what_is_raised_is_what_is_counted() -> None:
    assert raised_by(Unit.USD, usd=Decimal("1.5")) == 1_500_000_000
    assert raised_by(Unit.OUTPUT_TOKENS, tokens=5) == 5
    assert raised_by(Unit.REQUESTS, requests=6) == 6
    assert raised_by(Unit.SLOTS, concurrent=7) == 7
    for unit, field in ((Unit.USD, "by_usd"), (Unit.SLOTS, "by_concurrent")):
        for stated in ({}, {"requests": 5}, {"usd": Decimal(1), "concurrent": 1}, {"usd": Decimal("1e-10")}):
            with pytest.raises(BadBudget) as caught:
                raised_by(unit, **stated)
            assert caught.value.field == field
