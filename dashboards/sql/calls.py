"""Calls, how they went, and how long they took."""

from collections.abc import Mapping, Sequence
from typing import Final

from dashboards.sql.names import DIMENSIONS, TAG, TAGGED, chosen
from dashboards.sql.query import TOKEN_COLUMNS
from dashboards.sql.sources import END, IS_LONG, START, Source, within

MONEY: Final = "toDecimal128(ifNull(r.{0}, 0), 9)"
_CALL_NAMES: Final = (
    "org", "team", "key_name", "cost_center", "agent", "requested_model", "model", "provider", "route", "endpoint",
    "streamed", "outcome", "code", "refused_by", "would_code", "would_by", "ladder", "status", "error",
    "finish_reason", "service_tier", "price_version", "price_source", "usage_source", "attempts", "tool_calls",
    *TOKEN_COLUMNS,
)  # fmt: skip
FROM_A_CALL: Final[Mapping[str, str]] = {
    "calls": "1",
    "unpriced": "r.cost_usd IS NULL AND r.outcome NOT IN ('refused', 'cached')",
    "cost_usd": MONEY.format("cost_usd"),
    "list_usd": MONEY.format("list_usd"),
}
"""What a call brings to each sum that spend has too."""
_CALLS: Final = Source(
    days="call_days",
    finer="operations",
    at="r.charged_at",
    names=_CALL_NAMES,
    columns={
        **FROM_A_CALL,
        "retried": "r.attempts > 1",
        "tool_fees": "arraySum(mapValues(r.tool_fees))",
        "flawed": "notEmpty(r.usage_flaws)",
        "clamped": "r.clamped_to > 0",
        "overrun_usd": MONEY.format("overrun_usd"),
    },
    filters=tuple(DIMENSIONS),
    finer_filters={TAG: TAGGED},
)

# The bin of a histogram that a value lies in, as in the rollups: bins of 5 %, each named by the power of 1.05.
BIN: Final = "map(toInt16(round(log(greatest({0}, 0.001)) / log(1.05))), toUInt64(1))"
MICROS: Final = "toUInt64(round(greatest({0}, 0) * 1000))"
_RATE: Final = "1000 * (r.output_tokens + r.reasoning_tokens) / (r.duration_ms - ifNull(r.ttft_ms, 0))"
_EMPTY: Final = "CAST(map(), 'Map(Int16, UInt64)')"
# As rows have them, and as older rows do: never both.
_STAGES_MS: Final = f"mapApply((stage, spent) -> (toString(stage), {MICROS.format('spent')}), r.stages_ms)"
_KEPT: Final = (
    "identity", "read", "findings", "policy", "estimate", "hold", "throttle", "approval", "dispatch", "relay", "settle",
)  # fmt: skip
_UPSTREAM: Final = (
    "if(r.stages_us.beside_upstream = 0, 0,"
    " toUInt64(greatest(round(r.duration_ms * 1000) - r.stages_us.beside_upstream, 0)))"
)
_STAGES_US: Final = (
    f"if(empty(r.stages_ms), map('upstream', toUInt64({_UPSTREAM}), "
    + ", ".join(f"'{stage}', r.stages_us.{stage}" for stage in _KEPT)
    + "), map())"
)
_TIMES: Final[Mapping[str, str]] = {
    "calls": "1",
    "duration_us": MICROS.format("r.duration_ms"),
    "duration_bins": BIN.format("r.duration_ms"),
    "overhead_us": MICROS.format("r.overhead_ms"),
    "overhead_bins": BIN.format("r.overhead_ms"),
    "ttft_calls": "r.ttft_ms IS NOT NULL",
    "ttft_us": MICROS.format("ifNull(r.ttft_ms, 0)"),
    "ttft_bins": f"if(r.ttft_ms IS NULL, {_EMPTY}, {BIN.format('ifNull(r.ttft_ms, 0)')})",
    "generated_tokens": "if(r.duration_ms > r.ttft_ms, r.output_tokens + r.reasoning_tokens, 0)",
    "generating_us": f"if(r.duration_ms > r.ttft_ms, {MICROS.format('r.duration_ms - ifNull(r.ttft_ms, 0)')}, 0)",
    "rate_bins": "if(r.duration_ms > r.ttft_ms AND r.output_tokens + r.reasoning_tokens > 0,"
    f" {BIN.format(_RATE)}, {_EMPTY})",
    "stages_us": f"mapFilter((stage, spent) -> spent > 0, mapConcat({_STAGES_MS}, {_STAGES_US}))",
}  # fmt: skip
_LATENCIES: Final = Source(
    days="latency_days",
    finer="operations",
    at="r.charged_at",
    names=("org", "team", "key_name", "agent", "model", "provider", "streamed", "outcome"),
    columns=_TIMES,
    filters=tuple(DIMENSIONS),
    finer_filters={TAG: TAGGED},
)

BINS_ABOUT: Final = "At most 2.5 % off: calls are counted in bins."

BUCKET: Final = f"if({IS_LONG}, toDateTime(toDate(at), 'UTC'), $__timeInterval(at))"
"""When it was: the panel's interval, whole UTC days in ranges that sums of days answer."""

RAW: Final = "\n  AND ".join(["FROM operations AS r\nWHERE $__timeFilter(r.charged_at)", *chosen(DIMENSIONS), TAGGED])
"""Calls one by one, for what shows single calls."""


def calls(*columns: str, start: str = START, end: str = END, whole: Sequence[str] = (IS_LONG,)) -> str:
    """`FROM (…)`: calls, to the second."""
    return within(_CALLS, columns=columns, start=start, end=end, whole=whole)


def latencies(*columns: str) -> str:
    """`FROM (…)`: how long calls took, summed up and in bins."""
    return within(_LATENCIES, columns=columns)


def quantiles(*levels: float) -> str:
    """A list of the quantiles of what `by_bin` gives, at most 2.5 % off; of ones where nothing is in the bins."""
    told = ", ".join(str(level) for level in levels)
    return f"arrayMap(bin -> pow(1.05, bin), quantilesExactWeighted({told})(bin, weight))"


def by_bin(bins: str) -> str:
    """What `quantiles` reads: a row for each bin."""
    return f"ARRAY JOIN mapKeys({bins}) AS bin, mapValues({bins}) AS weight"


def quantile(level: float, bins: str) -> str:
    """The quantile of a column of bins, at most 2.5 % off; NULL where nothing is in the bins."""
    summed = f"sumMap({bins})"
    reduced = f"arrayReduce('quantileExactWeighted({level})', mapKeys({summed}), mapValues({summed}))"
    return f"if(empty({summed}), NULL, pow(1.05, {reduced}))"
