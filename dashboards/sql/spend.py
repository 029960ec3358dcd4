"""Spend: whole quarter-hours that the range touches; by tag, from the rollups of tags."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dashboards.sql.calls import FROM_A_CALL
from dashboards.sql.names import DIMENSIONS, TAG, TAGGED, ZONE, is_all
from dashboards.sql.query import MOST_SERIES, OTHERS, TOKEN_COLUMNS, Query, series_of
from dashboards.sql.sources import END, IS_LONG, START, Source, within

_NAMES: Final = (
    "org", "team", "key_name", "model", "provider", "agent", "outcome", "calls", "unpriced", "cost_usd", "list_usd",
    *TOKEN_COLUMNS,
)  # fmt: skip
_ALL: Final = Source(
    days="spend_days",
    finer="spend_quarter_hours",
    at="r.quarter",
    names=_NAMES,
    columns={},
    filters=tuple(DIMENSIONS),
    guard=(is_all(TAG),),
    is_quarters=True,
)
# One tag at a time is chosen, so that no call is counted twice.
_IS_TAGGED: Final = f"$__conditionalAll(concat(r.tag, '=', r.value) IN (${{{TAG}:singlequote}}), ${TAG})"
_TAGGED: Final = Source(
    days="tag_days",
    finer="tag_quarter_hours",
    at="r.quarter",
    names=_NAMES,
    columns={},
    filters=tuple(DIMENSIONS),
    guard=(f"NOT ({is_all(TAG)})", _IS_TAGGED),
    is_quarters=True,
)

# The rollups of tags know no cost centers: calls are read one by one for them.
_CENTERS: Final = replace(_ALL, names=(*_NAMES, "cost_center"))
_TAGGED_CENTERS: Final = Source(
    days="call_days",
    finer="operations",
    at="toStartOfFifteenMinutes(r.charged_at)",
    names=(*(name for name in _NAMES if name not in FROM_A_CALL), "cost_center"),
    columns=FROM_A_CALL,
    filters=tuple(DIMENSIONS),
    finer_filters={TAG: TAGGED},
    guard=(f"NOT ({is_all(TAG)})",),
    is_quarters=True,
)

# Where more hours lie in another local day, quarter-hours alone are read faster.
IS_NEAR: Final = f"abs(timeZoneOffset(toTimeZone({END}, {ZONE}))) <= 28800"
NOT_MOVED_AWAY: Final = "HAVING sum(calls) != 0"
"""What a day has only in hours of its neighbour is none of that day's; corrections stand where their calls do."""
LOCAL_BUCKET: Final = f"if({IS_LONG}, toDateTime(toStartOfDay(at, {ZONE}), 'UTC'), $__timeInterval(at))"


def spend(*columns: str, start: str = START, end: str = END, whole: Sequence[str] = (IS_LONG,)) -> str:
    """`FROM (…)`: what was spent between two moments."""
    return within(_ALL, _TAGGED, columns=columns, start=start, end=end, whole=whole)


def spend_by_center(*columns: str) -> str:
    """The same with `cost_center` among the columns."""
    return within(_CENTERS, _TAGGED_CENTERS, columns=columns)


def local_spend(*columns: str, start: str = START, whole: Sequence[str] = (IS_LONG,)) -> str:
    """The same, to be cut at the midnights of the chosen time zone; and NOT_MOVED_AWAY."""
    return within(_ALL, _TAGGED, columns=(*columns, "calls"), start=start, whole=(*whole, IS_NEAR), local=True)


def spend_by(name: str, label: str, *columns: str) -> Query:
    """Spend over time of the ten names that cost most, and of all others together; by local days in longer ranges."""
    return series_of(
        f"""WITH dearest AS (
SELECT {name} AS {label}
{spend(*columns, "cost_usd")}
GROUP BY {label}
ORDER BY sum(cost_usd) DESC, {label}
LIMIT {MOST_SERIES}
)
SELECT {LOCAL_BUCKET} AS time,
  if({name} IN (SELECT {label} FROM dearest), {name}, '{OTHERS}') AS {label},
  sum(cost_usd) AS spend
{local_spend(*columns, "cost_usd")}
GROUP BY time, {label}
{NOT_MOVED_AWAY}
ORDER BY time, {label}"""  # names of our own columns only
    )
