"""The board "Latency and streams": how long calls take, how fast answers flow, and what Flyball itself adds."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import AnyPanel, Section, board
from dashboards.panels import MILLIS, SHARE, Column, bars, lines, stat_of, table_of, text
from dashboards.sql.calls import BINS_ABOUT, BUCKET, by_bin, calls, latencies, quantile, quantiles
from dashboards.sql.names import named
from dashboards.sql.query import MODEL, MOST_ROWS, Query, number, rows_of, series_of

_RATE: Final = "short"
_GOOD: Final = "\nWHERE outcome = 'ok'"
_STREAMS: Final = f"Streams that showed a first token. {BINS_ABOUT}"
_RATES: Final = f"Tokens a second after the first one, of streams. {BINS_ABOUT}"
_OVERHEAD: Final = f"The time that Flyball itself took for a call, all stages. {BINS_ABOUT}"


def latency() -> Dashboard:
    """The whole board."""
    return board(
        "latency",
        "latency and streams",
        [
            Section(100, "In this range", _headline()),
            Section(101, "Over time", [
                lines(9, "Duration of good calls", _over_time("duration_bins"), MILLIS, about=BINS_ABOUT),
                lines(10, "Time to first token", _over_time("ttft_bins"), MILLIS, about=_STREAMS),
                lines(11, "Tokens per second", _over_time("rate_bins"), _RATE, about=_RATES),
                lines(12, "Overhead of Flyball", _over_time("overhead_bins"), MILLIS, about=_OVERHEAD),
            ]),
            Section(102, "By model and by stage", [_models(), _stages_over_time(), _stages()]),
        ],
    )  # fmt: skip


def _headline() -> list[AnyPanel]:
    streamed = "if(sum(calls) = 0, NULL, sumIf(calls, streamed) / sum(calls)) AS share"
    streams = "sumIf(calls, streamed)"
    left = f"if({streams} = 0, NULL, sumIf(calls, streamed AND outcome = 'cancelled') / {streams}) AS share"
    return [
        stat_of(1, "Duration, median", _whole(0.5, "duration_bins"), MILLIS, decimals=0, about=BINS_ABOUT),
        stat_of(2, "Duration, p95", _whole(0.95, "duration_bins"), MILLIS, decimals=0, about=BINS_ABOUT),
        stat_of(3, "First token, median", _whole(0.5, "ttft_bins"), MILLIS, decimals=0, about=_STREAMS),
        stat_of(4, "First token, p95", _whole(0.95, "ttft_bins"), MILLIS, decimals=0, about=_STREAMS),
        stat_of(5, "Tokens per second, median", _whole(0.5, "rate_bins"), _RATE, decimals=0, about=_RATES),
        stat_of(6, "Overhead, p95", _whole(0.95, "overhead_bins"), MILLIS, decimals=2, about=_OVERHEAD),
        stat_of(7, "Streamed", number(streamed, calls("streamed", "calls")), SHARE, decimals=1),
        stat_of(8, "Streams that clients left", number(left, calls("streamed", "outcome", "calls")), SHARE, decimals=1),
    ]  # fmt: skip


def _whole(level: float, bins: str) -> Query:
    return number(f"{quantile(level, bins)} AS at_level", latencies("outcome", bins) + _GOOD)


def _over_time(bins: str) -> Query:
    return series_of(
        f"""WITH {quantiles(0.5, 0.95, 0.99)} AS q
SELECT {BUCKET} AS time, q[1] AS p50, q[2] AS p95, q[3] AS p99
{latencies("outcome", bins)}
{by_bin(bins)}{_GOOD}
GROUP BY time
ORDER BY time"""
    )


def _models() -> AnyPanel:
    query = rows_of(
        f"""SELECT {MODEL} AS model_name, {named("provider")} AS provider_name, sum(calls) AS total,
  {quantile(0.5, "duration_bins")} AS duration_50, {quantile(0.95, "duration_bins")} AS duration_95,
  {quantile(0.5, "ttft_bins")} AS first_50, {quantile(0.95, "ttft_bins")} AS first_95,
  {quantile(0.5, "rate_bins")} AS rate_50,
  if(sum(generating_us) = 0, NULL, sum(generated_tokens) * 1000000 / sum(generating_us)) AS rate_mean
{
            latencies(
                "model",
                "provider",
                "outcome",
                "calls",
                "duration_bins",
                "ttft_bins",
                "rate_bins",
                "generated_tokens",
                "generating_us",
            )
        }{_GOOD}
GROUP BY model_name, provider_name
ORDER BY total DESC, model_name, provider_name
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "model_name": text("Model"), "provider_name": text("Provider"), "total": Column("Good calls"),
        "duration_50": Column("Duration, median", MILLIS), "duration_95": Column("Duration, p95", MILLIS),
        "first_50": Column("First token, median", MILLIS), "first_95": Column("First token, p95", MILLIS),
        "rate_50": Column("Tokens/s, median", _RATE), "rate_mean": Column("Tokens/s, all in all", _RATE),
    }  # fmt: skip
    return table_of(13, "Models", query, columns, about=BINS_ABOUT)


def _stages_over_time() -> AnyPanel:
    query = series_of(
        f"""SELECT time, stage, us / 1000 / made AS per_call
FROM (
SELECT {BUCKET} AS time, sum(calls) AS made, sumMap(stages_us) AS stages
{latencies("calls", "stages_us")}
GROUP BY time
)
ARRAY JOIN mapKeys(stages) AS stage, mapValues(stages) AS us
ORDER BY time, stage"""
    )
    return bars(14, "Where the time goes, per call", query, MILLIS, about="All calls, by stage of the journey.")


def _stages() -> AnyPanel:
    query = rows_of(
        f"""SELECT stage, us / 1000 AS spent, spent / made AS per_call,
  if(sum(spent) OVER () = 0, NULL, spent / sum(spent) OVER ()) AS share
FROM (
SELECT sum(calls) AS made, sumMap(stages_us) AS stages
{latencies("calls", "stages_us")}
)
ARRAY JOIN mapKeys(stages) AS stage, mapValues(stages) AS us
ORDER BY spent DESC, stage"""
    )
    columns = {
        "stage": text("Stage"), "spent": Column("In all", MILLIS), "per_call": Column("Per call", MILLIS),
        "share": Column("Share", SHARE),
    }  # fmt: skip
    return table_of(15, "Stages", query, columns, span=12)
