"""How budgets and telemetry stood, as it was told from time to time."""

from typing import Final

from dashboards.sql.names import chosen

BUDGETS: Final = "\n  AND ".join(["FROM budget_states AS r\nWHERE $__timeFilter(r.at)", *chosen(("org",))])
PIPELINE: Final = "FROM pipeline_states AS r\nWHERE $__timeFilter(r.at)"

LATEST_BUDGETS: Final = f"FROM (\nSELECT *\n{BUDGETS}\nORDER BY r.at DESC\nLIMIT 1 BY r.org, r.name\n)"
"""Each budget as it was told last."""

LATEST_PIPELINE: Final = f"FROM (\nSELECT *\n{PIPELINE}\nORDER BY r.at DESC\nLIMIT 1 BY r.host\n)"
"""Each host's telemetry as it was told last."""

USED: Final = "if(limit_amount = 0, NULL, toFloat64(spent + held) / toFloat64(limit_amount))"


def grown(counter: str) -> str:
    """`FROM (…)`: by how much a counter grew from one telling of a host to the next, from zero where it began anew."""
    frame = "PARTITION BY host ORDER BY r.at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW"
    now = f"toInt64({counter})"
    return f"""FROM (
SELECT at, host, if(counted >= before, counted - before, counted) AS more
FROM (
SELECT r.at AS at, host, {now} AS counted, lagInFrame({now}, 1, {now}) OVER ({frame}) AS before
{PIPELINE}
)
)"""
