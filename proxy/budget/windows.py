"""Windows: the stretch of time a budget's limit is for, cut by the calendar of its timezone."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from proxy.budget.clock_windows import bucket_at, hour_at, minute_at

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_NS: Final = 1_000_000_000


class WindowKind(StrEnum):
    """How often a budget starts over; `rolling` never does, but forgets what is older than its length."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ROLLING = "rolling"
    TOTAL = "total"


class Window(NamedTuple):
    """One window: a name that sorts by time, its first nanosecond, and the first one after it (None: never ends)."""

    name: str
    starts_ns: int
    ends_ns: int | None

    def holds(self, at_ns: int) -> bool:
        """Whether an instant lies in it."""
        return self.starts_ns <= at_ns and (self.ends_ns is None or at_ns < self.ends_ns)


class UnknownTimezone(ValueError):
    """A text that names no IANA timezone."""


_TOTAL: Final = Window("total", 0, None)


def window_at(kind: WindowKind, timezone: str, at_ns: int, length_s: int = 0) -> Window:
    """The window that an instant falls into; of a rolling budget of that length in seconds, the bucket.

    A day, and all that is made of days, begins when the clocks of its timezone first show 00:00, or at the jump
    that skips it; every instant lies in exactly one window, whatever the clocks do.

    Raises:
        UnknownTimezone: no such timezone.
    """
    if kind is WindowKind.TOTAL:
        return _TOTAL
    at_s = at_ns // _NS
    if kind is WindowKind.ROLLING:
        return _seconds(*bucket_at(at_s, length_s))
    if kind is WindowKind.MINUTE:
        return _seconds(*minute_at(at_s))
    if kind is WindowKind.HOUR:
        return _seconds(*hour_at(at_s, zone_of(timezone)))
    return _days(_CALENDARS[kind], timezone, at_s)


@lru_cache(maxsize=1024)
def zone_of(timezone: str) -> tzinfo:
    """The timezone of an IANA name such as `Europe/Berlin`.

    Raises:
        UnknownTimezone: no such timezone.
    """
    if timezone == "UTC":
        return UTC
    try:
        return ZoneInfo(timezone)
    # A name with a slash too many is an OSError or a ValueError, depending on the slash.
    except (KeyError, ValueError, OSError):
        raise UnknownTimezone(f"{timezone!r} is not an IANA timezone; write it like Europe/Berlin or UTC") from None


class _Calendar(NamedTuple):
    """How days are put together: the first day of the stretch a day lies in, of the next one, and what it is called."""

    first: Callable[[date], date]
    following: Callable[[date], date]
    name: Callable[[date], str]


def _months(count: int, name: Callable[[date], str]) -> _Calendar:
    """Stretches of so many months, a divisor of twelve."""

    def first(day: date) -> date:
        return date(day.year, (day.month - 1) // count * count + 1, 1)

    def following(day: date) -> date:
        month = day.year * 12 + day.month - 1 + count
        return date(month // 12, month % 12 + 1, 1)

    return _Calendar(first, following, name)


def _week_name(monday: date) -> str:
    year, week, _ = monday.isocalendar()
    return f"{year:04d}-W{week:02d}"


_CALENDARS: Final = {
    WindowKind.DAY: _Calendar(lambda day: day, lambda day: day + _DAY, date.isoformat),
    WindowKind.WEEK: _Calendar(lambda day: day - day.weekday() * _DAY, lambda day: day + 7 * _DAY, _week_name),
    WindowKind.MONTH: _months(1, lambda day: f"{day.year:04d}-{day.month:02d}"),
    WindowKind.QUARTER: _months(3, lambda day: f"{day.year:04d}-Q{day.month // 3 + 1}"),
    WindowKind.YEAR: _months(12, lambda day: f"{day.year:04d}"),
}


def _days(calendar: _Calendar, timezone: str, at_s: int) -> Window:
    day = calendar.first(datetime.fromtimestamp(at_s, zone_of(timezone)).date())
    # Clocks set back over midnight show the old day again after the new one has begun; whole days have been skipped.
    while at_s < _midnight_s(timezone, day):
        day = calendar.first(day - _DAY)
    while at_s >= _midnight_s(timezone, calendar.following(day)):
        day = calendar.following(day)
    return _seconds(calendar.name(day), _midnight_s(timezone, day), _midnight_s(timezone, calendar.following(day)))


def _seconds(name: str, starts_s: int, ends_s: int) -> Window:
    return Window(name, starts_s * _NS, ends_s * _NS)


@lru_cache(maxsize=4096)
def _midnight_s(timezone: str, day: date) -> int:
    """The first second of a day, since 1970."""
    return (datetime(day.year, day.month, day.day, tzinfo=zone_of(timezone)) - _EPOCH) // _SECOND
