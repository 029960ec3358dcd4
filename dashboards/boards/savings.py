"""The board "Cache and routing savings": what was not paid, and how that is reckoned."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import AnyPanel, Section, board
from dashboards.panels import QUARTER_HOUR, SHARE, USD, Column, bars, stat_of, table_of, text, usd
from dashboards.sql.attempts import price_lines
from dashboards.sql.calls import BUCKET, RAW, calls
from dashboards.sql.names import named
from dashboards.sql.query import INPUT, MODEL, MOST_ROWS, TOKEN_COLUMNS, TOKENS, number, rows_of, series_of
from dashboards.sql.spend import spend

_PROVIDER: Final = named("provider")
_METHOD: Final = (
    "What cache reads would have cost at the lowest price that was paid for uncached input of the same provider and"
    " model in the range, less what they cost; less what cache writes cost above that price. Models without such a"
    " price are left out."
)
_ROUTING: Final = (
    "An estimate: the tokens, at what a token of the model that was asked for cost on average in the range, less what"
    " they cost. Models that were asked for and never served in the range have no such price."
)
_WRITES: Final = "bucket IN ('cache_write', 'cache_write_1h')"


def savings() -> Dashboard:
    """The whole board."""
    return board(
        "savings",
        "cache and routing savings",
        [
            Section(100, "In this range", _headline()),
            Section(103, "Flyball's own cache", _own_cache()),
            Section(101, "Providers' prompt caches", [_over_time(), _by_model()]),
            Section(102, "Served otherwise than asked", [_steps(), _routing()]),
        ],
        since="now-7d",
    )


# Each line of a bill beside the model's price for a token of uncached input, in dollars.
_RATED: Final = f"""WITH rates AS (
SELECT provider, model, minIf(toFloat64OrZero(usd_per_mtok), bucket = 'input' AND quantity > 0) / 1000000 AS rate
{price_lines("provider", "model", "bucket", "quantity", "usd_per_mtok")}
GROUP BY provider, model
HAVING rate > 0
)"""
_SAVED: Final = (
    "sumIf(quantity * rate - toFloat64(usd), bucket = 'cache_read')"
    f" - sumIf(toFloat64(usd) - quantity * rate, {_WRITES})"
)


def _rated() -> str:
    """`FROM (…)`: lines of bills with the `rate` of their model."""
    source = price_lines("provider", "model", "bucket", "quantity", "usd")
    return f"FROM (\nSELECT *\n{source}\n) AS lines\nINNER JOIN rates USING (provider, model)"


def _headline() -> list[AnyPanel]:
    saved = rows_of(f"{_RATED}\nSELECT {_SAVED} AS saved\n{_rated()}")
    share = f"if({INPUT} = 0, NULL, sum(cache_read_tokens) / {INPUT}) AS share"
    served = "sumIf(calls, outcome != 'refused')"
    own = f"if({served} = 0, NULL, sumIf(calls, outcome = 'cached') / {served}) AS share"
    memory = "sumIf(calls, outcome = 'cached') AS total"
    below = "sum(list_usd - cost_usd) AS saved"
    other = number(
        "sumIf(calls, outcome != 'refused' AND requested_model != model) AS total",
        calls("outcome", "requested_model", "model", "calls"),
    )
    return [
        stat_of(1, "Saved by prompt caches", saved, USD, span=4, about=_METHOD),
        stat_of(2, "Cache-read share", number(share, spend(*TOKEN_COLUMNS[:4])), SHARE, span=4, decimals=1,
            about="Of all input tokens, those read from the provider's cache."),
        stat_of(3, "Answered from memory", number(memory, calls("outcome", "calls")), span=4,
            about="Calls that Flyball answered without a provider."),
        stat_of(4, "Share answered from memory", number(own, calls("outcome", "calls")), SHARE, span=4,
            decimals=1),
        stat_of(5, "Below list prices", number(below, calls("list_usd", "cost_usd")), USD, span=4,
            about="What negotiated prices save against the list."),
        stat_of(6, "Served by another model", other, span=4),
    ]  # fmt: skip


def _own_cache() -> list[AnyPanel]:
    """From the rows themselves: sums of days do not tell what caches did."""
    asked = "countIf(cache_status IN ('hit', 'miss'))"
    rate = f"if({asked} = 0, NULL, countIf(cache_status = 'hit') / {asked}) AS rate"
    over_time = series_of(
        f"""SELECT $__timeInterval(charged_at) AS time, toFloat64(sum(cache_saved_usd)) AS saved,
  toFloat64(sum(cache_would_save_usd)) AS would_save
{RAW}
  AND cache_status IN ('hit', 'would_hit')
GROUP BY time
ORDER BY time"""
    )
    return [
        stat_of(11, "Saved by our cache", number("toFloat64(sum(cache_saved_usd)) AS saved", RAW), USD, span=6,
            about="What the answers that were given from memory had cost when they were made, less what hits cost."),
        stat_of(12, "Would have been saved", number("toFloat64(sum(cache_would_save_usd)) AS saved", RAW), USD, span=6,
            about="In shadow: what calls cost that a cache would have answered."),
        stat_of(13, "Hit rate", number(rate, RAW), SHARE, span=6, decimals=1,
            about="Of the calls that a cache which serves was asked for; those that are kept from it are left out."),
        stat_of(14, "Would-be hits", number("countIf(cache_status = 'would_hit') AS total", RAW), span=6,
            about="In shadow: calls that a cache would have answered."),
        bars(15, "Saved by our cache, and what would have been", over_time, USD, every=QUARTER_HOUR, span=24),
    ]  # fmt: skip


def _over_time() -> AnyPanel:
    query = series_of(
        f"""{_RATED}
SELECT {BUCKET} AS time, {MODEL} AS model_name, {_SAVED} AS saved
{_rated()}
WHERE bucket = 'cache_read' OR {_WRITES}
GROUP BY time, model_name
ORDER BY time, model_name"""
    )
    return bars(7, "Saved by prompt caches, by model", query, USD, about=_METHOD, every=QUARTER_HOUR, span=24)


def _by_model() -> AnyPanel:
    query = rows_of(
        f"""{_RATED}
SELECT {_PROVIDER} AS provider_name, {MODEL} AS model_name,
  sumIf(quantity, bucket = 'cache_read') AS reads, sumIf(quantity, {_WRITES}) AS writes,
  toFloat64(sum(usd)) AS paid, sum(quantity * rate) AS uncached, {_SAVED} AS saved
{_rated()}
WHERE bucket = 'cache_read' OR {_WRITES}
GROUP BY provider_name, model_name
ORDER BY saved DESC, provider_name, model_name
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "provider_name": text("Provider"), "model_name": text("Model"), "reads": Column("Tokens read"),
        "writes": Column("Tokens written"), "paid": usd("Paid for both"), "uncached": usd("Without a cache"),
        "saved": usd("Saved"),
    }  # fmt: skip
    return table_of(8, "Models", query, columns, about=_METHOD)


def _steps() -> AnyPanel:
    query = series_of(
        f"""SELECT {BUCKET} AS time, arrayJoin(ladder) AS step, sum(calls) AS total
{calls("ladder", "calls")}
GROUP BY time, step
ORDER BY time, step"""
    )
    return bars(9, "Calls that a ladder changed", query, about="By what was done, and by which budget or limit.")


def _routing() -> AnyPanel:
    served = calls("requested_model", "model", "outcome", "price_source", "calls", "cost_usd", *TOKEN_COLUMNS)
    query = rows_of(
        f"""WITH means AS (
SELECT model AS asked_model, toFloat64(sum(cost_usd)) / {TOKENS} AS per_token
{served}
WHERE outcome != 'refused' AND price_source != ''
GROUP BY asked_model
HAVING {TOKENS} > 0
), others AS (
SELECT requested_model AS asked_model, model, sum(calls) AS made, {TOKENS} AS used,
  toFloat64(sum(cost_usd)) AS paid
{served}
WHERE outcome != 'refused' AND requested_model != model
GROUP BY asked_model, model
)
SELECT if(asked_model = '', '(none)', asked_model) AS asked, {MODEL} AS served, made AS total, used AS tokens,
  paid AS spend, used * per_token AS otherwise, otherwise - spend AS saved
FROM others
INNER JOIN means USING (asked_model)
ORDER BY saved DESC, asked, served
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "asked": text("Asked for"), "served": text("Served"), "total": Column("Calls"), "tokens": Column("Tokens"),
        "spend": usd("Paid"), "otherwise": usd("As asked for"), "saved": usd("Saved"),
    }  # fmt: skip
    return table_of(10, "Saved by routing", query, columns, span=12, about=_ROUTING)
