"""The forecast against synthetic pasts: what it must keep whatever the numbers, and how often it holds the truth."""

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.budget.forecast import (
    DAY_NS,
    HOUR_NS,
    LEAST_DAYS,
    MOST_DAYS,
    Forecast,
    NoForecast,
    UsageHistory,
    foreseen,
)

START = 1_790_000_000 // 3600 * HOUR_NS
DOLLAR = 10**9
HOURS = st.lists(st.integers(0, 10**12), min_size=24 * 4, max_size=24 * 20)


def known(
    hours: Sequence[int], *, spent: int = 0, limit: int = 10**18, past_ns: int = 0, left_ns: int = 10 * DAY_NS
) -> Forecast:
    """The forecast `past_ns` after the last full hour, for a window with `left_ns` to go."""
    now_ns = START + len(hours) * HOUR_NS + past_ns
    found = foreseen(UsageHistory(START, hours), spent=spent, limit=limit, now_ns=now_ns, ends_ns=now_ns + left_ns)
    assert isinstance(found, Forecast)
    return found


def steady(days: int, amount: int = DOLLAR) -> list[int]:
    return [amount] * (24 * days)


def test_use_that_never_changes_goes_on_and_leaves_no_doubt() -> None:
    found = known(steady(28), spent=5 * DOLLAR, left_ns=10 * DAY_NS)
    assert found.end is not None
    assert found.end.expected == (5 + 240) * DOLLAR
    assert found.end.high - found.end.low <= 2
    assert (found.days, found.weekly) == (28, True)


def test_the_hour_under_way_counts_only_from_now_on() -> None:
    found = known(steady(3), past_ns=HOUR_NS // 4, left_ns=HOUR_NS // 2)
    assert found.end is not None and found.end.expected == DOLLAR // 2


def test_weekends_are_told_apart_from_working_days() -> None:
    week = [24 * DOLLAR] * 5 + [0, 0]
    hours = [amount // 24 for day in week * 4 for amount in [day] * 24]
    for days, total in ((5, 120), (7, 120), (8, 144), (14, 240)):
        end = known(hours, left_ns=days * DAY_NS).end
        assert end is not None and end.expected == total * DOLLAR


def test_the_limit_is_used_up_when_steady_use_reaches_it() -> None:
    found = known(steady(28), spent=10 * DOLLAR, limit=58 * DOLLAR)
    now_ns = START + 28 * DAY_NS
    assert found.exhausted_ns is not None and abs(found.exhausted_ns - now_ns - 2 * DAY_NS) < HOUR_NS
    assert known(steady(28), limit=241 * DOLLAR).exhausted_ns is None


def test_what_is_used_up_is_used_up_now() -> None:
    found = known(steady(28), spent=10, limit=10, past_ns=7)
    assert found.exhausted_ns == found.exhausted_earliest_ns == START + 28 * DAY_NS + 7


def test_a_window_without_an_end_has_no_sum_but_a_day_on_which_it_is_used_up() -> None:
    now_ns = START + 28 * DAY_NS
    found = foreseen(UsageHistory(START, steady(28)), spent=0, limit=2400 * DOLLAR, now_ns=now_ns, ends_ns=None)
    assert isinstance(found, Forecast) and found.end is None
    assert found.exhausted_ns is not None and abs(found.exhausted_ns - now_ns - 100 * DAY_NS) < DAY_NS


@given(days=st.integers(0, 5), idle=st.integers(0, 30))
def test_it_says_when_the_past_is_too_short(days: int, idle: int) -> None:
    hours = [0] * (24 * idle) + steady(days)
    now_ns = START + len(hours) * HOUR_NS
    found = foreseen(UsageHistory(START, hours), spent=0, limit=1, now_ns=now_ns, ends_ns=now_ns + DAY_NS)
    assert isinstance(found, NoForecast) == (days < LEAST_DAYS)
    if isinstance(found, NoForecast):
        assert found.code == "too_little_history" and f"there are {days}" in found.words


@given(hours=HOURS, spent=st.integers(0, 10**15), past_ns=st.integers(0, HOUR_NS - 1), left=st.integers(1, 9 * DAY_NS))
def test_the_range_lies_around_what_is_expected_and_never_comes_back(
    hours: list[int], spent: int, past_ns: int, left: int
) -> None:
    hours[0] = 1
    found = known(hours, spent=spent, past_ns=past_ns, left_ns=left)
    assert found.days <= MOST_DAYS
    for earlier, later in zip(found.path, found.path[1:], strict=False):
        assert earlier.at_ns < later.at_ns
        assert (earlier.expected, earlier.low, earlier.high) <= (later.expected, later.low, later.high)
        assert earlier.low <= later.low and earlier.high <= later.high
    for point in found.path:
        assert spent <= point.low <= point.expected <= point.high
        assert all(type(amount) is int for amount in point)


@given(hours=HOURS, more=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**12)), max_size=20))
def test_who_used_more_is_expected_to_use_more(hours: list[int], more: list[tuple[int, int]]) -> None:
    hours[0] = 1
    dearer = list(hours)
    for place, amount in more:
        dearer[place % len(hours)] += amount
    less, least = known(hours, spent=7), known(dearer, spent=7)
    assert less.end is not None and least.end is not None
    assert less.end.expected <= least.end.expected


@given(hours=HOURS, limits=st.tuples(st.integers(0, 10**15), st.integers(0, 10**15)))
def test_a_higher_limit_lasts_longer_and_the_earliest_day_comes_first(
    hours: list[int], limits: tuple[int, int]
) -> None:
    hours[0] = 1
    low, high = (known(hours, limit=limit) for limit in sorted(limits))
    never = 2**63
    assert (low.exhausted_ns or never) <= (high.exhausted_ns or never)
    for found in (low, high):
        assert (found.exhausted_earliest_ns or never) <= (found.exhausted_ns or never)


@settings(max_examples=25)
@given(hours=HOURS, factor=st.integers(2, 1000))
def test_the_unit_does_not_matter(hours: list[int], factor: int) -> None:
    hours[0] = 1
    one, many = known(hours).end, known([amount * factor for amount in hours]).end
    assert one is not None and many is not None
    assert abs(many.expected - one.expected * factor) <= factor
    width = one.high - one.expected
    assert abs((many.high - many.expected) - width * factor) <= width * factor // 1000 + 20 * factor


def held(seed: int, *, past_days: int, left_ns: int, weekly: bool) -> float:
    """How often the range holds what then really was used, over many independent worlds."""
    chance = random.Random(seed)
    hits = 0
    trials = 600
    for _ in range(trials):
        levels = [chance.uniform(0.2, 2.0) for _ in range(7)] if weekly else [1.0] * 7
        days = [
            int(levels[day % 7] * 50 * DOLLAR * (1 + chance.gammavariate(4, 0.25))) for day in range(past_days + 40)
        ]
        hours = [day * (1 + hour % 24) // 300 for day in days for hour in range(24)]
        end = known(hours[: 24 * past_days], left_ns=left_ns).end
        truth = sum(hours[24 * past_days : 24 * past_days + left_ns // HOUR_NS])
        assert end is not None
        hits += end.low <= truth <= end.high
    return hits / trials


def test_the_range_holds_the_truth_four_times_in_five() -> None:
    for seed, past_days, left_ns, weekly in (
        (1, 28, 20 * DAY_NS, True),
        (2, 14, 6 * DAY_NS + 5 * HOUR_NS, True),
        (3, 6, 9 * DAY_NS, False),
        (4, 28, 11 * HOUR_NS, False),
        (5, 3, 12 * HOUR_NS, False),
    ):
        assert 0.74 <= held(seed, past_days=past_days, left_ns=left_ns, weekly=weekly) <= 0.87, (seed, past_days)
