"""Who sees which budget, and as what it stands."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.admin.console import StoreBudgets
from proxy.budget import BudgetSpec, BudgetStore, WindowKind
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.state import StateFile

SCOPES = ("org:acme", "team:acme/support", "key:acme/support/bot", "team:acme/research", "org:globex")


@pytest.fixture
def budgets(tmp_path: Path) -> StoreBudgets:
    store = BudgetStore(StateFile(tmp_path / "state.sqlite"), clock=SetClock(datetime(2026, 11, 20, tzinfo=UTC)))
    for scope in SCOPES:
        window = WindowKind.TOTAL if scope.startswith("key:") else WindowKind.MONTH
        name = scope.replace(":", "-").replace("/", "-")
        spec = BudgetSpec(name=name, scope=scope, limit=Nano(5), opening_spent=Nano(2), window=window)
        store.put(spec)
    return StoreBudgets(store)


@pytest.mark.parametrize(
    ("org", "team", "seen"),
    [(None, None, SCOPES), ("acme", None, SCOPES[:4]), ("acme", "support", SCOPES[:3]), ("nobody", None, ())],
)
async def test_each_sees_their_own(
    budgets: StoreBudgets, org: str | None, team: str | None, seen: tuple[str, ...]
) -> None:
    assert {one.scope for one in await budgets.live(org, team)} == set(seen)


async def test_a_month_resets_and_a_total_does_not(budgets: StoreBudgets) -> None:
    told = {one.scope: one for one in await budgets.live("acme", "support")}
    month, total = told["org:acme"], told["key:acme/support/bot"]
    assert (month.limit, month.spent, month.held, month.hard) == (5, 2, 0, True)
    assert month.resets_at == datetime(2026, 12, 1, tzinfo=UTC) and total.resets_at is None


async def test_a_team_is_not_told_of_users_runs_and_tags(budgets: StoreBudgets) -> None:
    store = budgets._store
    for name, scope in (("u", "user:acme/*"), ("r", "run:acme/r1"), ("t", "team:acme/*")):
        store.put(BudgetSpec(name=name, scope=scope, limit=Nano(5)))
    assert {one.scope for one in await budgets.live("acme", "support")} == set(SCOPES[:3])
    told = {one.name: one for one in await budgets.live("acme", None)}
    assert (told["u"].counted_scope, told["u"].counted_scopes) == ("user:acme/*", 0)
    assert (told["r"].counted_scope, told["r"].counted_scopes) == ("", 0)
