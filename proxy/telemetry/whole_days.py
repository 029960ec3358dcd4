"""Which whole UTC days of a span may be read from sums of days.

For weeks and months: those that no local bucket begins in the middle of. Local days begin in the middle of nearly every
UTC day, but share most of its hours: there all days are read, and quarter-hours say what belongs to the next one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = timedelta(days=1)
_DAY_S: Final = 86_400
_MOST_CUTS: Final = 120
_FAR: Final = timedelta(hours=8)


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeDays:
    """UTC days since 1970 from `first` on, below `end`, without those in `cut`.

    `moves`: a day's sums stand for the local day of its date, and what of it lies in another local day is to be moved.
    """

    first: int
    end: int
    cut: tuple[int, ...] = ()
    moves: bool = False


def whole_days(start: datetime, end: datetime, bucket: str, timezone: str) -> WholeDays | None:
    """The whole days of a span in which every moment of a day falls into the same bucket, or can be moved into its own;
    None where that saves little.

    `bucket` is `all`, `day`, `week` or `month`, local to `timezone`; shorter ones have no whole days.
    """
    first, last = -int(-start.timestamp() // _DAY_S), int(end.timestamp() // _DAY_S)
    if bucket not in ("all", "day", "week", "month") or first >= last or first < 0:
        return None
    cut: list[int] = []
    for moment in () if bucket == "all" else _begins(start, end, bucket, ZoneInfo(timezone)):
        if moment % _DAY_S and first <= moment // _DAY_S < last:
            if bucket == "day":
                return WholeDays(first=first, end=last, moves=True) if _is_near(end, timezone) else None
            cut.append(moment // _DAY_S)
            if len(cut) > _MOST_CUTS:
                return None
    found = WholeDays(first=first, end=last, cut=tuple(dict.fromkeys(cut)))
    return found if len(found.cut) < last - first else None


def _is_near(moment: datetime, timezone: str) -> bool:
    """Whether so few hours lie in another local day that moving them costs less than reading all in quarter-hours."""
    offset = moment.astimezone(ZoneInfo(timezone)).utcoffset()
    return offset is not None and abs(offset) <= _FAR


def _begins(start: datetime, end: datetime, bucket: str, zone: ZoneInfo) -> Iterator[int]:
    """When buckets begin in a span, in seconds since 1970; both times where clocks are set back over midnight."""
    day = start.astimezone(zone).date()
    last = end.astimezone(zone).date()
    while day <= last:
        if bucket == "day" or (bucket == "week" and day.weekday() == 0) or (bucket == "month" and day.day == 1):
            for fold in (0, 1):
                midnight = datetime.combine(day, time(fold=fold), zone)
                yield int(midnight.astimezone(UTC).timestamp())
        day += _DAY
