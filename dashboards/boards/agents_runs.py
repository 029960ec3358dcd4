"""The board "Agents and runs": what a run costs, how many calls it takes, and how much it leans on tools."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import AnyPanel, Section, board
from dashboards.panels import QUARTER_HOUR, USD, Column, bars, lines, moment, run, stat_of, table_of, text, usd
from dashboards.sql.calls import BUCKET
from dashboards.sql.names import named
from dashboards.sql.query import KEY, MOST_ROWS, MOST_SERIES, OTHERS, number, rows_of, series_of
from dashboards.sql.runs import A_RUN, runs
from dashboards.sql.spend import spend_by
from dashboards.sql.tools import tool_calls

_OF: Final = ("org", "team", "key_name", "run")
_AGENT: Final = named("agent")
_RUNS: Final = f"uniqExact{A_RUN}"


_HERE: Final = "What they did in this range."


def agents_runs() -> Dashboard:
    """The whole board."""
    return board(
        "agents-runs",
        "agents and runs",
        [
            Section(100, "In this range", _headline()),
            Section(101, "Agents", [_agents(), bars(8, "Spend by agent", spend_by(_AGENT, "agent_name", "agent"), USD,
                every=QUARTER_HOUR), _intensity()]),
            Section(102, "Runs", [_dearest(), _busiest()]),
            Section(103, "Tools that models called", [_tools_over_time(), _tools()]),
        ],
    )  # fmt: skip


def _each(*columns: str) -> str:
    """`FROM (…)`: one row for each run, with `usd` and `made`."""
    source = runs(*_OF, "calls", "cost_usd", *columns)
    return f"FROM (\nSELECT sum(cost_usd) AS usd, sum(calls) AS made\n{source}\nGROUP BY {', '.join(_OF)}\n)"


def _headline() -> list[AnyPanel]:
    intensity = "if(sum(calls) = 0, NULL, sum(tool_calls) / sum(calls)) AS per_call"
    middle, late = (f"if(count() = 0, NULL, quantileExact({at})(toFloat64(usd))) AS per_run" for at in (0.5, 0.95))
    return [
        stat_of(1, "Runs", number(f"{_RUNS} AS total", runs(*_OF)), span=4),
        stat_of(2, "Cost per run, median", number(middle, _each()), USD, span=4, decimals=4),
        stat_of(3, "Cost per run, p95", number(late, _each()), USD, span=4, decimals=4),
        stat_of(4, "Dearest run", number("if(count() = 0, NULL, max(usd)) AS spend", _each()), USD, span=4),
        stat_of(5, "Calls per run", number(f"if({_RUNS} = 0, NULL, sum(calls) / {_RUNS}) AS per_run",
            runs(*_OF, "calls")), "short", span=4, decimals=1),
        stat_of(6, "Tool calls per call", number(intensity, runs("tool_calls", "calls")), "short", span=4, decimals=2),
    ]  # fmt: skip


def _agents() -> AnyPanel:
    query = rows_of(
        f"""SELECT {_AGENT} AS agent_name, {_RUNS} AS total_runs, sum(calls) AS total, sum(tool_calls) AS tools,
  sum(tool_calls) / sum(calls) AS intensity, sum(calls) / total_runs AS length, sum(cost_usd) AS spend,
  toFloat64(sum(cost_usd)) / total_runs AS per_run, sum(refused) AS no, sum(failed) AS broken
{runs(*_OF, "agent", "calls", "tool_calls", "cost_usd", "refused", "failed")}
GROUP BY agent_name
ORDER BY spend DESC, agent_name
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "agent_name": text("Agent"), "total_runs": Column("Runs"), "total": Column("Calls"),
        "tools": Column("Tool calls"), "intensity": Column("Tool calls per call", "short"),
        "length": Column("Calls per run", "short"), "spend": usd("Spend"), "per_run": usd("Per run"),
        "no": Column("Refused"), "broken": Column("Failed"),
    }  # fmt: skip
    return table_of(7, "Agents", query, columns, about="Calls that are of a run.")


def _intensity() -> AnyPanel:
    query = series_of(
        f"""SELECT {BUCKET} AS time, sum(calls) / {_RUNS} AS calls_per_run,
  sum(tool_calls) / sum(calls) AS tools_per_call
{runs(*_OF, "calls", "tool_calls")}
GROUP BY time
ORDER BY time"""
    )
    return lines(9, "Calls per run and tool calls per call", query, "short", about="Of the runs of each interval.")


def _listed(order: str) -> str:
    return f"""SELECT run AS run_id, {KEY} AS key_path, {named("any(agent)")} AS agent_name, sum(calls) AS total,
  sum(tool_calls) AS tools, sum(refused) AS no, sum(cost_usd) AS spend, min(first_at) AS since, max(last_at) AS until
{runs(*_OF, "agent", "calls", "tool_calls", "refused", "cost_usd", "first_at", "last_at")}
GROUP BY key_path, run_id
ORDER BY {order} DESC, key_path, run_id
LIMIT 20"""


_COLUMNS: Final = {
    "run_id": run(), "key_path": text("Key"), "agent_name": text("Agent"), "total": Column("Calls"),
    "tools": Column("Tool calls"), "no": Column("Refused"), "spend": usd("Spend"), "since": moment("First call"),
    "until": moment("Last answer"),
}  # fmt: skip


def _dearest() -> AnyPanel:
    return table_of(10, "Dearest runs", rows_of(_listed("spend")), _COLUMNS, about=_HERE)


def _busiest() -> AnyPanel:
    return table_of(11, "Runs with most calls", rows_of(_listed("total")), _COLUMNS, about=_HERE)


_TOOL: Final = named("tool")
_KEPT: Final = "Kept as long as attempts (telemetry.attempts_days)."


def _tools_over_time() -> AnyPanel:
    query = series_of(
        f"""WITH often AS (
SELECT {_TOOL} AS tool_name
{tool_calls("tool")}
GROUP BY tool_name
ORDER BY count() DESC, tool_name
LIMIT {MOST_SERIES}
)
SELECT {BUCKET} AS time,
  if({_TOOL} IN (SELECT tool_name FROM often), {_TOOL}, '{OTHERS}') AS tool_name, count() AS total
{tool_calls("tool")}
GROUP BY time, tool_name
ORDER BY time, tool_name"""
    )
    return bars(12, "Tool calls by tool", query, "short", about=_KEPT)


def _tools() -> AnyPanel:
    query = rows_of(
        f"""SELECT {_TOOL} AS tool_name, count() AS total, uniqExact(operation_id) AS answers,
  countIf(code != '') AS no, uniqExact(org, team, key_name) AS keys, uniqExactIf(agent, agent != '') AS agents,
  uniqExactIf({A_RUN}, run != '') AS total_runs
{tool_calls("tool", "operation_id", "code", "agent", *_OF)}
GROUP BY tool_name
ORDER BY total DESC, tool_name
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "tool_name": text("Tool"), "total": Column("Tool calls"), "answers": Column("Answers with it"),
        "no": Column("Denied"), "keys": Column("Keys"), "agents": Column("Agents"), "total_runs": Column("Runs"),
    }  # fmt: skip
    return table_of(13, "Tools", query, columns, span=12, about="Denied: taken out of the answer by policy.")
