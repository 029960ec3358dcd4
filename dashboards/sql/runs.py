"""Runs of agents."""

from typing import Final

from dashboards.sql.calls import MONEY
from dashboards.sql.names import TAG, TAGGED, chosen
from dashboards.sql.sources import Source, within

_OF_CALLS: Final = dict(zip(("model", "provider"), chosen(("model", "provider")), strict=True))
_RUNS: Final = Source(
    days="run_days",
    finer="operations",
    at="r.charged_at",
    names=("org", "team", "key_name", "agent", "run", "tool_calls"),
    columns={
        "calls": "1",
        "refused": "r.outcome = 'refused'",
        "failed": "r.outcome IN ('upstream_error', 'truncated', 'lost')",
        "cost_usd": MONEY.format("cost_usd"),
        "first_at": "r.charged_at",
        "last_at": "r.finished_at",
    },
    filters=("org", "team", "key", "agent"),
    finer_filters={**_OF_CALLS, TAG: TAGGED},
    guard=("r.run != ''",),
)

A_RUN: Final = "(org, team, key_name, run)"
"""A run is of one key: two keys may call theirs the same."""


def runs(*columns: str) -> str:
    """`FROM (…)`: calls that are of a run, summed up by run."""
    return within(_RUNS, columns=columns)
