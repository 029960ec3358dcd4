"""A remembered line is the line that would be made anew: in every window, around clock changes, with raises ending."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.budget import Budget, BudgetCatalog, Raise, WindowKind
from proxy.budget.meters import line_of
from proxy.budget.windows import window_at
from proxy.core.money import Nano

NS = 10**9
DAY = 86_400
# Clocks of these change by an hour, by half of one, over midnight, and not at all; the leap day of 2028 is among these.
ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu", "America/St_Johns")
FIRST = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
SPAN = 620 * DAY
LENGTHS = {WindowKind.ROLLING: 7200}

BUDGETS = st.builds(
    lambda kind, zone, scope, raises: Budget(
        name="b",
        scope=scope,
        limit=Nano(100),
        id="bud_b",
        managed_by="api",
        window=kind,
        length_s=LENGTHS.get(kind, 0),
        timezone=zone,
        raises=tuple(Raise(f"rai_{at}", Nano(by), until, "x", "y", 0) for at, (by, until) in enumerate(raises)),
    ),
    st.sampled_from(list(WindowKind)),
    st.sampled_from(ZONES),
    st.sampled_from(["org:acme", "user:acme/*"]),
    st.lists(st.tuples(st.integers(1, 9), st.integers(FIRST * NS, (FIRST + SPAN) * NS)), max_size=3),
)


@st.composite
def instants(draw: st.DrawFn, budget: Budget) -> list[int]:
    """Instants in any order, many of them where something changes."""
    found = []
    for at in draw(st.lists(st.integers(FIRST * NS, (FIRST + SPAN) * NS), min_size=1, max_size=6)):
        window = budget.window_at(at)
        ends = [] if window.ends_ns is None else [window.ends_ns]
        edges = [at, window.starts_ns, *ends, *(each.until_ns for each in budget.raises)]
        found.append(draw(st.sampled_from(edges)) + draw(st.integers(-1, 1)))
    return [max(1, at) for at in found]


@given(data=st.data(), budget=BUDGETS)
def test_a_remembered_line_is_the_one_that_would_be_made_anew(data: st.DataObject, budget: Budget) -> None:
    catalog = BudgetCatalog([budget])
    scope = budget.scope.replace("*", "u")
    for at in data.draw(instants(budget)):
        limit = 100 + sum(each.amount for each in budget.raises if at < each.until_ns)
        (found,) = catalog.lines_for((scope,), at)
        window = window_at(budget.window, budget.timezone, at, budget.length_s)
        assert found == line_of(budget, window, scope, Nano(limit))
        assert (found.limit, found.window, found.resets_at_ns) == (limit, window.name, window.ends_ns)


@given(year=st.integers(1973, 2099), zone=st.sampled_from(ZONES))
def test_every_day_of_a_year_is_one_window_and_leap_years_have_one_more(year: int, zone: str) -> None:
    day, names = date(year, 1, 1), []
    while day.year == year:
        noon = int(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).timestamp()) * NS
        names.append(window_at(WindowKind.DAY, zone, noon).name)
        day += timedelta(days=1)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    assert len(set(names)) == (366 if leap else 365)
    assert (f"{year}-02-29" in names) == leap


@pytest.mark.parametrize("kind", [WindowKind.WEEK, WindowKind.MONTH, WindowKind.QUARTER, WindowKind.YEAR])
@given(at_s=st.integers(FIRST - 40 * 365 * DAY, FIRST + 40 * 365 * DAY), zone=st.sampled_from(ZONES))
def test_longer_windows_are_made_of_whole_days(kind: WindowKind, at_s: int, zone: str) -> None:
    window = window_at(kind, zone, at_s * NS)
    assert window.ends_ns is not None
    first, last = (window_at(WindowKind.DAY, zone, at) for at in (window.starts_ns, window.ends_ns - 1))
    assert (first.starts_ns, last.ends_ns) == (window.starts_ns, window.ends_ns)
    days = (date.fromisoformat(last.name) - date.fromisoformat(first.name)).days + 1
    assert (
        days
        in {
            WindowKind.WEEK: {7},
            WindowKind.MONTH: {28, 29, 30, 31},
            WindowKind.QUARTER: {90, 91, 92},
            WindowKind.YEAR: {365, 366},
        }[kind]
    )
