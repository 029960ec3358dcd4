"""Which limits hold for a run, and which of several counts."""

from decimal import Decimal
from typing import Any

import pytest

from proxy.core.tenant import Principal
from proxy.runs import RunLimitEntry, RunLimits, RunSettings
from proxy.runs.limits import BadRunLimit, RunBound, RunBounds

BOT = Principal(org="acme", team="support", key_id="key_1", key_name="bot")


def bounds(*entries: dict[str, Any], who: Principal = BOT, agent: str = "bot", derived: bool = False) -> RunBounds:
    limits = RunLimits.of(RunSettings(limits=tuple(RunLimitEntry(**entry) for entry in entries)))
    return limits.bounds(who, agent, derived=derived)


def test_the_smallest_of_org_team_and_key_counts() -> None:
    found = bounds(
        {"scope": "org:acme", "calls": 50, "usd": Decimal("2.5"), "seconds": 60},
        {"scope": "team:acme/support", "calls": 20, "depth": 4},
        {"scope": "key:acme/support/bot", "calls": 30, "tool_calls": 0, "seconds": 90, "depth": 2},
    )
    assert found.counted == (
        RunBound("calls", 20, "team:acme/support"),
        RunBound("tool_calls", 0, "key:acme/support/bot"),
        RunBound("usd", 2_500_000_000, "org:acme"),
    )
    assert (found.seconds, found.depth) == (60, 2)
    assert (found.seconds_of, found.depth_of) == ("org:acme", "key:acme/support/bot")


@pytest.mark.parametrize(
    ("pattern", "own"),
    [
        ("*", "org:acme"),
        ("team:acme/*", "team:acme/support"),
        ("key:acme/support/*", "key:acme/support/bot"),
        ("agent:acme/*", "agent:acme/bot"),
    ],
)
def test_a_scopes_own_number_stands_in_its_patterns_place(pattern: str, own: str) -> None:
    only_pattern = bounds({"scope": pattern, "calls": 5, "tokens": 9})
    assert [(each.what, each.most, each.said_of) for each in only_pattern.counted] == [
        ("calls", 5, pattern),
        ("tokens", 9, pattern),
    ]
    both = bounds({"scope": pattern, "calls": 5, "tokens": 9}, {"scope": own, "calls": 100})
    assert [(each.what, each.most, each.said_of) for each in both.counted] == [
        ("calls", 100, own),
        ("tokens", 9, pattern),
    ]


def test_an_agents_calls_are_counted_beside_the_runs() -> None:
    found = bounds({"scope": "org:acme", "calls": 50}, {"scope": "agent:acme/triage", "calls": 5}, agent="triage")
    assert found.counted == (
        RunBound("calls", 50, "org:acme"),
        RunBound("calls", 5, "agent:acme/triage", "triage"),
    )
    assert bounds({"scope": "agent:acme/triage", "calls": 5}, agent="draft").counted == ()


def test_others_are_not_meant() -> None:
    other = Principal(org="other", team="support", key_id="key_2", key_name="bot")
    assert not bounds({"scope": "org:acme", "calls": 1}, {"scope": "key:acme/support/*", "calls": 1}, who=other)


def test_a_derived_run_is_only_limited_where_that_is_said() -> None:
    assert not bounds({"scope": "*", "calls": 5}, derived=True)
    assert bounds({"scope": "*", "calls": 5, "derived": True}, derived=True).counted[0].most == 5
    assert bounds({"scope": "*", "calls": 5, "derived": True}).counted[0].most == 5


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({"scope": "user:acme/u", "calls": 1}, "scope"),
        ({"scope": "org:*", "calls": 1}, "scope"),
        ({"scope": "key:acme/bot", "calls": 1}, "scope"),
        ({"scope": "org:acme"}, "scope"),
        ({"calls": 0}, "calls"),
        ({"tool_calls": -1}, "tool_calls"),
        ({"seconds": 0}, "seconds"),
        ({"depth": 0}, "depth"),
        ({"usd": Decimal(0)}, "usd"),
        ({"usd": Decimal("0.0000000001")}, "usd"),
        ({"tokens": 10**19}, "tokens"),
    ],
)
def test_what_means_nothing_is_refused_at_its_place(entry: dict[str, Any], where: str) -> None:
    with pytest.raises(BadRunLimit) as raised:
        bounds(entry)
    assert raised.value.field == where
