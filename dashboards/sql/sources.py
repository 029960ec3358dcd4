"""Where numbers come from: sums of whole days where the range has some, finer rows for what is left of it.

So every range is answered exactly (spend by whole quarter-hours, all else by the second), and a month reads sums.
Ranges of up to two days read the finer rows only. Where a dimension is chosen that the sums do not have, such as a
tag, the finer rows answer all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dashboards.sql.names import ZONE, chosen, is_all
from dashboards.sql.query import TOKEN_COLUMNS

_MONEY: Final = ("cost_usd", "list_usd")
_COUNTS: Final = ("calls", "unpriced", *TOKEN_COLUMNS)
START = "$__fromTime"
END = "$__toTime"
IS_LONG = f"{END} - {START} > 172800"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A table of sums by UTC days, and the table of what is finer, both called `r` in expressions.

    `columns` gives what a finer row brings to each sum; the table of days has a column of each name. `names` are
    columns that both have under the same name. `filters` are the variables whose columns both have, `finer_filters`
    conditions on finer rows for variables that the days know nothing of. `unfolded` makes several finer rows of one.
    `guard` is a condition on the whole source.
    """

    days: str
    finer: str
    at: str
    names: Sequence[str]
    columns: Mapping[str, str]
    filters: Sequence[str]
    finer_filters: Mapping[str, str] = field(default_factory=dict)
    guard: Sequence[str] = ()
    is_quarters: bool = False
    unfolded: str = ""

    def parts(self, columns: Sequence[str], start: str, end: str, whole: Sequence[str]) -> list[str]:
        """Two selects that have no moment in common: of the days, and of the finer rows."""
        whole = [*whole, *(is_all(variable) for variable in self.finer_filters)]
        return [self._of_days(columns, start, end, whole), self._of_finer(columns, start, end, whole)]

    def local_parts(self, columns: Sequence[str], start: str, end: str, whole: Sequence[str]) -> list[str]:
        """The same where `at` is to fall into the local day: a day's sums go to the local day of its date, and its
        quarter-hours that lie in another one are taken out of it and put where they belong."""
        days = self._of_days(columns, start, end, whole, at=_noon("r.day"))
        return [days, self._of_finer(columns, start, end, whole), self._moved(columns, start, end, whole)]

    def _of_days(
        self, columns: Sequence[str], start: str, end: str, whole: Sequence[str], at: str = "toDateTime(r.day, 'UTC')"
    ) -> str:
        conditions = [*whole, *self._inner("r.day", start, end), *self.guard, *chosen(self.filters)]
        told = [f"{at} AS at", *(f"r.{name} AS {name}" for name in columns)]
        return _select(told, f"{self.days} AS r", conditions)

    def _moved(self, columns: Sequence[str], start: str, end: str, whole: Sequence[str]) -> str:
        day = f"toDate({self.at})"
        conditions = [f"toDate({self.at}, {ZONE}) != {day}", *whole, *self._inner(day, start, end)]
        told = ["moved.1 AS at", *(_signed(name) for name in columns)]
        places = f"[({self.at}, toInt8(1)), ({_noon(day)}, toInt8(-1))]"
        return _select(
            told, f"{self.finer} AS r ARRAY JOIN {places} AS moved", [*conditions, *self.guard, *chosen(self.filters)]
        )

    def _of_finer(self, columns: Sequence[str], start: str, end: str, whole: Sequence[str]) -> str:
        inner = " AND ".join([*whole, *self._inner(f"toDate({self.at})", start, end)])
        since = f"{self.at} > {start} - INTERVAL 15 MINUTE" if self.is_quarters else f"{self.at} >= {start}"
        conditions = [since, f"{self.at} <= {end}", f"NOT ({inner})", *self.guard]
        conditions += [*chosen(self.filters), *self.finer_filters.values()]
        told = [f"toDateTime({self.at}) AS at", *(f"{self._brought(name)} AS {name}" for name in columns)]
        return _select(told, f"{self.finer} AS r{self.unfolded}", conditions)

    def _brought(self, name: str) -> str:
        return f"r.{name}" if name in self.names else self.columns[name]

    def _inner(self, day: str, start: str, end: str) -> list[str]:
        # The day that a range begins in is never whole, be it at midnight: what is read of it is the same.
        return [f"{day} > toDate({start}, 'UTC')", f"{day} < toDate({end}, 'UTC')"]


def _select(told: Sequence[str], table: str, conditions: Sequence[str]) -> str:
    return f"  SELECT {', '.join(told)}\n  FROM {table}\n  WHERE " + "\n    AND ".join(conditions)


def _noon(date: str) -> str:
    """A moment that lies in the local day of a date, whenever its clocks are changed."""
    return f"toDateTime(toDateTime({date}, {ZONE}) + 43200, 'UTC')"


def _signed(column: str) -> str:
    """What is moved, with its sign; sums of counts wrap around."""
    if column in _MONEY:
        return f"r.{column} * moved.2 AS {column}"
    return f"toUInt64(toInt64(r.{column}) * moved.2) AS {column}" if column in _COUNTS else f"r.{column} AS {column}"


def within(
    *sources: Source,
    columns: Sequence[str],
    start: str = START,
    end: str = END,
    whole: Sequence[str] = (IS_LONG,),
    local: bool = False,
) -> str:
    """`FROM (…)` of all sources between two moments, with the columns and `at`, when it was (its day, if of a day).

    `whole` are the conditions under which whole days may answer. `local`: `at` lies in the local day it was on; only of
    sources with quarter-hours.
    """
    each = Source.local_parts if local else Source.parts
    parts = [part for source in sources for part in each(source, columns, start, end, whole)]
    return "FROM (\n" + "\n  UNION ALL\n".join(parts) + "\n)"
