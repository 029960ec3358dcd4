"""The board "Budgets": how they burn down, when they are used up, what they refused, and what ladders did."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import AnyPanel, Section, board
from dashboards.panels import SHARE, USD, Column, bars, lines, moment, stat_of, table_of, text
from dashboards.sql.calls import BUCKET, calls
from dashboards.sql.names import named
from dashboards.sql.query import KEY, MOST_ROWS, MOST_SERIES, number, rows_of, series_of
from dashboards.sql.states import BUDGETS, LATEST_BUDGETS, USED

_TOLD: Final = "As told last within the range: once a minute where something changed, else each quarter-hour."
_NAME: Final = "concat(org, '/', name)"
_REFUSED: Final = "code = 'budget_exceeded'"
_WHO: Final = ("org", "team", "key_name")


def budgets() -> Dashboard:
    """The whole board."""
    return board(
        "budgets",
        "budgets",
        [
            Section(100, "In this range", _headline()),
            Section(101, "Budgets of the chosen orgs", [_now(), _burn_down(), _spent()]),
            Section(102, "Refused", [_refusals_over_time(), _refusals(), _observed()]),
            Section(103, "Ladders", [_steps_over_time(), _steps()]),
        ],
        since="now-7d",
    )


def _headline() -> list[AnyPanel]:
    refused = number(f"sumIf(calls, {_REFUSED}) AS total", calls("code", "calls"))
    observed = number("sumIf(calls, would_code = 'budget_exceeded') AS total", calls("would_code", "calls"))
    used_up = number("countIf(remaining = 0 AND is_hard) AS total", LATEST_BUDGETS)
    return [
        stat_of(1, "Budgets", number("count() AS total", LATEST_BUDGETS), about=_TOLD),
        stat_of(2, "Nine tenths used", number(f"countIf({USED} >= 0.9) AS total", LATEST_BUDGETS), about=_TOLD),
        stat_of(3, "Used up", used_up, red_from=1, about=f"Hard budgets with nothing left. {_TOLD}"),
        stat_of(4, "Calls refused", refused),
        stat_of(5, "Would have been refused", observed, about="Served, since the budget is only observed."),
        stat_of(6, "Calls clamped", number("sum(clamped) AS total", calls("clamped")),
            about="Given the output that fitted, and no more."),
        stat_of(7, "Overrun", number("sum(overrun_usd) AS spend", calls("overrun_usd")), USD, decimals=6, span=6,
            about="What calls cost beyond what was held for them."),
    ]  # fmt: skip


def _now() -> AnyPanel:
    query = rows_of(
        f"""SELECT {_NAME} AS budget, scope AS of_scope, unit AS counted, limit_amount AS most,
  spent, held, remaining, {USED} AS used,
  arrayStringConcat(rungs, ', ') AS steps, resets_at, expected,
  low, high, exhausted_at,
  exhausted_earliest_at, unforeseen
{LATEST_BUDGETS}
ORDER BY used DESC, budget
LIMIT 500"""
    )
    columns = {
        "budget": text("Budget"), "of_scope": text("Scope"), "counted": text("Counts"), "most": Column("Limit"),
        "spent": Column("Spent"), "held": Column("Held"), "remaining": Column("Left"), "used": Column("Used", SHARE),
        "steps": text("Ladder stands on"), "resets_at": moment("Starts over"), "expected": Column("Will come to"),
        "low": Column("At least"), "high": Column("At most"), "exhausted_at": moment("Used up"),
        "exhausted_earliest_at": moment("Used up at the earliest"), "unforeseen": text("No forecast, since"),
    }  # fmt: skip
    about = f"{_TOLD} Amounts are dollars, tokens or calls. Forecasts hold four times in five (docs/console.md)."
    return table_of(8, "Budgets", query, columns, about=about)


# The ten that have least left, by the share of their limit.
_EMPTIEST: Final = f"""WITH emptiest AS (
SELECT org, name
{LATEST_BUDGETS}
ORDER BY {USED} DESC, org, name
LIMIT {MOST_SERIES}
)"""


def _burn_down() -> AnyPanel:
    query = series_of(
        f"""{_EMPTIEST}
SELECT $__timeInterval(at) AS time, {_NAME} AS budget,
  argMax(if(limit_amount = 0, NULL, toFloat64(remaining) / toFloat64(limit_amount)), r.at) AS still_there
{BUDGETS}
  AND (r.org, r.name) IN (SELECT org, name FROM emptiest)
GROUP BY time, budget
ORDER BY time, budget"""
    )
    return lines(9, "Burn-down", query, SHARE, about="Left of the limit: the ten budgets that have least left.")


def _spent() -> AnyPanel:
    query = series_of(
        f"""{_EMPTIEST}
SELECT $__timeInterval(at) AS time, {_NAME} AS budget, argMax(toFloat64(spent), r.at) AS so_far
{BUDGETS}
  AND (r.org, r.name) IN (SELECT org, name FROM emptiest) AND r.unit = 'usd'
GROUP BY time, budget
ORDER BY time, budget"""
    )
    return lines(10, "Spent in the window", query, USD, about="Budgets in dollars among those ten.")


def _refusals_over_time() -> AnyPanel:
    query = series_of(
        f"""SELECT {BUCKET} AS time, {named("refused_by")} AS refuser, sum(calls) AS total
{calls("code", "refused_by", "calls")}
WHERE {_REFUSED}
GROUP BY time, refuser
ORDER BY time, refuser"""
    )
    return bars(11, "Calls refused, by budget", query)


def _refusals() -> AnyPanel:
    query = rows_of(
        f"""SELECT {named("refused_by")} AS refuser, {KEY} AS key_path, sum(calls) AS total
{calls(*_WHO, "code", "refused_by", "calls")}
WHERE {_REFUSED}
GROUP BY refuser, key_path
ORDER BY total DESC, refuser, key_path
LIMIT {MOST_ROWS}"""
    )
    columns = {"refuser": text("Budget"), "key_path": text("Key"), "total": Column("Calls")}
    return table_of(12, "Whose calls are refused", query, columns, span=12)


def _observed() -> AnyPanel:
    query = rows_of(
        f"""SELECT would_by AS refuser, would_code AS refusal, {KEY} AS key_path, sum(calls) AS total
{calls(*_WHO, "would_by", "would_code", "calls")}
WHERE refusal != ''
GROUP BY refuser, refusal, key_path
ORDER BY total DESC, refuser, refusal, key_path
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "refuser": text("By"), "refusal": text("Code"), "key_path": text("Key"), "total": Column("Calls"),
    }  # fmt: skip
    return table_of(13, "Would have been refused", query, columns, about="Under `enforcement: observe`.")


def _steps_over_time() -> AnyPanel:
    query = series_of(
        f"""SELECT {BUCKET} AS time, arrayJoin(ladder) AS step, sum(calls) AS total
{calls("ladder", "calls")}
GROUP BY time, step
ORDER BY time, step"""
    )
    return bars(14, "Calls that a ladder changed", query, about="By what was done, and by which budget or limit.")


def _steps() -> AnyPanel:
    query = rows_of(
        f"""SELECT arrayJoin(ladder) AS step, sum(calls) AS total, uniqExact(org, team, key_name) AS keys
{calls(*_WHO, "ladder", "calls")}
GROUP BY step
ORDER BY total DESC, step"""
    )
    columns = {"step": text("Step"), "total": Column("Calls"), "keys": Column("Keys concerned")}
    return table_of(15, "Steps that were taken", query, columns, span=12)
