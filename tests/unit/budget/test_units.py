"""Budgets that count tokens or requests: what they are, what a call takes of them, how they are told."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import (
    BadBudget,
    BudgetEntry,
    BudgetStore,
    Granted,
    Short,
    SqliteLedger,
    Unit,
    figures,
    fitted,
    spec_of,
    spoken,
    tokens_used,
)
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.state import StateFile
from tests.contract.ledger.kinds import request

CLOCK = SetClock(datetime(2026, 11, 20, 12, tzinfo=UTC))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BudgetStore]:
    state = StateFile(tmp_path / "ledger.sqlite")
    yield BudgetStore(state, clock=CLOCK)
    state.close()


def entry(name: str = "b", **stated: Any) -> BudgetEntry:
    return BudgetEntry(name=name, scope="org:acme", **stated)


@pytest.mark.parametrize(
    ("stated", "unit", "limit"),
    [
        ({"limit_usd": Decimal("1.5")}, Unit.USD, 1_500_000_000),
        ({"limit_tokens": 7}, Unit.TOKENS, 7),
        ({"limit_tokens": 7, "tokens": "input"}, Unit.INPUT_TOKENS, 7),
        ({"limit_tokens": 7, "tokens": "output"}, Unit.OUTPUT_TOKENS, 7),
        ({"limit_requests": 0}, Unit.REQUESTS, 0),
    ],
)
def test_a_budget_counts_what_it_limits(stated: dict[str, Any], unit: Unit, limit: int) -> None:
    made = spec_of(entry(**stated))
    assert (made.unit, made.limit) == (unit, limit)


@pytest.mark.parametrize(
    ("stated", "field"),
    [
        ({}, "limit_usd"),
        ({"limit_usd": Decimal(1), "limit_tokens": 1}, "limit_usd"),
        ({"limit_tokens": 1, "limit_requests": 1}, "limit_usd"),
        ({"limit_tokens": -1}, "limit_tokens"),
        ({"limit_requests": 10**18 + 1}, "limit_requests"),
        ({"limit_requests": 1, "tokens": "input"}, "tokens"),
        ({"limit_requests": 1, "opening_spent_usd": Decimal(1)}, "opening_spent_usd"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(stated: dict[str, Any], field: str) -> None:
    with pytest.raises(BadBudget) as caught:
        spec_of(entry(**stated))
    assert caught.value.field == field


async def test_each_budget_holds_and_books_its_own_unit(store: BudgetStore, tmp_path: Path) -> None:
    store.sync_from_file(
        [
            entry("a-usd", limit_usd=Decimal(1)),
            entry("b-all", limit_tokens=1000),
            entry("c-in", limit_tokens=1000, tokens="input"),
            entry("d-out", limit_tokens=1000, tokens="output"),
            entry("e-calls", limit_requests=2),
        ]
    )
    ledger = SqliteLedger(StateFile(tmp_path / "ledger.sqlite"), clock=CLOCK)
    lines = store.load().lines_for(("org:acme",), CLOCK.now_ns())
    assert isinstance(await ledger.hold(request("op_1", 50, *fitted(lines, 300, 100))), Granted)
    assert [each.held for each in store.states()] == [50, 400, 300, 100, 1]
    await ledger.settle("op_1", Nano(20), 1, used={**tokens_used(290, 40), Unit.REQUESTS: 1})
    assert [(each.spent, each.held) for each in store.states()] == [(20, 0), (330, 0), (290, 0), (40, 0), (1, 0)]
    short = await ledger.hold(request("op_2", 50, *fitted(lines, 300, 961)))
    assert isinstance(short, Short)
    assert (short.line.name, short.spent, short.wanted) == ("b-all", 330, 1261)
    short = await ledger.hold(request("op_3", 50, *fitted(lines, 711, 1)))
    assert isinstance(short, Short) and short.line.name == "b-all"
    await ledger.close()


def test_lines_in_dollars_are_not_made_anew(store: BudgetStore) -> None:
    store.sync_from_file([entry("a", limit_usd=Decimal(1)), entry("b", limit_requests=5)])
    lines = store.load().lines_for(("org:acme",), CLOCK.now_ns())
    assert fitted(lines, 10**30, 1) is lines
    store.sync_from_file([entry("c", limit_tokens=1), *[entry("a", limit_usd=Decimal(1))]])
    dollars, tokens = fitted(store.load().lines_for(("org:acme",), CLOCK.now_ns()), 10**30, 1)
    assert (dollars.amount, tokens.amount) == (None, 10**18)


def test_what_a_budget_counts_is_part_of_which_budget_it_is(store: BudgetStore) -> None:
    first = store.put(spec_of(entry(limit_tokens=5)))
    assert store.put(spec_of(entry(limit_tokens=6))).id == first.id
    assert store.put(spec_of(entry(limit_tokens=6, tokens="output"))).id != first.id
    assert store.sync_from_file([entry("f", limit_tokens=5)]) == (("f",), (), ())
    assert store.sync_from_file([entry("f", limit_requests=5)]) == ((), ("f",), ())


def test_amounts_are_told_in_their_unit(store: BudgetStore) -> None:
    store.sync_from_file([entry("a", limit_usd=Decimal(1)), entry("b", limit_tokens=5, tokens="output")])
    dollars, tokens = store.load().lines_for(("org:acme",), CLOCK.now_ns())
    assert figures(dollars, spent=500_000_000) == {"limit_usd": "1.00", "spent_usd": "0.50"}
    assert figures(tokens, spent=3, held=1) == {"limit_tokens": 5, "spent_tokens": 3, "held_tokens": 1}
    assert (spoken(Unit.USD, 1_500_000_000), spoken(Unit.OUTPUT_TOKENS, 1200)) == ("1.50 USD", "1,200 output tokens")
    assert (spoken(Unit.REQUESTS, 1), spoken(Unit.REQUESTS, 0)) == ("1 request", "0 requests")
