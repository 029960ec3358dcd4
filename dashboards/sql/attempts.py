"""What was asked of providers, and the lines of the bills for it."""

from collections.abc import Sequence
from typing import Final

from dashboards.sql.calls import BIN, MONEY
from dashboards.sql.names import TAG, of_calls
from dashboards.sql.query import TOKEN_COLUMNS
from dashboards.sql.sources import IS_LONG, Source, within

_FILTERS: Final = ("org", "team", "key", "model", "provider")
_NAMES: Final = (
    "org", "team", "key_name", "provider", "sent_model", "model", "endpoint", "purpose", "streamed", "outcome",
    "status", "error", "service_tier", *TOKEN_COLUMNS,
)  # fmt: skip
_ATTEMPTS: Final = Source(
    days="attempt_days",
    finer="attempts",
    at="r.started_at",
    names=_NAMES,
    columns={
        "attempts": "1",
        "told_to_wait": "r.retry_after_s IS NOT NULL",
        "cost_usd": MONEY.format("cost_usd"),
        "duration_bins": BIN.format("r.duration_ms"),
    },
    filters=_FILTERS,
    finer_filters=of_calls("agent", TAG),
)
_LINES: Final = Source(
    days="price_line_days",
    finer="attempts",
    at="r.started_at",
    names=("org", "team", "key_name", "provider", "model", "purpose", "service_tier", "price_version", "price_source"),
    columns={
        "bucket": "line.1",
        "quantity": "line.2",
        "usd_per_mtok": "line.3",
        "usd": "toDecimal256(line.4, 34)",
    },
    filters=_FILTERS,
    finer_filters=of_calls("agent", TAG),
    unfolded=" ARRAY JOIN JSONExtract(r.price_lines,"
    " 'Array(Tuple(bucket String, quantity UInt64, usd_per_mtok String, usd String))') AS line",
)


def attempts(*columns: str) -> str:
    """`FROM (…)`: requests to providers, by when they began."""
    return within(_ATTEMPTS, columns=columns)


def price_lines(*columns: str, whole: Sequence[str] = (IS_LONG,)) -> str:
    """`FROM (…)`: unrounded lines of bills, by when their requests began."""
    return within(_LINES, columns=columns, whole=whole)
