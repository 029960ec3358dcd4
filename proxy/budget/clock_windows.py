"""Windows shorter than a day: real stretches of time, named by the UTC time at which they begin.

The name is in UTC because local clocks show some hours twice; it is read as such by its Z.
"""

import re
from datetime import UTC, datetime, tzinfo
from typing import Final

BUCKETS: Final = 60
"""How many buckets a rolling window is made of."""

_MINUTE: Final = 60
_HOUR: Final = 3600
_LONGEST_S: Final = 366 * 86_400
_LENGTH: Final = re.compile(r"([0-9]{1,8})([smhdw])")
_SECONDS: Final = {"s": 1, "m": _MINUTE, "h": _HOUR, "d": 86_400, "w": 604_800}


def minute_at(at_s: int) -> tuple[str, int, int]:
    """Name, first second and the first one after it. All clocks of today change their minutes together."""
    starts = at_s // _MINUTE * _MINUTE
    return _to_the_minute(starts), starts, starts + _MINUTE


def hour_at(at_s: int, zone: tzinfo) -> tuple[str, int, int]:
    """The hour by the clocks of a timezone, which may begin at any minute of UTC.

    It has 3,600 seconds, and fewer where clocks are changed by less than an hour: a new one begins with the change.
    """
    past = _past_hour(at_s, zone)
    starts = (at_s + past) // _HOUR * _HOUR - past
    ends = starts + _HOUR
    if _past_hour(starts, zone) != past:
        starts = _change(starts, at_s, zone)
    if _past_hour(ends - 1, zone) != past:
        ends = _change(at_s, ends - 1, zone)
    return _to_the_minute(starts), starts, ends


def bucket_at(at_s: int, length_s: int) -> tuple[str, int, int]:
    """The bucket of a rolling window of that length."""
    size = length_s // BUCKETS
    starts = at_s // size * size
    return _to_the_second(starts), starts, starts + size


def oldest_counted(starts_ns: int, ends_ns: int) -> str:
    """The oldest bucket that still counts while the given one is filled.

    The window reaches into it, so that it counts whole: no stretch of the window's length ever holds more than the
    limit, however it lies.
    """
    return _to_the_second((starts_ns - BUCKETS * (ends_ns - starts_ns)) // 1_000_000_000)


def length_of(text: str) -> int:
    """The seconds of a length such as `24h`, `90m` or `30d`.

    Raises:
        ValueError: not a length, or not one that a rolling window can have.
    """
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no length; write it like 90m, 24h, 30d or 2w")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not _MINUTE <= seconds <= _LONGEST_S or seconds % BUCKETS:
        raise ValueError(f"{text} cannot roll: a length is one minute to 366 days, in whole minutes")
    return seconds


def length_text(seconds: int) -> str:
    """A length as people write it, such as `24h`; nothing for none."""
    if not seconds:
        return ""
    unit = "h" if seconds == 86_400 else next(each for each in "wdhms" if seconds % _SECONDS[each] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def _past_hour(at_s: int, zone: tzinfo) -> int:
    """By how much a timezone's hours begin before those of UTC, in seconds; whole minutes."""
    offset = datetime.fromtimestamp(at_s, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) // _MINUTE * _MINUTE % _HOUR


def _change(before_s: int, after_s: int, zone: tzinfo) -> int:
    """The minute at which the clocks were changed between two times that stand differently."""
    low, high = before_s // _MINUTE, after_s // _MINUTE
    old = _past_hour(before_s, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _past_hour(middle * _MINUTE, zone) == old else (low, middle)
    return high * _MINUTE


def _to_the_minute(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%MZ}"


def _to_the_second(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
