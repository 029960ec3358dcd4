"""Conditions of routes: pinned tags apart from claimed ones, hours by a timezone's clocks, the first match wins."""

from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from proxy.core.refusal import Refusal, Refused
from proxy.routing import CallFacts, Router, RouteSettings, TargetSettings, WhenSettings, when_problems
from proxy.routing.when import Condition

FACTS = CallFacts(
    org="acme",
    team="support",
    agent="triage",
    step="classify",
    tags={"tier": "gold"},
    claimed_tags={"tier": "gold", "feature": "search"},
    request_bytes=1000,
    asks=frozenset({"tools", "images"}),
)


def route(model: str, to: str, **when: Any) -> RouteSettings:
    targets = (TargetSettings(provider=to),)
    return RouteSettings(model=model, targets=targets, when=WhenSettings(**when) if when else None)


def ns(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({"orgs": ("acme",)}, True),
        ({"orgs": ("beta", "ac*")}, True),
        ({"orgs": ("beta",)}, False),
        ({"teams": ("acme/support",)}, True),
        ({"teams": ("support",)}, False),
        ({"agents": ("tri*",)}, True),
        ({"steps": ("draft", "classify")}, True),
        ({"steps": ("draft",)}, False),
        ({"tags": {"tier": "g*"}}, True),
        ({"tags": {"tier": "silver"}}, False),
        ({"tags": {"feature": "search"}}, False),  # claimed only
        ({"claimed_tags": {"feature": "search"}}, True),
        ({"claimed_tags": {"other": "*"}}, False),
        ({"min_bytes": 1000, "max_bytes": 1000}, True),
        ({"min_bytes": 1001}, False),
        ({"max_bytes": 999}, False),
        ({"asks": ("tools", "images")}, True),
        ({"asks": ("audio",)}, False),
        ({"lacks": ("audio",)}, True),
        ({"lacks": ("tools",)}, False),
        ({"orgs": ("acme",), "steps": ("draft",)}, False),  # all must hold
    ],
)
def test_each_part_of_a_condition(when: dict[str, Any], holds: bool) -> None:
    assert Condition(WhenSettings(**when)).holds(FACTS) is holds


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        ("2026-11-30T08:59:59", False),
        ("2026-11-30T09:00:00", True),
        ("2026-11-30T16:59:59", True),
        ("2026-11-30T17:00:00", False),
        ("2026-11-28T10:00:00", False),  # a Saturday
    ],
)
def test_hours_of_working_days_by_the_clocks_of_a_timezone(at: str, holds: bool) -> None:
    condition = Condition(
        WhenSettings(hours=("09:00-17:00",), days=("mon", "tue", "wed", "thu", "fri"), timezone="Europe/Berlin")
    )
    assert condition.holds(structs.replace(FACTS, at_ns=ns(at, "Europe/Berlin"))) is holds


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        ("2026-11-27T21:59:00", False),
        ("2026-11-27T22:00:00", True),
        ("2026-11-28T05:59:00", True),  # Friday's night goes on
        ("2026-11-28T06:00:00", False),
        ("2026-11-28T23:00:00", False),
    ],
)
def test_a_night_is_of_the_day_it_begins_on(at: str, holds: bool) -> None:
    condition = Condition(WhenSettings(hours=("22:00-06:00",), days=("fri",)))
    assert condition.holds(structs.replace(FACTS, at_ns=ns(at))) is holds


def test_what_cannot_be_meant_is_told() -> None:
    when = WhenSettings(hours=("9-17", "25:00-26:00", "09:00-09:00"), timezone="Mars/Base", min_bytes=2, max_bytes=1)
    assert [key for key, _ in when_problems(when)] == ["timezone", "hours[0]", "hours[1]", "hours[2]", "min_bytes"]


ROUTER = Router(
    [
        route("m", "night", steps=("classify",), orgs=("beta",)),
        route("m*", "gold", tags={"tier": "gold"}),
        route("m", "plain"),
        route("m", "never"),
        route("only", "beta", orgs=("beta",)),
        route("step", "small", steps=("classify",)),
    ]
)


def test_the_first_route_whose_condition_holds_wins() -> None:
    for tags, served in (({"tier": "gold"}, "gold"), ({}, "plain")):
        facts = partial(structs.replace, FACTS, tags=tags)
        assert ROUTER.resolve("m", facts=facts).candidates[0].provider == served
    assert ROUTER.resolve("m").candidates[0].provider == "plain"


def test_a_name_whose_conditions_do_not_hold_is_refused_and_says_so() -> None:
    with pytest.raises(Refused) as refused:
        ROUTER.resolve("only", facts=lambda: FACTS)
    assert refused.value.why is Refusal.MODEL_NOT_FOUND
    assert "the conditions of its routes do not hold" in refused.value.message


def test_names_of_other_organisations_are_not_listed() -> None:
    caller = CallFacts(org="acme", team="support")
    assert ROUTER.names(lambda name: True, lambda provider: [], caller=caller) == ["m", "step"]
    assert (ROUTER.serves("only", caller=caller), ROUTER.serves("only"), ROUTER.serves("step", caller=caller)) == (
        False,
        True,
        True,
    )


@given(
    st.lists(st.tuples(st.sampled_from(["a", "ab", "a*", "*b", "*"]), st.sampled_from([None, "acme", "beta"]))),
    st.sampled_from(["a", "ab", "abb", "c"]),
    st.sampled_from(["acme", "beta", "none"]),
)
def test_no_index_or_memory_changes_what_the_first_match_is(
    routes: list[tuple[str, str | None]], model: str, org: str
) -> None:
    from_file = [
        route(name, f"p{at}", **({} if only is None else {"orgs": (only,)})) for at, (name, only) in enumerate(routes)
    ]
    matching = {"a": {"a", "a*", "*"}, "ab": {"ab", "a*", "*b", "*"}, "abb": {"a*", "*b", "*"}, "c": {"*"}}[model]
    wanted = next((f"p{at}" for at, (name, only) in enumerate(routes) if name in matching and only in (None, org)), "")
    router = Router(from_file)
    facts = structs.replace(FACTS, org=org)
    for _ in range(2):  # the second time from memory
        try:
            found = router.resolve(model, facts=lambda: facts).candidates[0].provider
        except Refused:
            found = ""
        assert found == wanted
