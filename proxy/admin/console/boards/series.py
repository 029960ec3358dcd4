"""The rows of a panel over time as lines or bars: one series for each name, one value for each slot."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from proxy.telemetry import PanelRows

MOST_SERIES: Final = 12
_DAY_S: Final = 86_400
_ALMOST_A_DAY: Final = timedelta(hours=22)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One series: None where nothing is known of a slot."""

    name: str
    values: Sequence[float | None]


def slots_of(told: PanelRows, start: datetime, end: datetime, interval_s: int) -> list[datetime]:
    """The starts of the stretches that a range touches, on round moments as the store cuts them.

    Where the store told of days, which it does over a long time, a stretch is a day and begins when they do.
    """
    first = int(start.timestamp()) // interval_s * interval_s
    moments = sorted({moment for row in told.rows if (moment := _moment(row[0])) is not None})
    if len(moments) > 1 and min(after - before for before, after in pairwise(moments)) >= _ALMOST_A_DAY:
        first, interval_s = int(moments[0].timestamp()), max(interval_s, _DAY_S)
        first -= max(0, first - int(start.timestamp())) // interval_s * interval_s
    return [datetime.fromtimestamp(at, UTC) for at in range(first, int(end.timestamp()) + 1, interval_s)]


def series_of(told: PanelRows, slots: Sequence[datetime], *, summed: bool) -> list[Drawn]:
    """One series for each number of a row and each set of names in it, the largest first.

    `summed`: values of one slot are added up, and what is not told is zero; else the last of them counts.
    """
    found: dict[str, list[float | None]] = defaultdict(lambda: [0.0 if summed else None] * len(slots))
    for row in told.rows:
        moment = _moment(row[0])
        if moment is None:
            continue
        # What began before the range is of its first stretch.
        slot = max(0, bisect_right(slots, moment) - 1)
        names = [str(cell) for cell in row[1:] if isinstance(cell, str)]
        for name, cell in zip(told.names[1:], row[1:], strict=True):
            if isinstance(cell, str) or cell is None:
                continue
            values = found[" ".join(names) or name if _numbers(row) == 1 else " ".join([*names, name])]
            values[slot] = (values[slot] or 0.0) + float(cell) if summed else float(cell)
    drawn = [Drawn(name, values) for name, values in found.items()]
    return sorted(drawn, key=lambda one: (-sum(value or 0.0 for value in one.values), one.name))[:MOST_SERIES]


def _numbers(row: Sequence[Any]) -> int:
    return sum(not isinstance(cell, str) for cell in row[1:])


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return None
