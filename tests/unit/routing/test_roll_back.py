"""A target is left for being worse than its rule allows, never for too little evidence, and its rules can hold."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config import BadConfig, load_config
from proxy.core.money import Nano
from proxy.routing import RollBackSettings, Tried, why_roll_back

NEVER = RollBackSettings(against="stable", max_more_errors=None, min_calls=10)
STEADY = Tried(calls=100, failed=2, p95_ms=100.0, cost=Nano(100_000), priced=98)


def rule(**more: Any) -> RollBackSettings:
    """A rule with nothing else in it."""
    return RollBackSettings(**{"against": "stable", "max_more_errors": None, "min_calls": 10, **more})


@pytest.mark.parametrize(
    "asked, tried, said",
    [
        (rule(max_more_errors=Decimal("0.05")), STEADY._replace(failed=8), "8.0 % of its 100 calls failed"),
        (rule(max_more_errors=Decimal("0.05")), STEADY._replace(failed=7), ""),
        (rule(max_more_errors=Decimal("0.15")), Tried(calls=2, failed=2), "100.0 % of its 2 calls failed"),
        (rule(max_more_errors=Decimal("0.25")), Tried(calls=2, failed=2), ""),
        (rule(max_latency_ratio=Decimal("1.5")), STEADY._replace(p95_ms=150.1), "150 ms at the 95th percentile"),
        (rule(max_latency_ratio=Decimal("1.5")), STEADY._replace(p95_ms=150.0), ""),
        (rule(max_latency_ratio=Decimal("1.5")), STEADY._replace(p95_ms=None), ""),
        (rule(max_cost_ratio=Decimal(2)), STEADY._replace(cost=Nano(200_001)), "more than 2 times as much"),
        (rule(max_cost_ratio=Decimal(2)), STEADY._replace(cost=Nano(200_000)), ""),
        (rule(max_cost_ratio=Decimal(2)), STEADY._replace(cost=Nano(900_000), priced=9), ""),
        (NEVER, Tried(calls=100, failed=100, p95_ms=1e6), ""),
    ],
)
def test_each_rule_holds_from_its_bound_on(asked: RollBackSettings, tried: Tried, said: str) -> None:
    why = why_roll_back(asked, tried, STEADY)
    assert said in why and bool(why) is bool(said)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200), st.integers(0, 200))
def test_failures_are_judged_as_if_all_calls_that_are_missing_had_gone_well(
    calls: int, failed: int, theirs: int, their_failed: int
) -> None:
    tried, steady = Tried(calls, min(failed, calls)), Tried(theirs, min(their_failed, theirs))
    why = why_roll_back(RollBackSettings(against="stable", min_calls=50), tried, steady)
    share = Decimal(tried.failed) / max(calls, 50)
    assert bool(why) is (theirs >= 50 and share - steady.failing > Decimal("0.05"))


@pytest.mark.parametrize(
    "route, place",
    [
        ("targets: [{provider: up, variant: a/b}]", "targets[0].variant"),
        ("targets: [{provider: up, variant: a}, {provider: up, model: n, variant: a}]", "targets"),
        ("targets: [{provider: up, roll_back: {against: a}}]", "targets[0].roll_back.against"),
        ("targets: [{provider: up, variant: b, roll_back: {against: b}}]", "targets[0].roll_back.against"),
        (
            "targets: [{provider: up, variant: a}, {provider: up, model: n, roll_back: {against: a}}]",
            "targets[1].variant",
        ),
        (
            "targets: [{provider: up, variant: a},"
            " {provider: up, model: n, variant: b, roll_back: {against: a, max_more_errors: null}}]",
            "targets[1].roll_back",
        ),
        ("targets: [{provider: up}], shadows: [{provider: up, variant: s, share: 0}]", "shadows[0].share"),
        ("targets: [{provider: up}], shadows: [{provider: no, variant: s, share: 1}]", "shadows[0].provider"),
        ("targets: [{provider: up}], shadows: [{provider: own, variant: s, share: 1}]", "shadows[0].provider"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(tmp_path: Path, route: str, place: str) -> None:
    (tmp_path / "flyball.yaml").write_text(
        'providers: {up: {base_url: "http://127.0.0.1:9/v1"},'
        ' own: {base_url: "http://127.0.0.1:9/v1", credentials: passthrough}}\n'
        f"routes: [{{model: m, {route}}}]\n"
    )
    with pytest.raises(BadConfig) as caught:
        load_config(tmp_path / "flyball.yaml", {})
    assert f"routes[0].{place}" in str(caught.value)
