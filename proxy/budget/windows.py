"""Windows: the stretch of time a budget's limit is for, cut by the calendar of its timezone."""

from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_NS: Final = 1_000_000_000


class WindowKind(StrEnum):
    """How often a budget starts over."""

    MONTH = "month"
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


def window_at(kind: WindowKind, timezone: str, at_ns: int) -> Window:
    """The window that an instant falls into.

    A month begins when the clocks of its timezone first show the 1st at 00:00, or at the jump that skips that
    hour; every instant lies in exactly one month, whatever the clocks do.

    Raises:
        UnknownTimezone: no such timezone.
    """
    if kind is WindowKind.TOTAL:
        return _TOTAL
    local = datetime.fromtimestamp(at_ns // _NS, zone_of(timezone))
    month = local.year * 12 + local.month - 1
    # Clocks set back over midnight show the old month again after the new one has begun.
    if at_ns < _starts_ns(timezone, month):
        month -= 1
    elif at_ns >= _starts_ns(timezone, month + 1):
        month += 1
    return Window(
        f"{month // 12:04d}-{month % 12 + 1:02d}", _starts_ns(timezone, month), _starts_ns(timezone, month + 1)
    )


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


@lru_cache(maxsize=4096)
def _starts_ns(timezone: str, month: int) -> int:
    """The first nanosecond of a month, counted in months since the year 0."""
    first = datetime(month // 12, month % 12 + 1, 1, tzinfo=zone_of(timezone))
    return (first - _EPOCH) // _SECOND * _NS
