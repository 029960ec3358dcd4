"""What a window will come to if the next days go like the last ones, and how far off that may be.

The method, whole: time is cut into days of 24 hours, backwards and forwards from the last full hour. A coming day is
expected to use what the days of the last four weeks did on average; with two weeks or more known, what the same
weekday did. The day under way counts from now on only. The range holds the truth four times in five if days scatter
as they did: it is Student's interval for a sum of coming days, from the scatter of the past days around their averages
and from how few of them the averages rest on. Days are taken to be independent of each other, and a trend is not looked
for: use that grows or stops goes beyond the range until the four weeks have seen it. What is refused is not in the
past, so a budget that refuses is forecast below what was asked of it.

All amounts are whole numbers in the budget's unit (nano-dollars for money), rounded down, a range's half outwards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final, Literal, NamedTuple, TypeAlias

HOUR_NS: Final = 3_600_000_000_000
DAY_NS: Final = 24 * HOUR_NS
MOST_DAYS: Final = 28
LEAST_DAYS: Final = 3
HORIZON_DAYS: Final = 366
"""How far ahead a budget without an end is looked at for the day on which it is used up."""
_WEEK: Final = 7
_HOURLY_NS: Final = 2 * DAY_NS
# Student's t, one-sided 90 %, in thousandths, for 1, 2, … degrees of freedom (any table of it).
_T: Final = (
    3078, 1886, 1638, 1533, 1476, 1440, 1415, 1397, 1383, 1372, 1363, 1356, 1350, 1345,
    1341, 1337, 1333, 1330, 1328, 1325, 1323, 1321, 1319, 1318, 1316, 1315, 1314, 1313,
)  # fmt: skip

Why: TypeAlias = Literal["short_window", "rolling_window", "not_counted", "too_little_history", "unavailable"]


class UsageHistory(NamedTuple):
    """What a scope used: `hours[n]` in the n-th whole hour from `starts_ns` on, up to the last full one."""

    starts_ns: int
    hours: Sequence[int]

    @property
    def ends_ns(self) -> int:
        """The end of the last hour in it."""
        return self.starts_ns + len(self.hours) * HOUR_NS


class ForecastPoint(NamedTuple):
    """What will have been spent at a time; `low` to `high` four times in five."""

    at_ns: int
    expected: int
    low: int
    high: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """How a window goes on. `end` is its end, None where it never ends; `path` leads there, from now on.

    `exhausted_ns` is when the limit is expected to be used up, `exhausted_earliest_ns` when by the range's high side;
    None: not within the window (or the next year). It rests on `days` of the past; `weekly`: weekdays are told apart.
    """

    end: ForecastPoint | None
    path: tuple[ForecastPoint, ...]
    exhausted_ns: int | None
    exhausted_earliest_ns: int | None
    days: int
    weekly: bool


class NoForecast(NamedTuple):
    """Why there is none, as a code and in words."""

    code: Why
    words: str


def foreseen(
    history: UsageHistory, *, spent: int, limit: int, now_ns: int, ends_ns: int | None
) -> Forecast | NoForecast:
    """How a window goes on from now, by the hours before it; `ends_ns` None never ends."""
    past = _Past(history, now_ns)
    if past.days < LEAST_DAYS:
        words = f"a forecast needs {LEAST_DAYS} whole days since the first use; there are {past.days}"
        return NoForecast("too_little_history", words)
    path = tuple(_path(past, spent, now_ns, ends_ns))
    return Forecast(
        end=None if ends_ns is None else path[-1],
        path=path,
        exhausted_ns=_crossing(limit, [(point.at_ns, point.expected) for point in path]),
        exhausted_earliest_ns=_crossing(limit, [(point.at_ns, point.high) for point in path]),
        days=past.days,
        weekly=past.phases == _WEEK,
    )


def _path(past: "_Past", spent: int, now_ns: int, ends_ns: int | None) -> Iterator[ForecastPoint]:
    low = high = spent
    yield ForecastPoint(now_ns, spent, spent, spent)
    for at_ns in _stops(past.ends_ns, now_ns, ends_ns):
        more, half = past.until(at_ns)
        # What is spent stays spent: neither side of the range ever comes back.
        low, high = max(low, spent + more - half), max(high, spent + more + half)
        yield ForecastPoint(at_ns, spent + more, low, high)


def _stops(anchor_ns: int, now_ns: int, ends_ns: int | None) -> Iterator[int]:
    """The ends of the coming hours, or days where there are many; the window's end last."""
    last = now_ns + HORIZON_DAYS * DAY_NS if ends_ns is None else ends_ns
    step = HOUR_NS if last - now_ns <= _HOURLY_NS else DAY_NS
    at_ns = anchor_ns + step
    while at_ns < last:
        if at_ns > now_ns:
            yield at_ns
        at_ns += step
    yield last


def _crossing(limit: int, line: Sequence[tuple[int, int]]) -> int | None:
    """When a line of (time, amount) first reaches the limit, straight between its points."""
    before_ns, before = line[0]
    if before >= limit:
        return before_ns
    for at_ns, amount in line[1:]:
        if amount >= limit:
            return before_ns + (at_ns - before_ns) * (limit - before) // (amount - before)
        before_ns, before = at_ns, amount
    return None


class _Past:
    """The days before now, the latest first, each as sums from its beginning: `days[k][h]` is of its first h hours."""

    def __init__(self, history: UsageHistory, now_ns: int) -> None:
        self.ends_ns = history.ends_ns
        self._offset_ns = now_ns - self.ends_ns
        hours = history.hours
        used = next((number for number, amount in enumerate(hours) if amount), len(hours))
        days = min(MOST_DAYS, (len(hours) - used) // 24)
        self.phases = _WEEK if days >= 2 * _WEEK else 1
        self.days = days - days % self.phases
        self._sums = [_running(hours, len(hours) - 24 * (back + 1)) for back in range(self.days)]
        self._each = self.days // self.phases
        self._freedom = self.days - self.phases
        if self.days >= LEAST_DAYS:
            self._whole = [sum(self._sums[back][24] for back in self._like(number)) for number in range(self.phases)]
            self._scatter = self._scatter_of(0, DAY_NS)

    def until(self, at_ns: int) -> tuple[int, int]:
        """What is used from now until then: expected, and half the width of its range."""
        days, rest_ns = divmod(at_ns - self.ends_ns, DAY_NS)
        pieces = [(0, self._offset_ns, DAY_NS if days else rest_ns)]
        if days and rest_ns:
            pieces.append((days, 0, rest_ns))
        sums, noise = 0, 0
        doubt = [0] * self.phases
        for number, from_ns, to_ns in pieces:
            sums += sum(self._amount(back, from_ns, to_ns) for back in self._like(number))
            scatter = self._scatter_of(from_ns, to_ns)
            noise += scatter
            doubt[number % self.phases] += isqrt(scatter)
        for phase in range(self.phases):
            number = len(range(phase or self.phases, days, self.phases))
            sums += self._whole[phase] * number
            noise += self._scatter * number
            doubt[phase] += isqrt(self._scatter) * number
        variance = noise + sum(each * each for each in doubt) // self._each
        return sums // self._each, isqrt(variance * _T[self._freedom - 1] ** 2 // 1_000_000) + 1

    def _like(self, number: int) -> range:
        """The past days that tell of the coming day of that number: its weekday's, or all."""
        # The latest past day is one before the coming one of number 0: counted from 0, its phase is the last.
        return range((-number - 1) % self.phases, self.days, self.phases)

    def _amount(self, back: int, from_ns: int, to_ns: int) -> int:
        return self._sum(back, to_ns) - self._sum(back, from_ns)

    def _sum(self, back: int, until_ns: int) -> int:
        hour, rest_ns = divmod(until_ns, HOUR_NS)
        sums = self._sums[back]
        return sums[hour] + ((sums[hour + 1] - sums[hour]) * rest_ns // HOUR_NS if rest_ns else 0)

    def _scatter_of(self, from_ns: int, to_ns: int) -> int:
        """The variance of a day's stretch around the average of its like."""
        squares = 0
        for phase in range(self.phases):
            amounts = [self._amount(back, from_ns, to_ns) for back in self._like(phase)]
            squares += sum(each * each for each in amounts) * self._each - sum(amounts) ** 2
        return squares // (self._each * self._freedom)


def _running(hours: Sequence[int], first: int) -> tuple[int, ...]:
    sums, total = [0], 0
    for amount in hours[first : first + 24]:
        total += amount
        sums.append(total)
    return tuple(sums)
