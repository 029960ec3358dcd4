"""Parts that promise more than the whole."""

from typing import Any

import pytest

from proxy.budget import Budget, Oversold, Raise, Unit, WindowKind
from proxy.core.money import Nano

USD = 10**9
NOW = 1_795_000_000 * USD


def budget(name: str, scope: str, limit: int, **more: Any) -> Budget:
    return Budget(name=name, scope=scope, limit=Nano(limit * USD), id=f"bud_{name}", managed_by="api", **more)


ORG = budget("org", "org:acme", 500)
TEAM = budget("a", "team:acme/a", 300)


def said(whole: Budget, *parts: Budget) -> tuple[str, ...]:
    return Oversold((whole, *parts), NOW).warnings(whole)


def test_teams_that_add_up_to_more_than_their_org() -> None:
    (found,) = said(ORG, TEAM, budget("b", "team:acme/b", 201), budget("x", "team:beta/b", 900))
    assert "2 teams" in found and "501.00 USD" in found and "500.00 USD" in found
    assert said(ORG, TEAM, budget("b", "team:acme/b", 200)) == ()


def test_keys_that_add_up_to_more_than_their_team() -> None:
    (found,) = said(TEAM, budget("k", "key:acme/a/k", 301), budget("other", "key:acme/b/k", 900))
    assert "one key" in found and "301.00 USD" in found


@pytest.mark.parametrize(
    "more",
    [
        {"window": WindowKind.DAY},
        {"timezone": "Europe/Berlin"},
        {"models": ("gpt-*",)},
        {"hard": False},
        {"unit": Unit.TOKENS},
    ],
)
def test_only_what_compares_is_compared(more: dict[str, Any]) -> None:
    part = budget("b", "team:acme/b", 900, **more)
    assert said(ORG, part) == ()
    assert bool(said(budget("same", "org:acme", 1, **more), part)) == ("hard" not in more and "unit" not in more)


def test_of_several_budgets_of_one_team_the_smallest_counts() -> None:
    assert said(ORG, TEAM, budget("b", "team:acme/b", 900), budget("c", "team:acme/b", 200)) == ()


def test_one_for_each_counts_once() -> None:
    assert said(ORG, budget("each", "team:acme/*", 501)) != ()
    assert said(ORG, budget("each", "team:acme/*", 499)) == ()
    assert said(budget("each", "team:acme/*", 1), budget("k", "key:acme/a/k", 5)) == ()


def test_raises_count_while_they_hold() -> None:
    lifted = budget("a", "team:acme/a", 300, raises=(Raise("rai_1", Nano(201 * USD), NOW + 1, "x", "y", 0),))
    assert said(ORG, lifted) != ()
    assert Oversold((ORG, lifted), NOW + 1).warnings(ORG) == ()
