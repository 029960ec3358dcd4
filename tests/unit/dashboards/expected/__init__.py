"""What every panel of every board must say, by the board's file and the panel's id."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.unit.dashboards.expected import (
    agents_runs,
    budgets,
    cost_overview,
    latency,
    models_prices,
    pipeline,
    policy,
    reliability,
    savings,
    teams_keys,
)
from tests.unit.dashboards.world import Rows, World

WANTED: Final[Mapping[str, Mapping[int, Callable[[World], Rows]]]] = {
    "agents-runs": agents_runs.WANTED,
    "budgets": budgets.WANTED,
    "cost-overview": cost_overview.WANTED,
    "latency": latency.WANTED,
    "models-prices": models_prices.WANTED,
    "pipeline": pipeline.WANTED,
    "policy": policy.WANTED,
    "reliability": reliability.WANTED,
    "savings": savings.WANTED,
    "teams-keys": teams_keys.WANTED,
}
