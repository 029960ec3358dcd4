"""Windows follow the calendar of their timezone, whatever its clocks do."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.budget.clock_windows import length_of, length_text, oldest_counted
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


CALENDAR = [kind for kind in WindowKind if kind not in (WindowKind.TOTAL, WindowKind.ROLLING)]
ZONES = sorted(available_timezones() - {"localtime", "Factory", "posixrules"})
INSTANTS = st.integers(
    int(datetime(1973, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
)


@given(kind=st.sampled_from(CALENDAR), zone=st.sampled_from(ZONES), at_s=INSTANTS)
def test_windows_of_every_kind_tile_time_and_their_names_sort(kind: WindowKind, zone: str, at_s: int) -> None:
    window = window_at(kind, zone, at_s * NS + 17)
    assert window.holds(at_s * NS + 17)
    assert window.ends_ns is not None and window.starts_ns < window.ends_ns
    following = window_at(kind, zone, window.ends_ns)
    before = window_at(kind, zone, window.starts_ns - 1)
    assert (before.ends_ns, following.starts_ns) == (window.starts_ns, window.ends_ns)
    assert window_at(kind, zone, window.starts_ns) == window_at(kind, zone, window.ends_ns - 1) == window
    assert before.name < window.name < following.name


@given(minutes=st.integers(1, 366 * 1440), at_s=INSTANTS)
def test_buckets_tile_time_and_sixty_of_them_before_this_one_count(minutes: int, at_s: int) -> None:
    length_s = minutes * 60
    window = window_at(WindowKind.ROLLING, "UTC", at_s * NS, length_s)
    assert window.holds(at_s * NS) and window.ends_ns is not None
    assert window.ends_ns - window.starts_ns == minutes * NS
    following = window_at(WindowKind.ROLLING, "UTC", window.ends_ns, length_s)
    assert following.starts_ns == window.ends_ns and window.name < following.name
    oldest = window_at(WindowKind.ROLLING, "UTC", at_s * NS - length_s * NS, length_s)
    assert oldest_counted(window.starts_ns, window.ends_ns) == oldest.name < window.name


@pytest.mark.parametrize(
    ("kind", "zone", "at", "name", "starts", "ends"),
    [
        (
            "minute",
            "Asia/Kathmandu",
            "2026-11-20T12:15:30",
            "2026-11-20T12:15Z",
            "2026-11-20T12:15",
            "2026-11-20T12:16",
        ),
        ("hour", "Europe/Berlin", "2026-11-20T12:15:30", "2026-11-20T12:00Z", "2026-11-20T12:00", "2026-11-20T13:00"),
        # Kathmandu is 5:45 ahead: its clocks show a full hour at a quarter past.
        ("hour", "Asia/Kathmandu", "2026-11-20T12:14", "2026-11-20T11:15Z", "2026-11-20T11:15", "2026-11-20T12:15"),
        ("hour", "Asia/Kathmandu", "2026-11-20T12:15", "2026-11-20T12:15Z", "2026-11-20T12:15", "2026-11-20T13:15"),
        # The hour that comes twice in Berlin is two windows.
        ("hour", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T00:00Z", "2026-10-25T00:00", "2026-10-25T01:00"),
        ("hour", "Europe/Berlin", "2026-10-25T01:30", "2026-10-25T01:00Z", "2026-10-25T01:00", "2026-10-25T02:00"),
        # Lord Howe puts its clocks back by half an hour, from 02:00 to 01:30 (15:00 UTC): a window ends there.
        (
            "hour",
            "Australia/Lord_Howe",
            "2026-04-04T14:40",
            "2026-04-04T14:00Z",
            "2026-04-04T14:00",
            "2026-04-04T15:00",
        ),
        (
            "hour",
            "Australia/Lord_Howe",
            "2026-04-04T15:10",
            "2026-04-04T15:00Z",
            "2026-04-04T15:00",
            "2026-04-04T15:30",
        ),
        (
            "hour",
            "Australia/Lord_Howe",
            "2026-04-04T15:40",
            "2026-04-04T15:30Z",
            "2026-04-04T15:30",
            "2026-04-04T16:30",
        ),
        ("day", "Asia/Kathmandu", "2026-11-20T18:14", "2026-11-20", "2026-11-19T18:15", "2026-11-20T18:15"),
        ("day", "Asia/Kathmandu", "2026-11-20T18:15", "2026-11-21", "2026-11-20T18:15", "2026-11-21T18:15"),
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("day", "Europe/Berlin", "2026-10-25T12:00", "2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("day", "UTC", "2028-02-29T12:00", "2028-02-29", "2028-02-29T00:00", "2028-03-01T00:00"),
        # Samoa went from the 29th to the 31st of December 2011.
        ("day", "Pacific/Apia", "2011-12-30T09:59", "2011-12-29", "2011-12-29T10:00", "2011-12-30T10:00"),
        ("day", "Pacific/Apia", "2011-12-30T10:00", "2011-12-31", "2011-12-30T10:00", "2011-12-31T10:00"),
        ("week", "UTC", "2026-11-22T23:59", "2026-W47", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("week", "Europe/Berlin", "2027-01-01T12:00", "2026-W53", "2026-12-27T23:00", "2027-01-03T23:00"),
        ("quarter", "Europe/Berlin", "2026-11-20T12:00", "2026-Q4", "2026-09-30T22:00", "2026-12-31T23:00"),
        ("quarter", "UTC", "2028-03-31T23:59", "2028-Q1", "2028-01-01T00:00", "2028-04-01T00:00"),
        ("year", "America/New_York", "2027-01-01T04:59", "2026", "2026-01-01T05:00", "2027-01-01T05:00"),
    ],
)
def test_windows_by_the_calendar(kind: str, zone: str, at: str, name: str, starts: str, ends: str) -> None:
    assert window_at(WindowKind(kind), zone, ns(at)) == (name, ns(starts), ns(ends))


@pytest.mark.parametrize("text", ["", "24", "1.5h", "h", "-1h", "59s", "61s", "367d", "0h", "1y", "１h", "24 h"])
def test_a_text_that_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="length"):
        length_of(text)


def test_lengths_are_read_and_written() -> None:
    for text, seconds in (("1m", 60), ("90m", 5400), ("24h", 86_400), ("30d", 2_592_000), ("2w", 1_209_600), ("", 0)):
        assert length_text(seconds) == text
        if text:
            assert length_of(text) == seconds
    assert length_of("120s") == 120
