"""The board "Models and price mix": which tokens cost what, at which prices."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import AnyPanel, Section, board
from dashboards.panels import QUARTER_HOUR, SHARE, USD, Column, bars, stat_of, table_of, text, usd
from dashboards.sql.attempts import price_lines
from dashboards.sql.calls import BUCKET, calls
from dashboards.sql.names import named
from dashboards.sql.query import INPUT, MODEL, MOST_ROWS, TOKEN_COLUMNS, TOKENS, number, rows_of, series_of
from dashboards.sql.spend import LOCAL_BUCKET, NOT_MOVED_AWAY, local_spend, spend
from proxy.core.usage import Bucket, ToolFee

_INPUTS: Final = TOKEN_COLUMNS[:4]
_TOOLS: Final = ", ".join(f"'{fee.value}'" for fee in ToolFee)
_OUTPUT: Final = "sum(output_tokens + reasoning_tokens)"
_PER_MTOK: Final = f"if({TOKENS} = 0, NULL, toFloat64(sum(cost_usd)) * 1000000 / {TOKENS})"
_LINES: Final = "Unrounded lines of bills, of all requests to providers: retries too."
_PROVIDER: Final = named("provider")


def models_prices() -> Dashboard:
    """The whole board."""
    return board(
        "models-prices",
        "models and price mix",
        [
            Section(100, "In this range", _headline()),
            Section(101, "By kind of token", [_spend_by_kind(), _tokens_by_kind()]),
            Section(102, "By model", [_models(), _asked_and_served(), _tiers()]),
            Section(103, "Prices", [_prices(), _tools(), _book()]),
        ],
    )


def _headline() -> list[AnyPanel]:
    tokens = spend("cost_usd", *TOKEN_COLUMNS)
    writes = f"if({INPUT} = 0, NULL, sum(cache_write_tokens + cache_write_1h_tokens) / {INPUT})"
    thought = f"if({_OUTPUT} = 0, NULL, sum(reasoning_tokens) / {_OUTPUT})"
    tools = f"toFloat64(sumIf(usd, bucket IN ({_TOOLS})))"
    return [
        stat_of(1, "USD per million tokens", number(f"{_PER_MTOK} AS per_mtok", tokens), USD, span=5, decimals=3),
        stat_of(2, "Cache-read share", number(f"if({INPUT} = 0, NULL, sum(cache_read_tokens) / {INPUT}) AS share",
            spend(*_INPUTS)), SHARE, span=5, decimals=1),
        stat_of(3, "Cache-write share", number(f"{writes} AS share", spend(*_INPUTS)), SHARE, span=5, decimals=1),
        stat_of(4, "Reasoning share", number(f"{thought} AS share", spend("output_tokens", "reasoning_tokens")), SHARE,
            span=5, decimals=1, about="Of all output tokens, those that were thought and not shown."),
        stat_of(5, "Providers' tools", number(f"{tools} AS spend", price_lines("bucket", "usd")), USD, span=4,
            about=_LINES),
    ]  # fmt: skip


def _spend_by_kind() -> AnyPanel:
    query = series_of(
        f"""SELECT {BUCKET} AS time, bucket AS kind, toFloat64(sum(usd)) AS spend
{price_lines("bucket", "usd")}
GROUP BY time, kind
ORDER BY time, kind"""
    )
    return bars(6, "Spend by kind of token and tool", query, USD, about=_LINES, every=QUARTER_HOUR)


def _tokens_by_kind() -> AnyPanel:
    told = ", ".join(f"sum({bucket.value}_tokens) AS {bucket.value}" for bucket in Bucket)
    query = series_of(
        f"""SELECT {LOCAL_BUCKET} AS time, {told}
{local_spend(*TOKEN_COLUMNS)}
GROUP BY time
{NOT_MOVED_AWAY}
ORDER BY time"""
    )
    return bars(7, "Tokens by kind", query, "short", every=QUARTER_HOUR)


def _models() -> AnyPanel:
    query = rows_of(
        f"""SELECT {MODEL} AS model_name, {_PROVIDER} AS provider_name, sum(calls) AS total, {TOKENS} AS tokens,
  sum(cost_usd) AS spend, {_PER_MTOK} AS per_mtok,
  if({INPUT} = 0, NULL, sum(cache_read_tokens) / {INPUT}) AS cached,
  if({_OUTPUT} = 0, NULL, sum(reasoning_tokens) / {_OUTPUT}) AS thought, sum(unpriced) AS no_price
{spend("model", "provider", "calls", "cost_usd", "unpriced", *TOKEN_COLUMNS)}
GROUP BY model_name, provider_name
ORDER BY spend DESC, model_name, provider_name
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "model_name": text("Model"), "provider_name": text("Provider"), "total": Column("Calls"),
        "tokens": Column("Tokens"), "spend": usd("Spend"), "per_mtok": usd("Per million tokens"),
        "cached": Column("Cache reads", SHARE), "thought": Column("Reasoning", SHARE), "no_price": Column("Unpriced"),
    }  # fmt: skip
    return table_of(8, "Models", query, columns)


def _asked_and_served() -> AnyPanel:
    query = rows_of(
        f"""SELECT {named("requested_model")} AS asked, {MODEL} AS served, sum(calls) AS total, sum(cost_usd) AS spend
{calls("requested_model", "model", "outcome", "calls", "cost_usd")}
WHERE outcome != 'refused' AND requested_model != model
GROUP BY asked, served
ORDER BY total DESC, asked, served
LIMIT {MOST_ROWS}"""
    )
    columns = {"asked": text("Asked for"), "served": text("Served"), "total": Column("Calls"), "spend": usd("Spend")}
    return table_of(9, "Asked for one model, served by another", query, columns, span=12)


def _tiers() -> AnyPanel:
    query = rows_of(
        f"""SELECT {named("service_tier")} AS tier, sum(calls) AS total, {TOKENS} AS tokens, sum(cost_usd) AS spend,
  {_PER_MTOK} AS per_mtok
{calls("service_tier", "outcome", "calls", "cost_usd", *TOKEN_COLUMNS)}
WHERE outcome != 'refused'
GROUP BY tier
ORDER BY spend DESC, tier"""
    )
    columns = {
        "tier": text("Tier"), "total": Column("Calls"), "tokens": Column("Tokens"), "spend": usd("Spend"),
        "per_mtok": usd("Per million tokens"),
    }  # fmt: skip
    return table_of(10, "Service tiers", query, columns, span=12)


def _prices() -> AnyPanel:
    query = rows_of(
        f"""SELECT {_PROVIDER} AS provider_name, {MODEL} AS model_name, bucket AS kind, usd_per_mtok AS rate,
  {named("price_version")} AS version, {named("price_source")} AS stated_by, sum(quantity) AS amount,
  toFloat64(sum(usd)) AS spend
{price_lines("provider", "model", "bucket", "usd_per_mtok", "price_version", "price_source", "quantity", "usd")}
GROUP BY provider_name, model_name, kind, rate, version, stated_by
ORDER BY spend DESC, provider_name, model_name, kind, rate, version, stated_by
LIMIT 200"""
    )
    columns = {
        "provider_name": text("Provider"), "model_name": text("Model"), "kind": text("Kind"),
        "rate": text("USD per million"), "version": text("Price version"), "stated_by": text("Source"),
        "amount": Column("Amount"), "spend": usd("Spend"),
    }  # fmt: skip
    return table_of(11, "Prices that were paid", query, columns, about=_LINES)


def _tools() -> AnyPanel:
    query = rows_of(
        f"""SELECT bucket AS tool, {MODEL} AS model_name, sum(quantity) AS uses, toFloat64(sum(usd)) AS spend
{price_lines("model", "bucket", "quantity", "usd")}
WHERE bucket IN ({_TOOLS})
GROUP BY tool, model_name
ORDER BY spend DESC, tool, model_name
LIMIT {MOST_ROWS}"""
    )
    columns = {"tool": text("Tool"), "model_name": text("Model"), "uses": Column("Uses"), "spend": usd("Spend")}
    return table_of(12, "Tools that providers bill", query, columns, about=_LINES)


_RATES: Final = {
    "input": "Input", "cache_read": "Cache read", "cache_write": "Cache write", "output": "Output",
    "reasoning": "Reasoning",
}  # fmt: skip


def _book() -> AnyPanel:
    rates = ", ".join(f"toFloat64({name}_usd_per_mtok) AS {name}_rate" for name in _RATES)
    query = rows_of(
        f"""SELECT if(r.provider = '', '*', r.provider) AS provider_name, r.model AS model_name,
  r.origin AS origin_name, r.since AS first_day,
  {rates}, toFloat64(multiplier) AS factor, r.source AS told_by
FROM price_book AS r FINAL
ARRAY JOIN arrayConcat([r.model], r.also) AS called
WHERE r.version = (SELECT argMax(version, told_at) FROM price_book)
  AND r.since <= toString(toDate($__toTime, 'UTC'))
  AND called IN (SELECT model {spend("model")})
ORDER BY r.origin = 'book', provider_name, model_name, first_day DESC
LIMIT 1 BY r.origin, r.provider, r.model
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "provider_name": text("Provider"), "model_name": text("Model"), "origin_name": text("From"),
        "first_day": text("Since"), **{f"{name}_rate": usd(shown) for name, shown in _RATES.items()},
        "factor": Column("Times", "short"), "told_by": text("Source"),
    }  # fmt: skip
    return table_of(13, "Price book", query, columns,
        about="Rates of this range's models, dollars a million tokens, as they are now, of the range's last day;"
        " the overlay's count before the book's. Empty: as the plain rate of its side.")  # fmt: skip
