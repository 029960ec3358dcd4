"""The board "Cost overview": what is spent, by whom, on what, what is to come, and what was refused or slow."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import AnyPanel, Section, board
from dashboards.boards import cost_changes
from dashboards.panels import (
    MILLIS,
    QUARTER_HOUR,
    SHARE,
    USD,
    Column,
    bars,
    lines,
    moment,
    operation,
    stat_of,
    table_of,
    text,
    usd,
)
from dashboards.sql.calls import BINS_ABOUT, BUCKET, RAW, by_bin, calls, latencies, quantiles
from dashboards.sql.names import named
from dashboards.sql.query import (
    INPUT,
    KEY,
    MODEL,
    MOST_ROWS,
    TEAM,
    TOKEN_COLUMNS,
    TOKENS,
    Query,
    number,
    rows_of,
    series_of,
)
from dashboards.sql.spend import spend, spend_by

_WHO: Final = ("org", "team", "key_name")
_INPUTS: Final = TOKEN_COLUMNS[:4]


def cost_overview() -> Dashboard:
    """The whole board."""
    return board(
        "cost-overview",
        "cost overview",
        [
            Section(100, "In this range", _headline()),
            Section(103, "What is to come, and what changed", cost_changes.panels()),
            Section(101, "Who and what", [*_spend(), _top_keys(), _dearest_calls()]),
            Section(102, "Refused, failed, slow", [*_trouble(), _refusals()]),
        ],
    )


PER_CALL: Final = "if(sum(calls - unpriced) = 0, NULL, sum(cost_usd) / sum(calls - unpriced))"


def _headline() -> list[AnyPanel]:
    served = spend("outcome", "calls", "unpriced", "cost_usd") + "\nWHERE outcome != 'refused'"
    refused = calls("code", "calls")
    cached = number(f"if({INPUT} = 0, NULL, sum(cache_read_tokens) / {INPUT}) AS share", spend(*_INPUTS))
    return [
        stat_of(1, "Spend", number("sum(cost_usd) AS spend", spend("cost_usd")), USD, span=4,
            about="Whole quarter-hours."),
        stat_of(2, "Calls", number("sum(calls) AS total", spend("calls"))),
        stat_of(3, "Tokens", number(f"{TOKENS} AS tokens", spend(*TOKEN_COLUMNS)), "short"),
        stat_of(4, "Unpriced calls", number("sum(unpriced) AS no_price", spend("unpriced")), red_from=1,
            about="Calls whose model has no price: they are missing from every sum. Add them to the price overlay."),
        stat_of(5, "Refused for budget (402)", number("sumIf(calls, code = 'budget_exceeded') AS refused", refused),
            span=4, red_from=1),
        stat_of(6, "Cost per call", number(f"{PER_CALL} AS per_call", served), USD, span=4, decimals=6),
        stat_of(7, "Cache-read share", cached, SHARE, decimals=1,
            about="Of all input tokens, those read from the provider's cache."),
    ]  # fmt: skip


def _spend() -> list[AnyPanel]:
    days = "By quarter-hours, in ranges of more than two days by days of the chosen time zone."
    return [
        bars(8, "Spend by model", spend_by(MODEL, "model_name", "model"), USD, span=24, every=QUARTER_HOUR, about=days),
        bars(9, "Spend by team", spend_by(TEAM, "team_name", "org", "team"), USD, every=QUARTER_HOUR, about=days),
        bars(10, "Spend by key", spend_by(KEY, "key_path", *_WHO), USD, every=QUARTER_HOUR, about=days),
    ]


def _top_keys() -> AnyPanel:
    query = rows_of(
        f"""SELECT {KEY} AS key_path,
  sum(cost_usd) AS spend,
  sum(calls) AS total,
  {TOKENS} AS tokens,
  sum(unpriced) AS no_price,
  sumIf(calls, outcome = 'refused') AS refused
{spend(*_WHO, "outcome", "calls", "unpriced", "cost_usd", *TOKEN_COLUMNS)}
GROUP BY key_path
ORDER BY spend DESC, key_path
LIMIT {MOST_ROWS}"""  # names of our own columns only
    )
    columns = {
        "key_path": text("Key"), "spend": usd("Spend"), "total": Column("Calls"),
        "tokens": Column("Tokens"), "no_price": Column("Unpriced"), "refused": Column("Refused"),
    }  # fmt: skip
    return table_of(11, "Top keys", query, columns)


def _dearest_calls() -> AnyPanel:
    query = rows_of(
        f"""SELECT charged_at AS at, operation_id AS operation, {KEY} AS key_path, {named("agent")} AS agent_name,
  {MODEL} AS model_name, outcome, cost_usd AS cost
{RAW}
  AND r.charged_at > $__toTime - INTERVAL 1 DAY AND r.cost_usd > 0
ORDER BY cost DESC, operation
LIMIT 20"""
    )
    columns = {
        "at": moment("At"), "operation": operation(), "key_path": text("Key"), "agent_name": text("Agent"),
        "model_name": text("Model"), "outcome": text("Ended"), "cost": usd("Cost"),
    }  # fmt: skip
    return table_of(19, "Dearest calls of the last day", query, columns, about="Of the range's last 24 hours.")


def _trouble() -> list[AnyPanel]:
    ended = series_of(
        f"""SELECT {BUCKET} AS time, outcome AS ended, sum(calls) AS total
{calls("outcome", "calls")}
WHERE outcome NOT IN ('ok', 'cached')
GROUP BY time, ended
ORDER BY time, ended"""
    )
    return [
        bars(12, "Calls that did not end well, by outcome", ended),
        lines(13, "Duration of good calls: p50, p95", _over_time("duration_bins"), MILLIS, about=BINS_ABOUT),
        lines(14, "Time to first token: p50, p95", _over_time("ttft_bins"), MILLIS,
            about=f"Only streams that showed one. {BINS_ABOUT}"),
    ]  # fmt: skip


def _over_time(bins: str) -> Query:
    return series_of(
        f"""WITH {quantiles(0.5, 0.95)} AS q
SELECT {BUCKET} AS time, q[1] AS p50, q[2] AS p95
{latencies("outcome", bins)}
{by_bin(bins)}
WHERE outcome = 'ok'
GROUP BY time
ORDER BY time"""
    )


def _refusals() -> AnyPanel:
    query = rows_of(
        f"""SELECT code AS refusal, sum(calls) AS total, uniqExact(org, team, key_name) AS keys
{calls(*_WHO, "code", "outcome", "calls")}
WHERE outcome = 'refused'
GROUP BY refusal
ORDER BY total DESC, refusal"""
    )
    columns = {"refusal": text("Code"), "total": Column("Calls"), "keys": Column("Keys concerned")}
    return table_of(15, "Refusals by code", query, columns, span=12)
