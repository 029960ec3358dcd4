"""Panels of the cost overview: what the month will come to, what changed most, and who is new."""

from typing import Final

from dashboards.board import AnyPanel
from dashboards.panels import USD, Column, stat_of, table_of, text, usd
from dashboards.sql.names import ZONE, named
from dashboards.sql.query import KEY, MODEL, MOST_ROWS, TEAM, Query, rows_of
from dashboards.sql.spend import NOT_MOVED_AWAY, local_spend, spend

PAST_DAYS: Final = 28
LEAST_DAYS: Final = 3
_METHOD: Final = (
    "The month of the range's end, in the chosen time zone: what is spent, and the mean of the 28 days before for each"
    " day that is left. The true sum lies between low and high four times in five, if days go on as they did."
)
_WHO: Final = ("org", "team", "key_name", "model", "agent")
_KINDS: Final = (
    f"arrayJoin([('team', {TEAM}), ('key', {KEY}), ('model', {MODEL}), ('agent', {named('agent')})]) AS what"
)


def panels() -> list[AnyPanel]:
    """The section's panels."""
    change = {
        "kind": text("What"), "name": text("Name"), "spend": usd("Spend"),
        "before": usd("Before"), "change": usd("Change"),
    }  # fmt: skip
    new = {
        "kind": text("What"), "name": text("Name"), "first_day": Column("First seen", "string"),
        "spend": usd("Spend"), "total": Column("Calls"),
    }  # fmt: skip
    return [
        stat_of(16, "This month", _forecast(), USD, span=24, decimals=2, about=_METHOD),
        table_of(17, "Top movers", _movers(), change, span=12, about="Against as much time just before the range."),
        table_of(18, "New this week", _new(), new, span=12,
            about="Seen in the seven days until the range's end, and not in the 28 days before."),
    ]  # fmt: skip


def _forecast() -> Query:
    today = f"toDate($__toTime, {ZONE})"
    # An instant: the month's first midnight in the chosen time zone.
    month = f"toDateTime(toStartOfMonth({today}), {ZONE})"
    following = f"toDateTime(toStartOfMonth({today}) + INTERVAL 1 MONTH, {ZONE})"
    start = f"least({month}, toDateTime({today} - {PAST_DAYS}, {ZONE}))"
    before = f"day < {today} AND day >= {today} - {PAST_DAYS}"
    return rows_of(
        f"""WITH days AS (
SELECT toDate(at, {ZONE}) AS day, toFloat64(sum(cost_usd)) AS usd
{local_spend("cost_usd", start=start, whole=())}
GROUP BY day
{NOT_MOVED_AWAY}
), facts AS (
SELECT sumIf(usd, day >= toStartOfMonth({today})) AS so_far,
  least({PAST_DAYS}, {today} - min(day)) AS past,
  sumIf(usd, {before}) / past AS mean,
  sqrt(greatest(sumIf(usd * usd, {before}) - past * mean * mean, 0) / (past - 1)) AS scatter,
  (toUnixTimestamp({following}) - toUnixTimestamp($__toTime)) / 86400 AS ahead,
  count() > 0 AND past >= {LEAST_DAYS} AS is_known,
  (1.28155 + 0.8466 / (past - 1) + 0.5709 / pow(past - 1, 2)) * scatter * sqrt(ahead + ahead * ahead / past) AS off
FROM days
)
SELECT so_far AS spent,
  if(is_known, so_far + mean * ahead, NULL) AS expected,
  if(is_known, so_far + greatest(mean * ahead - off, 0), NULL) AS low,
  if(is_known, so_far + mean * ahead + off, NULL) AS high
FROM facts"""  # names of our own columns only
    )


def _movers() -> Query:
    length = "toIntervalSecond($__toTime - $__fromTime)"
    before = spend(*_WHO, "cost_usd", start=f"$__fromTime - {length}", end="$__fromTime - INTERVAL 15 MINUTE")
    return rows_of(
        f"""SELECT what.1 AS kind, what.2 AS name, sum(now_usd) AS spend, sum(before_usd) AS before,
  sum(now_usd) - sum(before_usd) AS change
FROM (
SELECT {_KINDS}, sum(cost_usd) AS now_usd, toDecimal128(0, 9) AS before_usd
{spend(*_WHO, "cost_usd")}
GROUP BY what
UNION ALL
SELECT {_KINDS}, toDecimal128(0, 9) AS now_usd, sum(cost_usd) AS before_usd
{before}
GROUP BY what
)
GROUP BY kind, name
HAVING change != 0
ORDER BY abs(change) DESC, kind, name
LIMIT {MOST_ROWS}"""
    )


def _new() -> Query:
    recent = spend(*_WHO, "calls", "cost_usd", start="$__toTime - INTERVAL 35 DAY", whole=("1",))
    return rows_of(
        f"""SELECT what.1 AS kind, what.2 AS name, toDate(min(first_at)) AS first_day, sum(usd) AS spend,
  sum(made) AS total
FROM (
SELECT {_KINDS}, min(at) AS first_at, sum(cost_usd) AS usd, sum(calls) AS made
{recent}
GROUP BY what
)
GROUP BY kind, name
HAVING first_day > toDate($__toTime, 'UTC') - 7
ORDER BY spend DESC, kind, name
LIMIT {MOST_ROWS}"""
    )
