"""What was spent: the question, its SQL with bound values only, and the answer in whole nano-dollars."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from proxy.core.money import Nano
from proxy.core.refusal import Refusal, Refused
from proxy.core.usage import Bucket
from proxy.telemetry.whole_days import WholeDays, whole_days

ROLLED_UP: Final[Mapping[str, str]] = {
    "org": "org",
    "team": "team",
    "key": "key_name",
    "model": "model",
    "provider": "provider",
    "agent": "agent",
    "cost_center": "cost_center",
    "outcome": "outcome",
}
"""Names one can group and filter by, and their columns, that the quarter-hours know too."""

ONLY_RAW: Final[Mapping[str, str]] = {
    "key_id": "key_id",
    "owner": "owner",
    "dialect": "dialect",
    "user": "end_user",
    "run": "run",
    "endpoint": "endpoint",
    "requested_model": "requested_model",
    "route": "route",
    "code": "code",
    "would_code": "would_code",
    "finish_reason": "finish_reason",
    "usage_source": "usage_source",
    "service_tier": "service_tier",
    "price_version": "price_version",
    "price_source": "price_source",
    "client": "client",
    "purpose": "purpose",
    "variant": "variant",
}
"""Names that only the operations themselves know; so does `tag:<name>`."""

COMPUTED: Final[Mapping[str, str]] = {"refused_by": "splitByChar('/', t.refused_by)[-1]"}
"""Names that stand for a part of a column: of what refused, the name alone, which no two budgets or limits share."""

TAG: Final = "tag:"
SpendBucket: TypeAlias = Literal["quarter", "hour", "day", "week", "month", "all"]
MOST_ROWS: Final = 500_001
"""Of one answer; the last one tells that there is more."""
_QUARTER_S: Final = 900
_MOST_GROUPS: Final = 8
_TOKENS: Final = tuple(f"{bucket.value}_tokens" for bucket in Bucket)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendQuery:
    """Spend from `start` (inclusive) to `end` (exclusive), of one org or, with None, of all.

    `bucket` is local to `timezone` (IANA); weeks begin on Monday. `group_by` and `filters` take the names above and
    `tag:<name>`; a filter keeps the rows whose value is among the given ones.
    """

    org: str | None
    start: datetime
    end: datetime
    bucket: SpendBucket = "all"
    timezone: str = "UTC"
    group_by: tuple[str, ...] = ()
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limit: int = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendRow:
    """One line of the answer. `bucket_start` is None for the bucket `all`; `group` has the asked names."""

    bucket_start: datetime | None
    group: Mapping[str, str]
    calls: int
    unpriced: int
    refused: int
    cost: Nano
    list_cost: Nano
    tokens: Mapping[Bucket, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Select:
    """One SQL text and the values bound to its placeholders."""

    sql: str
    parameters: dict[str, Any]


def select_spend(asked: SpendQuery) -> Select:
    """The SQL of a spend question; from sums of days and quarter-hours where they know all that is asked.

    Raises:
        Refused: a name, time zone or span that is none (INVALID_REQUEST, with its parameter).
    """
    _check(asked)
    rolled = fits_rollup(asked)
    parameters: dict[str, Any] = {"timezone": asked.timezone, "limit": asked.limit}
    columns = [column(name, parameters) for name in asked.group_by]
    time = "quarter" if rolled else "charged_at"
    bucket = _BUCKETS[asked.bucket].replace("{time}", time)
    groups = ["bucket", *(f"g{number}" for number in range(len(columns)))]
    chosen = [f"{bucket} AS bucket", *(f"{each} AS g{number}" for number, each in enumerate(columns))]
    terms = _conditions(asked, time, parameters)
    days = whole_days(asked.start, asked.end, asked.bucket, asked.timezone) if rolled else None
    table = "spend_quarter_hours" if rolled else _CORRECTED
    source = f"{table} AS t WHERE {' AND '.join(terms)}" if days is None else _by_days(days, terms, parameters)
    sql = (
        f"SELECT {', '.join([*chosen, *_SUMS])} FROM {source}"  # noqa: S608 - closed lists only
        f" GROUP BY {', '.join(groups)}{_NOT_MOVED_AWAY if days is not None and days.moves else ''}"
        f" ORDER BY bucket, sum_cost DESC, {', '.join(groups)} LIMIT {{limit:UInt32}}"
    )
    return Select(sql=sql, parameters=parameters)


# Not toStartOfHour, which counts from midnight: after a change of half an hour (Lord Howe) it begins at half past.
# Where such a change falls into the hour itself, the part behind it begins with the change.
_HOUR: Final = "(toUnixTimestamp(toStartOfMinute({time}, 'UTC')) - 60 * toMinute({time}, {timezone:String}))"
_BUCKETS: Final[Mapping[str, str]] = {
    "all": "toUnixTimestamp(toDateTime(0))",
    "quarter": "toUnixTimestamp(toStartOfFifteenMinutes({time}))",
    "hour": f"({_HOUR} + 60 * toMinute(toDateTime({_HOUR}, 'UTC'), {{timezone:String}}))",
    "day": "toUnixTimestamp(toStartOfDay({time}, {timezone:String}))",
    "week": "toUnixTimestamp(toDateTime(toStartOfWeek({time}, 1, {timezone:String}), {timezone:String}))",
    "month": "toUnixTimestamp(toDateTime(toStartOfMonth({time}, {timezone:String}), {timezone:String}))",
}
_SUMS: Final = (
    "sum(t.calls) AS sum_calls",
    "sum(t.unpriced) AS sum_unpriced",
    "sumIf(t.calls, t.outcome = 'refused') AS sum_refused",
    "sum(t.cost_usd) AS sum_cost",
    "sum(t.list_usd) AS sum_list",
    *(f"sum(t.{name}) AS sum_{name}" for name in _TOKENS),
)
_RAW: Final = ", ".join(
    f"t.{name} AS {name}"
    for name in ("charged_at", "tags", "refused_by", *dict.fromkeys((*ROLLED_UP.values(), *ONLY_RAW.values())))
)
_CORRECTED: Final = (
    f"(SELECT {_RAW}, toInt64(1) AS calls,"  # noqa: S608 - closed lists only
    " toInt64(t.cost_usd IS NULL AND t.outcome NOT IN ('refused', 'cached')) AS unpriced,"
    " toDecimal128(ifNull(t.cost_usd, 0), 9) AS cost_usd, toDecimal128(ifNull(t.list_usd, 0), 9) AS list_usd,"
    f" {', '.join(f't.{name} AS {name}' for name in _TOKENS)} FROM operations AS t"
    f" UNION ALL SELECT {_RAW}, toInt64(0) AS calls, toInt64(t.unpriced) AS unpriced,"
    " toDecimal128(t.delta_usd, 9) AS cost_usd, toDecimal128(t.list_delta_usd, 9) AS list_usd,"
    f" {', '.join(f'toUInt64(0) AS {name}' for name in _TOKENS)} FROM corrections AS t)"
)
"""Operations, and what they were corrected by since, as the quarter-hours have them too."""


_COUNTS: Final = ("calls", "unpriced", *_TOKENS)
_MONEY: Final = ("cost_usd", "list_usd")
_NAMED: Final = ", ".join(f"t.{name} AS {name}" for name in ROLLED_UP.values())
_SUMMED: Final = ", ".join([_NAMED, *(f"t.{name} AS {name}" for name in (*_COUNTS, *_MONEY))])
# Sums of UInt64 wrap around, so that what is moved away is taken away.
_MOVED: Final = ", ".join(
    [
        _NAMED,
        *(f"toUInt64(toInt64(t.{name}) * moved.2) AS {name}" for name in _COUNTS),
        *(f"t.{name} * moved.2 AS {name}" for name in _MONEY),
    ]
)
_NOT_MOVED_AWAY: Final = " HAVING sum_calls != 0 OR sum_unpriced != 0 OR sum_cost != 0 OR sum_list != 0"
"""A group that a day has only in hours of its neighbour is none of that day's."""


def _by_days(days: WholeDays, terms: Sequence[str], parameters: dict[str, Any]) -> str:
    """Whole days of the span from their sums, and quarter-hours for the rest of it."""
    parameters |= {"first_day": days.first, "end_day": days.end, "cut_days": list(days.cut)}
    first, end = "toDate({first_day:UInt16})", "toDate({end_day:UInt16})"
    cut = "IN (SELECT toDate(arrayJoin({cut_days:Array(UInt16)})))"
    outside = f"t.quarter < toDateTime({first}, 'UTC') OR t.quarter >= toDateTime({end}, 'UTC')"
    of_days = [f"t.day >= {first}", f"t.day < {end}", *terms[1:]]
    of_quarters = [f"({outside} OR toDate(t.quarter) {cut})" if days.cut else f"({outside})", *terms]
    if days.cut:
        of_days.append(f"t.day NOT {cut}")
    day_at = _noon("t.day") if days.moves else "toDateTime(t.day, 'UTC')"
    parts = [
        f"SELECT {day_at} AS quarter, {_SUMMED} FROM spend_days AS t WHERE {' AND '.join(of_days)}",  # noqa: S608 - closed lists
        f"SELECT t.quarter AS quarter, {_SUMMED} FROM spend_quarter_hours AS t WHERE {' AND '.join(of_quarters)}",  # noqa: S608
    ]
    if days.moves:
        parts.append(_moves([f"NOT ({outside})", *terms]))
    return f"({' UNION ALL '.join(parts)}) AS t"


def _moves(terms: Sequence[str]) -> str:
    """Quarter-hours of another local day than their UTC day: into their own, out of the one that the sums are in."""
    places = f"[(t.quarter, toInt8(1)), ({_noon('toDate(t.quarter)')}, toInt8(-1))]"
    elsewhere = "toDate(t.quarter, {timezone:String}) != toDate(t.quarter)"
    return (
        f"SELECT moved.1 AS quarter, {_MOVED} FROM spend_quarter_hours AS t ARRAY JOIN {places} AS moved"  # noqa: S608 - closed lists only
        f" WHERE {' AND '.join([elsewhere, *terms])}"
    )


def _noon(date: str) -> str:
    """A moment that lies in the local day of a date, whenever its clocks are changed."""
    return f"toDateTime(toDateTime({date}, {{timezone:String}}) + 43200, 'UTC')"


def read_spend(asked: SpendQuery, rows: Iterable[Sequence[Any]]) -> list[SpendRow]:
    """The lines of ClickHouse's answer as ours."""
    first = 1 + len(asked.group_by)
    return [
        SpendRow(
            bucket_start=None if asked.bucket == "all" else datetime.fromtimestamp(row[0], UTC),
            group=dict(zip(asked.group_by, row[1:first], strict=True)),
            calls=row[first],
            unpriced=row[first + 1],
            refused=row[first + 2],
            cost=exact_nano(row[first + 3]),
            list_cost=exact_nano(row[first + 4]),
            tokens=dict(zip(Bucket, row[first + 5 :], strict=True)),
        )
        for row in rows
    ]


def exact_nano(dollars: Decimal) -> Nano:
    """A sum of dollars with nine digits after the point, in nano-dollars."""
    return Nano(int(dollars.scaleb(9)))


def conditions(filters: Mapping[str, Sequence[str]], org: str | None, parameters: dict[str, Any]) -> list[str]:
    """WHERE terms for filters by name and for the org the asker is bound to; values go into `parameters`.

    Raises:
        Refused: a name that is none.
    """
    terms = []
    if org is not None:
        parameters["org"] = org
        terms.append("t.org = {org:String}")
    for number, (name, wanted) in enumerate(filters.items()):
        parameters[f"wanted{number}"] = list(wanted)
        terms.append(f"{column(name, parameters)} IN {{wanted{number}:Array(String)}}")
    return terms


def within(time: str, start: datetime, end: datetime, parameters: dict[str, Any], name: str = "") -> str:
    """The term that keeps a column of moments inside a span; `name` tells several spans of one question apart."""
    parameters[f"{name}start"] = f"{start.timestamp():.3f}"
    parameters[f"{name}end"] = f"{end.timestamp():.3f}"
    # `t.` because a bucket's alias must not be taken for the column.
    return (
        f"(t.{time} >= toDateTime64({{{name}start:Decimal(18, 3)}}, 3, 'UTC')"
        f" AND t.{time} < toDateTime64({{{name}end:Decimal(18, 3)}}, 3, 'UTC'))"
    )


def _conditions(asked: SpendQuery, time: str, parameters: dict[str, Any]) -> list[str]:
    return [within(time, asked.start, asked.end, parameters), *conditions(asked.filters, asked.org, parameters)]


def column(name: str, parameters: dict[str, Any]) -> str:
    """The expression of a name one can group and filter by, of a table called `t`; a tag's name goes into `parameters`.

    Raises:
        Refused: a name that is none.
    """
    known = ROLLED_UP.get(name) or ONLY_RAW.get(name)
    if known is not None:
        return f"t.{known}"
    if name in COMPUTED:
        return COMPUTED[name]
    if not name.startswith(TAG):
        names = ", ".join(sorted([*ROLLED_UP, *ONLY_RAW, *COMPUTED]))
        raise Refused(Refusal.INVALID_REQUEST, f"{name!r} is none of {names}, {TAG}<name>", param="group_by")
    place = f"tag{sum(key.startswith('tag') for key in parameters)}"
    parameters[place] = name[len(TAG) :]
    return f"t.tags[{{{place}:String}}]"


def fits_rollup(asked: SpendQuery) -> bool:
    """Whether the quarter-hours know all that is asked."""
    on_quarters = all(
        moment.timestamp() % _QUARTER_S == 0 and not moment.microsecond for moment in (asked.start, asked.end)
    )
    return on_quarters and {*asked.group_by, *asked.filters} <= ROLLED_UP.keys()


def _check(asked: SpendQuery) -> None:
    problem = _problem(asked)
    if problem is not None:
        raise Refused(Refusal.INVALID_REQUEST, problem[1], param=problem[0])


def _problem(asked: SpendQuery) -> tuple[str, str] | None:
    if asked.start.tzinfo is None or asked.end.tzinfo is None:
        return "start", "start and end must say their time zone"
    if asked.start >= asked.end:
        return "start", "start must lie before end"
    if asked.bucket not in _BUCKETS:
        return "bucket", f"{asked.bucket!r} is none of {', '.join(_BUCKETS)}"
    if len(asked.group_by) > _MOST_GROUPS or len(set(asked.group_by)) < len(asked.group_by):
        return "group_by", f"at most {_MOST_GROUPS} different names"
    if not 0 < asked.limit <= MOST_ROWS:
        return "limit", f"limit lies between 1 and {MOST_ROWS - 1}"
    try:
        ZoneInfo(asked.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "timezone", f"{asked.timezone!r} is no IANA time zone"
    return None
