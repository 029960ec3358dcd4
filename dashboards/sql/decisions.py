"""What policy decided."""

from typing import Final

from dashboards.sql.calls import BIN
from dashboards.sql.names import DIMENSIONS, TAG, chosen, of_calls
from dashboards.sql.sources import Source, within

_TAGGED: Final = of_calls(TAG)
_DECISIONS: Final = Source(
    days="decision_days",
    finer="decisions",
    at="r.decided_at",
    names=(
        "org", "team", "key_name", "agent", "point", "engine", "revision", "shadow", "differs", "observed", "allow",
        "code", "tool", "model", "provider",
    ),
    columns={
        "decisions": "1",
        "obliged": "r.obligations != '[]'",
        "for_approval": "r.approval_id != ''",
        "latency_us_bins": BIN.format("r.latency_us"),
    },
    filters=tuple(DIMENSIONS),
    finer_filters=_TAGGED,
)  # fmt: skip
RAW_DECISIONS: Final = "\n  AND ".join(
    ["FROM decisions AS r\nWHERE $__timeFilter(r.decided_at)", *chosen(DIMENSIONS), *_TAGGED.values()]
)
"""Decisions one by one, for what shows single decisions."""


def decisions(*columns: str) -> str:
    """`FROM (…)`: decisions, by when they were made."""
    return within(_DECISIONS, columns=columns)
