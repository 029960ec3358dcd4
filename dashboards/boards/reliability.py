"""The board "Reliability": what failed and whose fault it was, what was tried again, and how each provider does."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import AnyPanel, Section, board
from dashboards.panels import MILLIS, SHARE, USD, Column, bars, moment, operation, stat_of, table_of, text
from dashboards.sql.attempts import attempts
from dashboards.sql.calls import BINS_ABOUT, BUCKET, RAW, calls, quantile
from dashboards.sql.faults import CLIENT, FAULT, RULES
from dashboards.sql.names import named
from dashboards.sql.query import KEY, MODEL, MOST_ROWS, number, rows_of, series_of

_PROVIDER: Final = named("provider")
_WELL: Final = "outcome IN ('ok', 'cached')"
_OVERLOADED: Final = "status IN (503, 529)"


def reliability() -> Dashboard:
    """The whole board."""
    return board(
        "reliability",
        "reliability",
        [
            Section(100, "In this range", _headline()),
            Section(101, "Over time", [_faults(), _statuses()]),
            Section(102, "Providers", [_providers(), _errors()]),
            Section(103, "Calls", [_latest()]),
        ],
    )


def _headline() -> list[AnyPanel]:
    due = f"({_WELL} OR {FAULT} NOT IN ('{CLIENT}', '{RULES}'))"
    answered = f"if(sumIf(calls, {due}) = 0, NULL, sumIf(calls, {_WELL}) / sumIf(calls, {due})) AS share"
    helped = f"sumIf(retried, {_WELL}) AS total"
    wasted = "sumIf(cost_usd, outcome != 'ok') AS spend"
    return [
        stat_of(1, "Answered", number(answered, calls("outcome", "code", "calls")), SHARE, decimals=2,
            about="Of the calls that were to be answered: not those a rule refused, or whose client was at fault."),
        stat_of(2, "Truncated", number("sumIf(calls, outcome = 'truncated') AS total", calls("outcome", "calls"))),
        stat_of(3, "Lost", number("sumIf(calls, outcome = 'lost') AS total", calls("outcome", "calls")), red_from=1,
            about="Calls whose end nobody saw: the worker died."),
        stat_of(4, "Providers' 429", number("sumIf(attempts, status = 429) AS total", attempts("status", "attempts")),
            about="Requests that a provider's rate limit turned away."),
        stat_of(5, "Providers' 503 and 529", number(f"sumIf(attempts, {_OVERLOADED}) AS total",
            attempts("status", "attempts")), about="Requests that met an overloaded provider."),
        stat_of(6, "Tried again", number("sum(retried) AS total", calls("retried")),
            about="Calls for which more than one request was made."),
        stat_of(7, "Saved by trying again", number(helped, calls("outcome", "retried"))),
        stat_of(8, "Paid for what failed", number(wasted, attempts("outcome", "cost_usd")), USD,
            about="Requests that did not end well and cost all the same."),
    ]  # fmt: skip


def _faults() -> AnyPanel:
    query = series_of(
        f"""SELECT {BUCKET} AS time, {FAULT} AS fault, sum(calls) AS total
{calls("outcome", "code", "calls")}
WHERE NOT {_WELL}
GROUP BY time, fault
ORDER BY time, fault"""
    )
    about = "Refused by a rule is as it should be; client: asked wrongly, or left."
    return bars(9, "Calls that did not end well, by whose fault", query, about=about)


def _statuses() -> AnyPanel:
    query = series_of(
        f"""SELECT {BUCKET} AS time, concat({_PROVIDER}, ' ', if(status = 0, 'no answer', toString(status))) AS answer,
  sum(attempts) AS total
{attempts("provider", "outcome", "status", "attempts")}
WHERE outcome = 'upstream_error'
GROUP BY time, answer
ORDER BY time, answer"""
    )
    return bars(10, "Requests that providers failed, by status", query)


def _providers() -> AnyPanel:
    query = rows_of(
        f"""SELECT {_PROVIDER} AS provider_name, sum(attempts) AS total, 
  sumIf(attempts, outcome = 'ok') / total AS good,
  sumIf(attempts, status = 429) AS limited, sumIf(attempts, {_OVERLOADED}) AS overloaded,
  sumIf(attempts, status >= 500 AND NOT {_OVERLOADED}) AS broken,
  sumIf(attempts, status = 0 AND outcome = 'upstream_error') AS silent,
  sumIf(attempts, outcome = 'truncated') AS truncated, sum(told_to_wait) AS waits,
  {quantile(0.95, "duration_bins")} AS duration_95
{attempts("provider", "outcome", "status", "attempts", "told_to_wait", "duration_bins")}
GROUP BY provider_name
ORDER BY total DESC, provider_name"""
    )
    columns = {
        "provider_name": text("Provider"), "total": Column("Requests"), "good": Column("Ended well", SHARE),
        "limited": Column("429"), "overloaded": Column("503, 529"), "broken": Column("Other 5xx"),
        "silent": Column("No answer"), "truncated": Column("Truncated"), "waits": Column("Told to wait"),
        "duration_95": Column("Duration, p95", MILLIS),
    }  # fmt: skip
    return table_of(11, "Providers", query, columns, about=BINS_ABOUT)


def _errors() -> AnyPanel:
    query = rows_of(
        f"""SELECT {_PROVIDER} AS provider_name, {MODEL} AS model_name, status AS answer, error AS told,
  sum(attempts) AS total
{attempts("provider", "model", "outcome", "status", "error", "attempts")}
WHERE outcome = 'upstream_error'
GROUP BY provider_name, model_name, answer, told
ORDER BY total DESC, provider_name, model_name, answer, told
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "provider_name": text("Provider"), "model_name": text("Model"), "answer": Column("Status", "none"),
        "told": text("Told"), "total": Column("Requests"),
    }  # fmt: skip
    return table_of(12, "Errors of providers", query, columns)


def _latest() -> AnyPanel:
    query = rows_of(
        f"""SELECT charged_at AS at, operation_id AS operation, {KEY} AS key_path, {MODEL} AS model_name,
  {_PROVIDER} AS provider_name, outcome AS ended, code AS refusal, error AS told
{RAW}
  AND NOT {_WELL} AND {FAULT} NOT IN ('{CLIENT}', '{RULES}')
ORDER BY at DESC, operation
LIMIT 20"""
    )
    columns = {
        "at": moment("At"), "operation": operation(), "key_path": text("Key"), "model_name": text("Model"),
        "provider_name": text("Provider"), "ended": text("Ended"), "refusal": text("Code"), "told": text("Told"),
    }  # fmt: skip
    return table_of(13, "Latest failed calls", query, columns, about="Not what a rule refused or a client did.")
