"""Every query of every board, in one place; tests run each of them on data with known totals.

The rollup holds whole quarter-hours, so a range takes in each quarter-hour that it touches. A name that is empty
is shown as "(none)", because the plugin reads an empty selection as "all". Values of variables come with backslashes
and dollar signs escaped as ClickHouse's literals do: Grafana's `singlequote` format escapes quotes only, and the
plugin would expand a macro that stands in a name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

MOST_SERIES: Final = 10
NAMELESS: Final = "(none)"
OTHERS: Final = "everything else"

# The name of each variable and the column it filters.
DIMENSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"org": "org", "team": "team", "key": "key_name", "model": "model", "provider": "provider", "agent": "agent"}
)


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel, and the shape its answer is read in."""

    sql: str
    shape: Literal["table", "timeseries"]


def _named(column: str) -> str:
    return column if column == "org" else f"if({column} = '', '{NAMELESS}', {column})"


def _filters() -> str:
    return "\n  AND ".join(
        f"$__conditionalAll({_named(column)} IN (${{{variable}:singlequote}}), ${variable})"
        for variable, column in DIMENSIONS.items()
    )


_ROLLUP: Final = f"""FROM spend_quarter_hours
WHERE quarter > $__fromTime - INTERVAL 15 MINUTE AND quarter <= $__toTime
  AND {_filters()}"""
_RAW: Final = f"""FROM operations
WHERE $__timeFilter(charged_at)
  AND {_filters()}"""

_TOKENS: Final = """sum(input_tokens + cache_read_tokens + cache_write_tokens + cache_write_1h_tokens
  + output_tokens + reasoning_tokens + audio_input_tokens + audio_output_tokens
  + image_input_tokens + image_output_tokens)"""
_INPUT: Final = "sum(input_tokens + cache_read_tokens + cache_write_tokens + cache_write_1h_tokens)"
_TEAM: Final = f"concat(org, '/', {_named('team')})"
_KEY: Final = f"concat(org, '/', {_named('team')}, '/', {_named('key_name')})"


def _number(expression: str, source: str) -> Query:
    return Query(f"SELECT {expression}\n{source}", "table")


def _spend_by(name: str, label: str) -> Query:
    return Query(
        f"""WITH dearest AS (
  SELECT {name} AS {label}
  {_ROLLUP}
  GROUP BY {label}
  ORDER BY sum(cost_usd) DESC, {label}
  LIMIT {MOST_SERIES}
)
SELECT $__timeInterval(quarter) AS time,
  if({name} IN (SELECT {label} FROM dearest), {name}, '{OTHERS}') AS {label},
  sum(cost_usd) AS spend
{_ROLLUP}
GROUP BY time, {label}
ORDER BY time, {label}""",  # noqa: S608  # names of our own columns only
        "timeseries",
    )


def _quantiles(column: str) -> Query:
    return Query(
        f"""SELECT $__timeInterval(charged_at) AS time,
  quantile(0.5)({column}) AS p50,
  quantile(0.95)({column}) AS p95
{_RAW}
  AND outcome = 'ok' AND {column} IS NOT NULL
GROUP BY time
ORDER BY time""",
        "timeseries",
    )


QUERIES: Final[Mapping[str, Query]] = MappingProxyType(
    {
        "spend": _number("sum(cost_usd) AS spend", _ROLLUP),
        "calls": _number("sum(calls) AS total", _ROLLUP),
        "tokens": _number(f"{_TOKENS} AS tokens", _ROLLUP),
        "unpriced": _number("sum(unpriced) AS no_price", _ROLLUP),
        "budget_refusals": _number("countIf(code = 'budget_exceeded') AS refused", _RAW),
        "cost_per_call": _number(
            "if(sum(calls - unpriced) = 0, NULL, sum(cost_usd) / sum(calls - unpriced)) AS per_call",
            f"{_ROLLUP}\n  AND outcome != 'refused'",
        ),
        "cache_read_share": _number(f"if({_INPUT} = 0, NULL, sum(cache_read_tokens) / {_INPUT}) AS share", _ROLLUP),
        "spend_by_model": _spend_by(_named("model"), "model_name"),
        "spend_by_team": _spend_by(_TEAM, "team_name"),
        "spend_by_key": _spend_by(_KEY, "key_path"),
        "top_keys": Query(
            f"""SELECT {_KEY} AS key_path,
  sum(cost_usd) AS spend,
  sum(calls) AS total,
  {_TOKENS} AS tokens,
  sum(unpriced) AS no_price,
  sumIf(calls, outcome = 'refused') AS refused
{_ROLLUP}
GROUP BY key_path
ORDER BY spend DESC, key_path
LIMIT 50""",
            "table",
        ),
        "errors_by_outcome": Query(
            f"""SELECT $__timeInterval(quarter) AS time, outcome AS ended, sum(calls) AS total
{_ROLLUP}
  AND outcome NOT IN ('ok', 'cached')
GROUP BY time, ended
ORDER BY time, ended""",
            "timeseries",
        ),
        "refusals_by_code": Query(
            f"""SELECT code AS refusal, count() AS total, uniqExact(org, team, key_name) AS keys
{_RAW}
  AND outcome = 'refused'
GROUP BY refusal
ORDER BY total DESC, refusal""",
            "table",
        ),
        "duration": _quantiles("duration_ms"),
        "first_token": _quantiles("ttft_ms"),
    }
)


def _choices(variable: str) -> str:
    column = DIMENSIONS[variable]
    name = _named(column)
    wider = "" if variable == "org" else "\n  AND $__conditionalAll(org IN (${org:singlequote}), $org)"
    escaped = rf"replaceAll(replaceAll({name}, '\\', '\\\\'), '$', '\\x24')"
    return f"""SELECT DISTINCT {escaped} AS id, {name} AS label
FROM spend_quarter_hours
WHERE quarter > $__fromTime - INTERVAL 15 MINUTE AND quarter <= $__toTime{wider}
ORDER BY label
LIMIT 1000"""  # noqa: S608  # names of our own columns only


VARIABLES: Final[Mapping[str, str]] = MappingProxyType({variable: _choices(variable) for variable in DIMENSIONS})
"""The query behind each variable: the value that is put into queries, then the text that is shown."""
