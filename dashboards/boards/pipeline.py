"""The board "Pipeline health": whether what the other boards say is whole: lag, losses, calls without sure numbers."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import AnyPanel, Section, board
from dashboards.panels import SHARE, Column, bars, lines, moment, stat_of, table_of, text, usd
from dashboards.sql.calls import RAW, calls
from dashboards.sql.names import named
from dashboards.sql.query import MODEL, MOST_ROWS, number, rows_of, series_of
from dashboards.sql.spend import spend
from dashboards.sql.states import LATEST_PIPELINE, PIPELINE, grown

_SECONDS: Final = "s"
_BYTES: Final = "bytes"
_SERVED: Final = "outcome NOT IN ('refused', 'cached')"
_TOLD: Final = "Of all hosts, as told last within the range: each tells once a minute."
_COUNTED: Final = "From one telling of a host to the next; what was counted before the first is not in it."


def pipeline() -> Dashboard:
    """The whole board."""
    return board(
        "pipeline",
        "pipeline health",
        [
            Section(100, "In this range", _headline()),
            Section(101, "Over time", [_over_time(9, "Lag", "lag_seconds", _SECONDS), _over_time(10, "Spool",
                "spool_bytes", _BYTES), _lost(), _shipped()]),
            Section(102, "Hosts", [_hosts()]),
            Section(103, "Calls whose numbers are not sure", [_unpriced(), _sources()]),
        ],
    )  # fmt: skip


def _headline() -> list[AnyPanel]:
    lag = number("if(count() = 0, NULL, max(lag_seconds)) AS lag", LATEST_PIPELINE)
    spool = number("if(count() = 0, NULL, sum(spool_bytes)) AS spool", LATEST_PIPELINE)
    age = f"{RAW}\n  AND r.charged_at > $__toTime - INTERVAL 1 DAY"
    newest = number("if(count() = 0, NULL, dateDiff('second', max(r.charged_at), $__toTime)) AS age", age)
    estimated = f"sumIf(calls, {_SERVED} AND usage_source = 'estimated')"
    share = f"if(sumIf(calls, {_SERVED}) = 0, NULL, {estimated} / sumIf(calls, {_SERVED})) AS share"
    return [
        stat_of(1, "Lag", lag, _SECONDS, red_from=60, about=f"Age of the oldest row that is not here yet. {_TOLD}"),
        stat_of(2, "Spool", spool, _BYTES, about=f"What waits on disks. {_TOLD}"),
        stat_of(3, "Rows lost", number("sum(more) AS total", grown("dropped_rows")), red_from=1,
            about=f"Never written, for want of room or disk. {_COUNTED}"),
        stat_of(4, "Rows rejected", number("sum(more) AS total", grown("rejected_rows")), red_from=1,
            about=f"Put aside since ClickHouse refused them for what is in them. {_COUNTED}"),
        stat_of(5, "Unpriced calls", number("sum(unpriced) AS no_price", spend("unpriced")), red_from=1,
            about="Calls whose model has no price: they are missing from every sum of money."),
        stat_of(6, "Estimated", number(share, calls("outcome", "usage_source", "calls")), SHARE, decimals=1,
            about="Of the calls that were served, those whose tokens were counted here: the provider did not say."),
        stat_of(7, "Usage with flaws", number("sum(flawed) AS total", calls("flawed")),
            about="Calls whose provider's numbers contradict themselves."),
        stat_of(8, "Newest call", newest, _SECONDS, about="How long before the range's end it was made."),
    ]  # fmt: skip


def _over_time(panel: int, title: str, column: str, unit: str) -> AnyPanel:
    query = series_of(
        f"""SELECT $__timeInterval(at) AS time, host AS of_host, max({column}) AS most
{PIPELINE}
GROUP BY time, of_host
ORDER BY time, of_host"""
    )
    return lines(panel, title, query, unit, about="The most in each interval, by host.")


def _lost() -> AnyPanel:
    dropped, rejected = grown("dropped_rows"), grown("rejected_rows")
    query = series_of(
        f"""SELECT $__timeInterval(at) AS time, sum(dropped) AS lost, sum(rejected) AS refused
FROM (
SELECT at, more AS dropped, toInt64(0) AS rejected {dropped}
UNION ALL
SELECT at, toInt64(0) AS dropped, more AS rejected {rejected}
)
GROUP BY time
ORDER BY time"""
    )
    return bars(11, "Rows lost and rejected", query, about=_COUNTED)


def _shipped() -> AnyPanel:
    query = series_of(
        f"""SELECT $__timeInterval(at) AS time, host AS of_host, sum(more) AS shipped
{grown("shipped_rows")}
GROUP BY time, of_host
ORDER BY time, of_host"""
    )
    return bars(12, "Rows shipped", query, about=_COUNTED)


def _hosts() -> AnyPanel:
    query = rows_of(
        f"""SELECT host AS of_host, lag_seconds AS lag, spool_bytes AS spool, sealed_segments AS segments,
  if(is_away, 'away', 'there') AS store, workers, unsettled, at AS told_at
{LATEST_PIPELINE}
ORDER BY of_host
LIMIT 500"""
    )
    columns = {
        "of_host": text("Host"), "lag": Column("Lag", _SECONDS), "spool": Column("Spool", _BYTES),
        "segments": Column("Segments"), "store": text("ClickHouse"), "workers": Column("Workers"),
        "unsettled": Column("Unsettled calls"), "told_at": moment("Told at"),
    }  # fmt: skip
    return table_of(13, "Hosts", query, columns, about=_TOLD)


def _unpriced() -> AnyPanel:
    query = rows_of(
        f"""SELECT {named("provider")} AS provider_name, {MODEL} AS model_name, sum(unpriced) AS no_price,
  sum(calls) AS total
{spend("provider", "model", "unpriced", "calls")}
GROUP BY provider_name, model_name
HAVING no_price > 0
ORDER BY no_price DESC, provider_name, model_name
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "provider_name": text("Provider"), "model_name": text("Model"), "no_price": Column("Unpriced"),
        "total": Column("Calls"),
    }  # fmt: skip
    return table_of(14, "Models without a price", query, columns, span=12)


def _sources() -> AnyPanel:
    query = rows_of(
        f"""SELECT usage_source AS stated_by, {named("provider")} AS provider_name, sum(calls) AS total,
  sum(flawed) AS flaws, sum(cost_usd) AS spend
{calls("usage_source", "provider", "outcome", "calls", "flawed", "cost_usd")}
WHERE {_SERVED}
GROUP BY stated_by, provider_name
ORDER BY total DESC, stated_by, provider_name
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "stated_by": text("Usage stated by"), "provider_name": text("Provider"), "total": Column("Calls"),
        "flaws": Column("With flaws"), "spend": usd("Spend"),
    }  # fmt: skip
    return table_of(15, "Who says how much was used", query, columns, span=12)
