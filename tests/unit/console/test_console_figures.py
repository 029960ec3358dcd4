"""Numbers for people: exact where it is money, short where it is not."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.console.axis import MOST_STEPS, ticks
from proxy.admin.console.figures import count_short, decimals_for, duration, permille, share, usd, usd_html, usd_short
from proxy.admin.console.span import SPANS, span_named, window
from proxy.core.money import NANO_PER_USD, Nano, exact_usd

AMOUNTS = st.integers(min_value=-(10**18), max_value=10**18).map(Nano)


@given(AMOUNTS)
def test_a_shown_amount_reads_back_to_the_nano_dollar(amount: Nano) -> None:
    plain = usd(amount).replace("$", "").replace(",", "").replace("−", "-")
    assert exact_usd(plain) == amount


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "$0.00"), (1, "$0.000000001"), (1_234_500_000_000, "$1,234.50"), (-2_500_000_000, "−$2.50")],
)
def test_amounts_in_words(amount: int, shown: str) -> None:
    assert usd(Nano(amount)) == shown


def test_a_columns_points_line_up() -> None:
    amounts = [Nano(1_000_000_000), Nano(2_345_600_000), Nano(0)]
    assert decimals_for(amounts) == 4
    assert [usd(amount, 4) for amount in amounts] == ["$1.0000", "$2.3456", "$0.0000"]
    assert usd_html(amounts[1], 4).text == '<span class="usd">$2.34<span class="fine">56</span></span>'


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(20_000, "$20k"), (1_500, "$1.5k"), (2_500_000, "$2.5M"), (999, "$999.00")],
)
def test_axis_amounts_are_short(amount: int, shown: str) -> None:
    assert usd_short(Nano(amount * NANO_PER_USD)) == shown


@given(st.integers(min_value=1, max_value=10**18))
def test_axis_steps_are_round_few_and_reach_the_top(highest: int) -> None:
    marks = ticks(Nano(highest))
    step = marks[1]
    assert marks[0] == 0 and len(marks) <= MOST_STEPS + 1
    assert marks[-1] >= highest > marks[-1] - step
    assert all(after - before == step for before, after in pairwise(marks))
    assert str(step).rstrip("0") in {"1", "2", "5"}


def test_an_axis_without_money_still_stands() -> None:
    assert ticks(Nano(0)) == (0, NANO_PER_USD)


def test_shares_never_hide_that_there_is_something() -> None:
    assert (share(1, 3), share(1, 100_000), share(0, 5), share(1, 0)) == ("33.3 %", "<0.1 %", "0.0 %", "–")
    assert (permille(5, 2), permille(-1, 2), permille(1, 0)) == (1000, 0, 0)


def test_durations_and_counts_take_the_unit_that_reads_best() -> None:
    told = [duration(value) for value in (0.034, 12.6, 3480.4, 125_000, 5_400_000, 200_000_000, None)]
    assert told == ["0.03 ms", "13 ms", "3.48 s", "2 min 05 s", "1 h 30 min", "2 d 7 h", "–"]
    assert [count_short(number) for number in (9_999, 12_345, 65_800_000, 3_100_000_000)] == [
        "9,999",
        "12.3k",
        "65.8M",
        "3.1B",
    ]


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
def test_windows_stand_on_slot_borders_and_hold_the_present(span: object) -> None:
    now = datetime(2026, 11, 20, 11, 7, 30, tzinfo=UTC)
    chosen = next(one for one in SPANS if one is span)
    laid = window(chosen, now)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert laid.end - laid.start == chosen.length and laid.slots[-1] <= now < laid.end
    assert (laid.start - epoch) % chosen.slot == timedelta(0)
    assert laid.before.end == laid.start and laid.before.end - laid.before.start == chosen.length


def test_an_unknown_span_is_the_day() -> None:
    assert span_named("1h").name == "1h" and span_named("x").name == span_named(None).name == "24h"
