"""Where numbers come from: sums of whole days where the range has some, finer rows for what is left of it.

So every range is answered exactly (spend by whole quarter-hours, all else by the second), and a month reads sums.
Ranges of up to two days read the finer rows only. Where a dimension is chosen that the sums do not have, such as a
tag, the finer rows answer all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dashboards.sql.names import chosen, is_all

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

    def _of_days(self, columns: Sequence[str], start: str, end: str, whole: Sequence[str]) -> str:
        conditions = [*whole, *self._inner("r.day", start, end), *self.guard, *chosen(self.filters)]
        told = ["toDateTime(r.day, 'UTC') AS at", *(f"r.{name} AS {name}" for name in columns)]
        return _select(told, f"{self.days} AS r", conditions)

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


def within(
    *sources: Source,
    columns: Sequence[str],
    start: str = START,
    end: str = END,
    whole: Sequence[str] = (IS_LONG,),
) -> str:
    """`FROM (…)` of all sources between two moments, with the columns and `at`, when it was (its day, if of a day).

    `whole` are the conditions under which whole days may answer.
    """
    parts = [part for source in sources for part in source.parts(columns, start, end, whole)]
    return "FROM (\n" + "\n  UNION ALL\n".join(parts) + "\n)"
