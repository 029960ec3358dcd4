"""Which budgets a call falls under."""

from dataclasses import fields
from decimal import Decimal

import pytest

from proxy.budget import BadBudget, Budget, BudgetCatalog, BudgetEntry, BudgetSettings, BudgetSpec, WindowKind, spec_of
from proxy.core.money import Nano

NOVEMBER = 1_795_000_000 * 10**9
DECEMBER = NOVEMBER + 20 * 86_400 * 10**9


def budget(name: str, scope: str, window: WindowKind = WindowKind.MONTH) -> Budget:
    return Budget(name=name, scope=scope, limit=Nano(5), window=window, id=f"bud_{name}", managed_by="api")


def test_a_call_falls_under_every_budget_of_its_scopes_in_their_order() -> None:
    catalog = BudgetCatalog(
        [
            budget("key", "key:acme/support/bot"),
            budget("org", "org:acme"),
            budget("ever", "org:acme", WindowKind.TOTAL),
            budget("other", "org:other"),
        ]
    )
    scopes = ("org:acme", "team:acme/support", "key:acme/support/bot")
    lines = catalog.lines_for(scopes, NOVEMBER)
    assert [(line.name, line.window) for line in lines] == [("org", "2026-11"), ("ever", "total"), ("key", "2026-11")]
    assert [line.resets_at_ns is None for line in lines] == [False, True, False]
    assert catalog.lines_for(("org:nobody",), NOVEMBER) == ()


def test_a_line_is_one_object_until_its_window_ends() -> None:
    catalog = BudgetCatalog([budget("org", "org:acme")])
    (november,) = catalog.lines_for(("org:acme",), NOVEMBER)
    assert catalog.lines_for(("org:acme",), NOVEMBER + 1)[0] is november
    (december,) = catalog.lines_for(("org:acme",), DECEMBER)
    assert (november.window, december.window) == ("2026-11", "2026-12")
    assert catalog.lines_for(("org:acme",), NOVEMBER) == (november,)


def test_a_budget_of_the_file_becomes_exact() -> None:
    entry = BudgetEntry(
        name="acme-month",
        scope="org:acme",
        limit_usd=Decimal("500.000000001"),
        window="total",
        timezone="Europe/Berlin",
        hard=False,
        opening_spent_usd=Decimal("1.5"),
    )
    assert spec_of(entry) == BudgetSpec(
        name="acme-month",
        scope="org:acme",
        limit=Nano(500_000_000_001),
        window=WindowKind.TOTAL,
        timezone="Europe/Berlin",
        hard=False,
        opening_spent=Nano(1_500_000_000),
    )


@pytest.mark.parametrize(
    ("field", "entry"),
    [
        ("name", BudgetEntry(name="a b", scope="org:acme", limit_usd=Decimal(1))),
        ("scope", BudgetEntry(name="a", scope="acme", limit_usd=Decimal(1))),
        ("scope", BudgetEntry(name="a", scope="team:acme", limit_usd=Decimal(1))),
        ("scope", BudgetEntry(name="a", scope="org:acme/support", limit_usd=Decimal(1))),
        ("scope", BudgetEntry(name="a", scope="user:acme", limit_usd=Decimal(1))),
        ("scope", BudgetEntry(name="a", scope="user:acme/ u1", limit_usd=Decimal(1))),
        ("scope", BudgetEntry(name="a", scope="user:acme/u\n1", limit_usd=Decimal(1))),
        ("scope", BudgetEntry(name="a", scope="tag:acme/env", limit_usd=Decimal(1))),
        ("scope", BudgetEntry(name="a", scope="org:*", limit_usd=Decimal(1))),
        ("scope", BudgetEntry(name="a", scope="team:acme/sup*", limit_usd=Decimal(1))),
        ("scope", BudgetEntry(name="a", scope="key:acme/*/*", limit_usd=Decimal(1))),
        ("models", BudgetEntry(name="a", scope="org:acme", limit_usd=Decimal(1), models=("",))),
        (
            "opening_spent_usd",
            BudgetEntry(name="a", scope="user:acme/*", limit_usd=Decimal(1), opening_spent_usd=Decimal(1)),
        ),
        ("limit_usd", BudgetEntry(name="a", scope="org:acme", limit_usd=Decimal(-1))),
        ("limit_usd", BudgetEntry(name="a", scope="org:acme", limit_usd=Decimal("1e-10"))),
        ("limit_usd", BudgetEntry(name="a", scope="org:acme", limit_usd=Decimal("NaN"))),
        ("limit_usd", BudgetEntry(name="a", scope="org:acme", limit_usd=Decimal("1e10"))),
        (
            "opening_spent_usd",
            BudgetEntry(name="a", scope="org:acme", limit_usd=Decimal(1), opening_spent_usd=Decimal(-1)),
        ),
        ("timezone", BudgetEntry(name="a", scope="org:acme", limit_usd=Decimal(1), timezone="Berlin")),
    ],
)
def test_a_budget_that_cannot_be_meant_says_which_field_is_wrong(field: str, entry: BudgetEntry) -> None:
    with pytest.raises(BadBudget) as caught:
        spec_of(entry)
    assert caught.value.field == field


def test_every_setting_has_its_sentence() -> None:
    for settings in (BudgetSettings, BudgetEntry):
        assert [field.name for field in fields(settings) if not field.metadata.get("doc", "").endswith(".")] == []
