"""Ladders: what people may state, what the store keeps, and what becomes of a line."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import (
    BadBudget,
    Budget,
    BudgetCatalog,
    BudgetEntry,
    BudgetSpec,
    BudgetStore,
    HoldLine,
    LineKind,
    RateLimitEntry,
    Rung,
    RungEntry,
    Unit,
    WindowKind,
    figures,
    fraction_text,
    rate_of,
    reached,
    spec_of,
)
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.state import StateFile

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
DOWN = Rung(900_000, "downgrade", (("gpt-*", "fast"),))
FULL = (Rung(800_000, "alert"), DOWN, Rung(950_000, "throttle", (), 2000), Rung(1_000_000, "block"))


def rung(
    at: str = "0.8", do: Any = "alert", to: Mapping[str, str] | None = None, delay: int | None = None
) -> RungEntry:
    return RungEntry(at=Decimal(at), do=do, to=to or {}, delay_ms=delay)


def entry(*ladder: RungEntry, **more: Any) -> BudgetEntry:
    stated: dict[str, Any] = {"name": "a", "scope": "org:acme", "limit_usd": Decimal(100), "ladder": ladder}
    return BudgetEntry(**stated | more)


def budget(ladder: tuple[Rung, ...], **more: Any) -> Budget:
    stated: dict[str, Any] = {"name": "a", "scope": "org:acme", "limit": Nano(1000), "ladder": ladder, "id": "bud_a"}
    return Budget(**stated | more, managed_by="api")


def line(ladder: tuple[Rung, ...], *, observing: tuple[str, ...] = (), all_of: bool = False, **more: Any) -> HoldLine:
    catalog = BudgetCatalog([budget(ladder, **more)], observing=observing, observe_all=all_of)
    (found,) = catalog.lines_for(("org:acme",), NOW_NS)
    return found


def test_a_ladder_is_read_exactly() -> None:
    spec = spec_of(
        entry(
            rung("0.8"),
            rung("0.900000", "downgrade", {"gpt-*": "fast", "o*": "slow"}),
            rung("0.95", "throttle", delay=2000),
            rung("1", "block"),
        )
    )
    assert spec.ladder == (
        Rung(800_000, "alert"),
        Rung(900_000, "downgrade", (("gpt-*", "fast"), ("o*", "slow"))),
        Rung(950_000, "throttle", (), 2000),
        Rung(1_000_000, "block"),
    )
    assert [fraction_text(each.at_millionths) for each in spec.ladder] == ["0.8", "0.9", "0.95", "1"]


@pytest.mark.parametrize(
    ("ladder", "field"),
    [
        ((rung("0"),), "ladder[0].at"),
        ((rung("1.01"),), "ladder[0].at"),
        ((rung("-0.5"),), "ladder[0].at"),
        ((rung("0.8000001"),), "ladder[0].at"),
        ((rung("1e-999999"),), "ladder[0].at"),
        ((rung("NaN"),), "ladder[0].at"),
        ((rung("0.8"), rung("0.7", "block")), "ladder[1].at"),
        ((rung("0.8"), rung("0.8")), "ladder[1].do"),
        ((rung("0.8", "block"), rung("0.9", "cache_only")), "ladder[1].do"),
        ((rung("0.8", "downgrade"),), "ladder[0].to"),
        ((rung("0.8", to={"a": "b"}),), "ladder[0].to"),
        ((rung("0.8", "downgrade", {"": "b"}),), "ladder[0].to"),
        ((rung("0.8", "throttle"),), "ladder[0].delay_ms"),
        ((rung("0.8", "throttle", delay=10_001),), "ladder[0].delay_ms"),
        ((rung("0.8", "throttle", delay=-1),), "ladder[0].delay_ms"),
        ((rung("0.8", delay=5),), "ladder[0].delay_ms"),
        (tuple(rung(f"0.{at}") for at in range(10, 31)), "ladder"),
    ],
)
def test_a_ladder_that_cannot_be_meant_so_is_refused_with_its_place(ladder: tuple[RungEntry, ...], field: str) -> None:
    with pytest.raises(BadBudget) as of_budget:
        spec_of(entry(*ladder))
    with pytest.raises(BadBudget) as of_limit:
        rate_of(limit(*ladder))
    assert (of_budget.value.field, of_limit.value.field) == (field, field)


def limit(*ladder: RungEntry, **more: Any) -> RateLimitEntry:
    stated: dict[str, Any] = {"name": "l", "scope": "org:acme", "limit_requests": 10, "ladder": ladder}
    return RateLimitEntry(**stated | more)


def test_alerts_may_stand_at_and_above_a_block() -> None:
    spec = spec_of(entry(rung("0.9", "block"), rung("0.9"), rung("1")))
    assert [each.do for each in spec.ladder] == ["block", "alert", "alert"]


def test_the_store_keeps_what_was_said(tmp_path: Path) -> None:
    store = BudgetStore(StateFile(tmp_path / "state.sqlite"), clock=SetClock(NOW))
    said = BudgetSpec(
        name="a", scope="org:acme", limit=Nano(5), ladder=FULL, clamp=True, enforcement="observe", kind=LineKind.BUDGET
    )
    made = store.put(said)
    assert (made.ladder, made.clamp, made.enforcement) == (FULL, True, "observe")
    assert store.get("a") == made == store.list()[0]


def test_a_line_is_gated_and_blocks_where_its_ladder_says() -> None:
    found = line(FULL)
    assert (found.gate, found.limit, found.whole, found.hard) == (900, 1000, 1000, True)
    early = line((DOWN, Rung(950_000, "block")), hard=False)
    assert (early.gate, early.limit, early.whole, early.hard) == (900, 950, 1000, True)
    soft = line((Rung(800_000, "alert"),), hard=False)
    assert (soft.gate, soft.limit, soft.whole, soft.hard, soft.observed) == (None, 1000, None, False, False)
    assert [rung.do for rung in reached(soft, 0, 0, 801)] == ["alert"]


def test_amounts_are_told_with_the_limit_that_people_set() -> None:
    early = line((Rung(950_000, "block"),), unit=Unit.REQUESTS)
    assert figures(early, spent=3) == {"limit_requests": 1000, "blocks_at_requests": 950, "spent_requests": 3}
    assert figures(line((), unit=Unit.REQUESTS), spent=3) == {"limit_requests": 1000, "spent_requests": 3}


@pytest.mark.parametrize("how", [{"observing": ("acme",)}, {"all_of": True}, {"enforcement": "observe"}])
def test_an_observed_line_counts_refuses_nothing_and_says_that_it_would(how: dict[str, Any]) -> None:
    found = line((DOWN, Rung(950_000, "block")), clamp=True, **how)
    assert (found.hard, found.observed, found.gate, found.limit, found.clamp) == (False, True, None, 950, False)
    soft = line((Rung(800_000, "alert"), DOWN), hard=False, **how)
    assert (soft.hard, soft.observed, soft.gate) == (False, False, None)
    assert [rung.do for rung in soft.ladder] == ["alert"]


def test_a_catalog_says_where_nothing_is_refused() -> None:
    assert BudgetCatalog(observing=("acme",)).observes("acme")
    assert not BudgetCatalog(observing=("acme",)).observes("beta")
    assert BudgetCatalog(observe_all=True).observes("beta")
    assert not BudgetCatalog().observes("acme")
    assert line((), observing=("beta",)).hard


def test_a_pattern_s_lines_have_ladder_and_kind_too() -> None:
    each = budget((DOWN,), scope="user:acme/*", kind=LineKind.RATE, unit=Unit.REQUESTS, window=WindowKind.MINUTE)
    (found,) = BudgetCatalog([each]).lines_for(("user:acme/u",), NOW_NS)
    assert (found.kind, found.gate, found.amount, found.ladder) == (LineKind.RATE, 900, 1, (DOWN,))


def test_clamping_is_for_what_counts_output() -> None:
    assert line((), clamp=True).clamp and not line((), clamp=True, hard=False).clamp
    for unit in (Unit.REQUESTS, Unit.INPUT_TOKENS):
        with pytest.raises(BadBudget) as caught:
            budget((), unit=unit, clamp=True)
        assert caught.value.field == "clamp"
