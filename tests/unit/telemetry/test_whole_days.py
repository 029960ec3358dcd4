"""Which days may be read from sums of days: their quarter-hours fall into one local bucket, or are to be moved."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.telemetry.whole_days import WholeDays, whole_days

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_QUARTER: Final = timedelta(minutes=15)
_ZONES: Final = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Atlantic/Azores", "Pacific/Apia")


def _bucket(moment: datetime, bucket: str, zone: str) -> object:
    local = moment.astimezone(ZoneInfo(zone)).date()
    return {"all": 0, "day": local, "week": local.isocalendar()[:2], "month": (local.year, local.month)}[bucket]


@settings(max_examples=60)
@given(
    st.integers(0, 400 * 96), st.integers(1, 12 * 96), st.sampled_from(("all", "day", "week", "month")),
    st.sampled_from(_ZONES),
)  # fmt: skip
def test_a_whole_day_lies_in_the_span_and_in_one_bucket(skipped: int, length: int, bucket: str, zone: str) -> None:
    start = _START + skipped * _QUARTER
    end = start + length * _QUARTER
    found = whole_days(start, end, bucket, zone) or WholeDays(first=0, end=0)
    assert not found.moves or bucket == "day"
    for day in {*range(found.first, found.end)} - {*found.cut}:
        midnight = datetime.fromtimestamp(day * 86_400, UTC)
        assert start <= midnight and midnight + timedelta(days=1) <= end
        if found.moves:
            continue
        assert len({_bucket(midnight + number * _QUARTER, bucket, zone) for number in range(96)}) == 1


@pytest.mark.parametrize(
    ("bucket", "zone", "wanted"),
    [
        ("all", "Asia/Kathmandu", 31),
        ("day", "UTC", 31),
        ("day", "Europe/Berlin", 31),
        ("day", "America/Los_Angeles", 31),
        ("day", "Asia/Tokyo", 0),
        ("week", "UTC", 31),
        ("week", "Europe/Berlin", 27),
        ("month", "America/New_York", 30),
        ("hour", "UTC", 0),
    ],
)
def test_as_many_days_as_there_are(bucket: str, zone: str, wanted: int) -> None:
    found = whole_days(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC), bucket, zone)
    assert (found is not None and found.moves) == (bucket == "day" and zone != "UTC" and wanted > 0)
    assert (0 if found is None else found.end - found.first - len(found.cut)) == wanted
