"""A query, and the words that several queries use for the same thing."""

from dataclasses import dataclass
from typing import Final, Literal

from dashboards.sql.names import named

OTHERS: Final = "everything else"
MOST_SERIES: Final = 10
MOST_ROWS: Final = 50

TOKEN_COLUMNS: Final = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens",
    "reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "image_input_tokens", "image_output_tokens",
)  # fmt: skip
TOKENS: Final = f"sum({' + '.join(TOKEN_COLUMNS)})"
INPUT: Final = "sum(input_tokens + cache_read_tokens + cache_write_tokens + cache_write_1h_tokens)"

TEAM: Final = f"concat(org, '/', {named('team')})"
KEY: Final = f"concat(org, '/', {named('team')}, '/', {named('key_name')})"
MODEL: Final = named("model")


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel, and the shape its answer is read in."""

    sql: str
    shape: Literal["table", "timeseries"]


def rows_of(sql: str) -> Query:
    """A query whose answer is a table, or one number."""
    return Query(sql, "table")


def series_of(sql: str) -> Query:
    """A query whose answer is one series for each text in its second column, or for each further number."""
    return Query(sql, "timeseries")


def number(expression: str, source: str) -> Query:
    """One number from a source (`FROM …`)."""
    return rows_of(f"SELECT {expression}\n{source}")
