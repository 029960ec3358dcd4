"""Windows follow the calendar of their timezone, whatever its clocks do."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.budget.windows import UnknownTimezone, Window, WindowKind, window_at

NS = 1_000_000_000


def ns(text: str, zone: str = "UTC", fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * NS


def month(zone: str, at_ns: int) -> Window:
    return window_at(WindowKind.MONTH, zone, at_ns)


def test_a_total_budget_never_starts_over() -> None:
    assert window_at(WindowKind.TOTAL, "UTC", 0) == window_at(WindowKind.TOTAL, "UTC", 10**19) == ("total", 0, None)


def test_a_month_ends_at_local_midnight() -> None:
    window = month("Europe/Berlin", ns("2026-11-20T12:00"))
    assert window == ("2026-11", ns("2026-10-31T23:00"), ns("2026-11-30T23:00"))


@pytest.mark.parametrize(
    ("at", "name"),
    [
        ("2026-10-31T22:59:59", "2026-10"),
        ("2026-10-31T23:00:00", "2026-11"),
        ("2024-02-29T22:59:59", "2024-02"),
        ("2024-02-29T23:00:00", "2024-03"),
        ("2026-12-31T23:00:00", "2027-01"),
    ],
)
def test_months_change_to_the_nanosecond(at: str, name: str) -> None:
    assert month("Europe/Berlin", ns(at)).name == name
    if at.endswith(":00"):
        assert month("Europe/Berlin", ns(at) - 1).name != name


@pytest.mark.parametrize(("march", "hours"), [("Europe/Berlin", 743), ("UTC", 744), ("Europe/London", 743)])
def test_a_month_with_a_changed_clock_is_an_hour_shorter(march: str, hours: int) -> None:
    window = month(march, ns("2026-03-15T12:00"))
    assert window.ends_ns is not None
    assert (window.ends_ns - window.starts_ns) // NS == hours * 3600


def test_a_month_whose_first_hour_is_skipped_begins_at_the_jump() -> None:
    # Paraguay put its clocks from 00:00 to 01:00 on 1 October 2023.
    jump = ns("2023-10-01T04:00")
    assert month("America/Asuncion", jump - 1).name == "2023-09"
    assert month("America/Asuncion", jump) == ("2023-10", jump, ns("2023-11-01T03:00"))


def test_a_month_whose_first_hour_comes_twice_begins_with_the_first() -> None:
    # Cuba puts its clocks from 01:00 back to 00:00 on 1 November 2026.
    first = ns("2026-11-01T04:00")
    for at in (first, first + 90 * 60 * NS):
        assert month("America/Havana", at)[:2] == ("2026-11", first)


def test_clocks_set_back_over_midnight_do_not_bring_the_old_month_back() -> None:
    # Newfoundland put its clocks from 00:01 on 1 November 2009 back to 23:01 on 31 October.
    begins = ns("2009-11-01T02:30")
    zone = ZoneInfo("America/St_Johns")
    assert datetime.fromtimestamp(begins // NS + 600, zone).month == 10
    assert month("America/St_Johns", begins - 1).name == "2009-10"
    assert month("America/St_Johns", begins + 600 * NS)[:2] == ("2009-11", begins)


@given(
    zone=st.sampled_from(sorted(available_timezones() - {"localtime", "Factory", "posixrules"})),
    at_s=st.integers(
        int(datetime(1971, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
    ),
)
def test_every_instant_lies_in_one_month_and_months_meet(zone: str, at_s: int) -> None:
    window = month(zone, at_s * NS)
    assert window.holds(at_s * NS)
    assert window.ends_ns is not None
    following = month(zone, window.ends_ns)
    assert following.starts_ns == window.ends_ns
    assert month(zone, window.ends_ns - 1) == window
    assert following.name > window.name


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd", "/etc/localtime", "Europe", "a\0b"])
def test_no_timezone_is_no_timezone(name: str) -> None:
    with pytest.raises(UnknownTimezone):
        window_at(WindowKind.MONTH, name, 0)
