"""Budgets on end users, agents, runs and tags, budgets that each of many has, and budgets for some models."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import BudgetCatalog, BudgetEntry, BudgetStore, Granted, HoldLine, Short, SqliteLedger
from proxy.budget.ledger import Verdict
from proxy.budget.scopes import family_of, is_pattern, is_scope
from proxy.budget.seen import ScopesSeen
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.runs import Claims
from proxy.state import StateFile
from tests.contract.ledger.kinds import request

USD = 10**9
DAY = 86_400 * USD
CLOCK = SetClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
NOW = CLOCK.now_ns()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    made = StateFile(tmp_path / "ledger.sqlite")
    yield made
    made.close()


@pytest.fixture
def store(state: StateFile) -> BudgetStore:
    return BudgetStore(state, clock=CLOCK)


def entry(name: str, scope: str, **stated: Any) -> BudgetEntry:
    return BudgetEntry(name=name, scope=scope, **({"limit_usd": Decimal(5)} | stated))


def catalog(store: BudgetStore, *entries: BudgetEntry) -> BudgetCatalog:
    store.sync_from_file(entries)
    return store.load()


def names(lines: tuple[HoldLine, ...]) -> list[tuple[str, str]]:
    return [(line.name, line.scope) for line in lines]


@pytest.mark.parametrize(
    ("scope", "family", "pattern"),
    [
        ("team:acme/*", "team:acme/", True),
        ("key:acme/support/*", "key:acme/support/", True),
        ("key:acme/support/bot", "key:acme/support/", False),
        ("user:acme/*", "user:acme/", True),
        ("user:acme/a/b c", "user:acme/", False),
        ("user:acme/a*", "user:acme/", False),
        ("run:acme/*", "run:acme/", True),
        ("agent:acme/*", "agent:acme/", True),
        ("tag:acme/env=*", "tag:acme/env=", True),
        ("tag:acme/env=", "tag:acme/env=", False),
        ("tag:acme/url=http://a/b?c=*", "tag:acme/url=", False),
        ("org:acme", "", False),
    ],
)
def test_patterns_are_told_from_names(scope: str, family: str, pattern: bool) -> None:
    assert is_scope(scope)
    assert (family_of(scope), is_pattern(scope)) == (family, pattern)


def test_what_a_client_claims_is_counted_in_its_own_org(store: BudgetStore) -> None:
    known = catalog(
        store,
        entry("agent", "agent:acme/triage"),
        entry("env", "tag:acme/env=prod"),
        entry("run", "run:acme/r/1"),
        entry("user", "user:acme/u1"),
    )
    claims = Claims(agent="triage", end_user="u1", run="r/1", tags={"env": "prod", "team": "x"})
    scopes = claims.scopes("acme", known.claimed["acme"])
    assert scopes == ["agent:acme/triage", "user:acme/u1", "run:acme/r/1", "tag:acme/env=prod", "tag:acme/team=x"]
    assert [name for name, _ in names(known.lines_for(scopes, NOW))] == ["agent", "user", "run", "env"]
    assert known.lines_for(claims.scopes("other", known.claimed["acme"]), NOW) == ()
    assert known.claimed.get("other") is None
    assert Claims().scopes("acme", known.claimed["acme"]) == []


def test_names_that_cannot_be_printed_are_escaped() -> None:
    claims = Claims(end_user="a\0b\ud800", run="r\n1")
    assert claims.scopes("acme", ("user", "run")) == ["user:acme/a\\x00b\\ud800", "run:acme/r\\n1"]


def test_scopes_that_no_budget_names_are_not_made_up(store: BudgetStore) -> None:
    assert catalog(store, entry("a", "org:acme"), entry("k", "key:acme/t/*")).claimed == {}
    only_users = catalog(store, entry("u", "user:acme/*")).claimed["acme"]
    assert Claims(agent="a", end_user="u", run="r", tags={"k": "v"}).scopes("acme", only_users) == ["user:acme/u"]


def test_a_pattern_gives_each_its_own_budget(store: BudgetStore) -> None:
    known = catalog(store, entry("each", "user:acme/*"), entry("keys", "key:acme/t/*"))
    (first,) = known.lines_for(["user:acme/u1"], NOW)
    (second,) = known.lines_for(["user:acme/u2"], NOW)
    assert (first.scope, second.scope, first.limit) == ("user:acme/u1", "user:acme/u2", 5 * USD)
    assert first.budget != second.budget and first.name == second.name == "each"
    assert known.lines_for(["user:acme/u1"], NOW + 1)[0] is first
    assert names(known.lines_for(["user:acme/*"], NOW)) == [("each", "user:acme/*")]
    assert known.lines_for(["user:beta/u1", "agent:acme/u1", "org:acme"], NOW) == ()
    assert names(known.lines_for(["key:acme/t/bot", "key:acme/t2/bot"], NOW)) == [("keys", "key:acme/t/bot")]


def test_a_budget_of_ones_own_stands_in_the_place_of_the_default_of_its_unit(store: BudgetStore) -> None:
    known = catalog(
        store,
        entry("each", "user:acme/*"),
        entry("calls", "user:acme/*", limit_usd=None, limit_requests=5),
        entry("big", "user:acme/boss", limit_usd=Decimal(500), window="total"),
        entry("gpt", "user:acme/clerk", models=("gpt-*",)),
    )
    assert names(known.lines_for(["user:acme/boss"], NOW)) == [("big", "user:acme/boss"), ("calls", "user:acme/boss")]
    for model, counted in (("gpt-5", ["gpt", "calls"]), ("claude-x", ["calls", "each"])):
        assert sorted(name for name, _ in names(known.lines_for(["user:acme/clerk"], NOW, model=model))) == sorted(
            counted
        )


def test_a_budget_for_models_counts_only_those(store: BudgetStore) -> None:
    known = catalog(store, entry("a", "org:acme", models=("gpt-*", "o?")), entry("b", "org:acme"))
    assert [name for name, _ in names(known.lines_for(["org:acme"], NOW, model="gpt-5"))] == ["a", "b"]
    assert [name for name, _ in names(known.lines_for(["org:acme"], NOW, model="o3"))] == ["a", "b"]
    assert [name for name, _ in names(known.lines_for(["org:acme"], NOW, model="GPT-5"))] == ["b"]
    assert [name for name, _ in names(known.lines_for(["org:acme"], NOW))] == ["a", "b"]


def test_users_that_come_too_late_share_a_counter(store: BudgetStore) -> None:
    store.sync_from_file([entry("each", "user:acme/*"), entry("t", "team:acme/*")])
    known = store.load(distinct_scopes_per_key=2)

    def scope(user: str, key: str = "key_1", at_ns: int = NOW) -> str:
        return known.lines_for([f"user:acme/{user}"], at_ns, key=key)[0].scope

    assert [scope(user) for user in ("a", "b", "c", "a", "d")] == [
        "user:acme/a",
        "user:acme/b",
        "user:acme/(other)",
        "user:acme/a",
        "user:acme/(other)",
    ]
    assert scope("c", "key_2") == "user:acme/c"
    assert store.load(distinct_scopes_per_key=2).lines_for(["user:acme/d"], NOW, key="key_1")[0].scope[-7:] == "(other)"
    assert scope("d", at_ns=NOW + DAY) == "user:acme/d"
    assert [known.lines_for([f"team:acme/{n}"], NOW, key="key_1")[0].scope for n in range(4)][-1] == "team:acme/3"


def test_what_was_seen_is_bounded_over_all_keys() -> None:
    seen = ScopesSeen(10)
    for number in range(1000):
        for user in range(10):
            assert seen.admits(f"key_{number}", "user:a/", f"user:a/{user}", 0)
    assert sum(len(each) for each in seen._of.values()) <= 40


async def test_an_unknown_users_first_calls_are_held_and_its_numbers_told(store: BudgetStore, state: StateFile) -> None:
    known = catalog(store, entry("each", "user:acme/*", window="rolling", length="24h"))
    ledger = SqliteLedger(state, clock=CLOCK)

    async def hold(operation: str, user: str, usd: int) -> Verdict:
        return await ledger.hold(request(operation, usd * USD, *known.lines_for([f"user:acme/{user}"], NOW)))

    assert isinstance(await hold("op_1", "u1", 4), Granted)
    short = await hold("op_2", "u1", 2)
    assert isinstance(short, Short) and (short.line.scope, short.held) == ("user:acme/u1", 4 * USD)
    assert isinstance(await hold("op_3", "u2", 5), Granted)
    await ledger.settle("op_1", Nano(3 * USD), NOW)
    (shown,) = store.states()
    assert (shown.scope, shown.scopes, shown.held, shown.remaining) == ("user:acme/u2", 2, 5 * USD, 0)
    one = store.state_for(shown.budget, "user:acme/u1")
    assert (one.scope, one.spent, one.held) == ("user:acme/u1", 3 * USD, 0)
    unseen = store.state_for(shown.budget, "user:acme/u3")
    assert (unseen.spent, unseen.remaining) == (0, 5 * USD)
    assert [each.scope for each in store.states_of_each(shown.budget, 10)] == ["user:acme/u2", "user:acme/u1"]
    await ledger.close()


async def test_a_deleted_default_forgets_all_its_counters_and_no_others(store: BudgetStore, state: StateFile) -> None:
    known = catalog(store, entry("b", "user:acme/u2"), entry("each", "user:acme/*"))
    ledger = SqliteLedger(state, clock=CLOCK)
    for number, user in enumerate(("u1", "u2", "u3")):
        await ledger.hold(request(f"op_{number}", USD, *known.lines_for([f"user:acme/{user}"], NOW)))
        await ledger.settle(f"op_{number}", Nano(USD), NOW)
    await ledger.close()
    store.sync_from_file([entry("b", "user:acme/u2"), entry("each", "user:acme/*", limit_usd=None, limit_requests=1)])
    assert {each.budget.name: (each.spent, each.scopes) for each in store.states()} == {"b": (USD, 1), "each": (0, 0)}
