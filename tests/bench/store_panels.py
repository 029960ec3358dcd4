"""What the spend API and the boards ask over 30 days, by the rollup that answers it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from proxy.telemetry.spend import Select, SpendBucket, SpendQuery, select_spend

_DAYS: Final = "day BETWEEN toDate('2026-10-01') AND toDate('2026-10-31')"
_QUANTILES: Final = (
    "pow(1.05, quantileExactWeighted(0.5)(bin, n)) AS p50, pow(1.05, quantileExactWeighted(0.95)(bin, n)) AS p95"
)


def _histogram(column: str, where: str = "1") -> str:
    return (
        f"SELECT day, {_QUANTILES} FROM (SELECT day, bin, sum(c) AS n FROM latency_days"
        f" ARRAY JOIN mapKeys({column}) AS bin, mapValues({column}) AS c WHERE {_DAYS} AND {where}"
        " GROUP BY day, bin) GROUP BY day ORDER BY day"
    )


def _spend(bucket: SpendBucket, name: str, timezone: str = "UTC") -> Select:
    span = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC))
    return select_spend(
        SpendQuery(
            org=None, start=span[0], end=span[1], bucket=bucket, timezone=timezone, group_by=(name,), limit=100_000
        )
    )


ASKED: Final[Mapping[str, Select]] = MappingProxyType(
    {
        "/spend: days of Berlin, by model": _spend("day", "model", "Europe/Berlin"),
        "/spend: days of Kathmandu, by model": _spend("day", "model", "Asia/Kathmandu"),
        "/spend: days of Kiritimati (+14), by model": _spend("day", "model", "Pacific/Kiritimati"),
        "/spend: a month of Berlin, by key": _spend("month", "key", "Europe/Berlin"),
        "/spend: hours, by team": _spend("hour", "team"),
    }
)
PANELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "chargeback: team, key, cost center": "SELECT org, team, key_name, cost_center, sum(cost_usd) AS spend,"
        f" sum(calls) FROM spend_days WHERE {_DAYS} GROUP BY ALL ORDER BY spend DESC LIMIT 500",
        "refusals by budget": "SELECT refused_by, code, sum(calls) AS refused"
        f" FROM call_days WHERE {_DAYS} AND outcome = 'refused' GROUP BY ALL ORDER BY refused DESC",
        "token mix by model and tier": "SELECT model, service_tier, sum(input_tokens), sum(cache_read_tokens),"
        " sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens), sum(cost_usd)"
        f" FROM call_days WHERE {_DAYS} GROUP BY ALL",
        "errors by whose fault": "SELECT day, provider, outcome, status, error, sum(calls)"
        f" FROM call_days WHERE {_DAYS} AND outcome NOT IN ('ok', 'cached') GROUP BY ALL ORDER BY day",
        "runs: cost and calls of one": "SELECT day, agent, sum(cost_usd) / uniqExact(run), sum(calls) / uniqExact(run)"
        f" FROM run_days WHERE {_DAYS} GROUP BY ALL ORDER BY day",
        "dearest runs": "SELECT org, run, sum(cost_usd) AS spend, sum(calls)"
        f" FROM run_days WHERE {_DAYS} GROUP BY ALL ORDER BY spend DESC LIMIT 50",
        "spend by tag": "SELECT day, value, sum(cost_usd)"
        f" FROM tag_days WHERE {_DAYS} AND tag = 'feature' GROUP BY ALL ORDER BY day",
        "duration p50, p95": _histogram("duration_bins", "outcome = 'ok'"),
        "first token p50, p95": _histogram("ttft_bins", "streamed"),
        "tokens a second p50, p95": _histogram("rate_bins"),
        "overhead p50, p95 of one org": _histogram("overhead_bins", "org = 'org-1'"),
        "overhead by stage": "SELECT stage, sum(us) FROM latency_days"
        " ARRAY JOIN mapKeys(stages_us) AS stage, mapValues(stages_us) AS us"
        f" WHERE {_DAYS} GROUP BY stage",
    }
)
