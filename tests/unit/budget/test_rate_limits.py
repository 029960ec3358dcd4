"""Rate limits: budgets' siblings in the same table, under names unique over both."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import (
    BadBudget,
    BudgetConflict,
    BudgetEntry,
    BudgetSpec,
    BudgetStore,
    LineKind,
    RateLimitEntry,
    Unit,
    WindowKind,
    rate_of,
    spoken,
)
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.state import StateFile

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9


def limit(name: str = "l", scope: str = "org:acme", **more: Any) -> RateLimitEntry:
    return RateLimitEntry(name=name, scope=scope, **(more or {"limit_requests": 10}))


def budget(name: str = "b", scope: str = "org:acme") -> BudgetEntry:
    return BudgetEntry(name=name, scope=scope, limit_usd=Decimal(5))


@pytest.fixture
def store(tmp_path: Path) -> BudgetStore:
    return BudgetStore(StateFile(tmp_path / "state.sqlite"), clock=SetClock(NOW))


@pytest.mark.parametrize(
    ("said", "unit", "window"),
    [
        ({"limit_requests": 10}, Unit.REQUESTS, WindowKind.MINUTE),
        ({"limit_tokens": 10, "window": "hour"}, Unit.TOKENS, WindowKind.HOUR),
        ({"limit_tokens": 10, "tokens": "output", "window": "day"}, Unit.OUTPUT_TOKENS, WindowKind.DAY),
        ({"limit_tokens": 10, "tokens": "input", "window": "rolling", "length": "5m"}, Unit.INPUT_TOKENS, "rolling"),
        ({"limit_concurrent": 10}, Unit.SLOTS, WindowKind.TOTAL),
    ],
)
def test_what_a_limit_counts_and_how_long(said: dict[str, Any], unit: Unit, window: str) -> None:
    spec = rate_of(limit(**said))
    assert (spec.kind, spec.unit, spec.window, spec.limit, spec.hard) == (LineKind.RATE, unit, window, 10, True)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"limit_requests": 1, "limit_concurrent": 1}, "limit_requests"),
        ({"window": "hour"}, "limit_requests"),
        ({"limit_requests": -1}, "limit_requests"),
        ({"limit_concurrent": -1}, "limit_concurrent"),
        ({"limit_concurrent": 1, "window": "minute"}, "window"),
        ({"limit_concurrent": 1, "tokens": "input"}, "tokens"),
        ({"limit_requests": 1, "window": "month"}, "window"),
        ({"limit_requests": 1, "window": "rolling"}, "length"),
    ],
)
def test_limits_that_cannot_be_meant_so(said: dict[str, Any], field: str) -> None:
    with pytest.raises(BadBudget) as caught:
        rate_of(limit(**said))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"unit": Unit.SLOTS}, "limit_concurrent"),
        ({"kind": LineKind.RATE}, "limit_usd"),
        ({"kind": LineKind.RATE, "unit": Unit.REQUESTS, "window": WindowKind.DAY, "hard": False}, "hard"),
        ({"kind": LineKind.RATE, "unit": Unit.TOKENS, "window": WindowKind.DAY, "clamp": True}, "clamp"),
    ],
)
def test_neither_is_the_other(said: dict[str, Any], field: str) -> None:
    with pytest.raises(BadBudget) as caught:
        BudgetSpec(name="x", scope="org:acme", limit=Nano(1), **said)
    assert caught.value.field == field


def test_lines_of_limits_say_what_they_are(store: BudgetStore) -> None:
    store.sync_from_file([budget()], [limit(), limit("slots", limit_concurrent=3)])
    lines = store.load().lines_for(("org:acme",), NOW_NS)
    assert [(line.name, line.kind, line.unit, line.amount, line.window) for line in lines] == [
        ("b", LineKind.BUDGET, Unit.USD, None, "2026-11"),
        ("l", LineKind.RATE, Unit.REQUESTS, 1, "2026-11-20T12:00Z"),
        ("slots", LineKind.RATE, Unit.SLOTS, 1, "total"),
    ]
    assert [each.name for each in store.list(kind=LineKind.RATE)] == ["l", "slots"]
    assert [each.name for each in store.list(kind=LineKind.BUDGET)] == ["b"]
    assert spoken(Unit.SLOTS, 3) == "3 slots"


def test_names_are_unique_over_both(store: BudgetStore) -> None:
    with pytest.raises(BadBudget, match="rate limit b stands twice"):
        store.sync_from_file([budget()], [limit("b")])
    store.put(BudgetSpec(name="mine", scope="org:acme", limit=Nano(1)))
    with pytest.raises(BudgetConflict) as caught:
        store.put(rate_of(limit("mine")))
    assert caught.value.code == "already_exists"
    with pytest.raises(BudgetConflict) as caught:
        store.sync_from_file([], [limit("mine")])
    assert caught.value.code == "name_in_both"


def test_a_name_that_moves_from_one_to_the_other_begins_anew(store: BudgetStore) -> None:
    store.sync_from_file([BudgetEntry(name="x", scope="org:acme", limit_requests=5)])
    first = store.get("x")
    assert store.sync_from_file([], [limit("x", limit_requests=5)]) == ((), ("x",), ())
    second = store.get("x")
    assert first is not None and second is not None and first.id != second.id
    assert second.kind is LineKind.RATE


def test_an_own_budget_does_not_stand_in_for_a_limit_of_each(store: BudgetStore) -> None:
    own = BudgetEntry(name="own", scope="user:acme/boss", limit_requests=100)
    store.sync_from_file([own], [limit("each", "user:acme/*", limit_requests=3)])
    boss = store.load().lines_for(("user:acme/boss",), NOW_NS)
    assert [line.name for line in boss] == ["own", "each"]
    store.sync_from_file([own], [limit("each", "user:acme/*"), limit("mine", "user:acme/boss")])
    assert [line.name for line in store.load().lines_for(("user:acme/boss",), NOW_NS)] == ["mine", "own"]
