"""What every panel of every board must say, by the board's file and the panel's id."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.unit.dashboards.expected import agents_runs, cost_overview, models_prices, teams_keys
from tests.unit.dashboards.world import Rows, World

WANTED: Final[Mapping[str, Mapping[int, Callable[[World], Rows]]]] = {
    "agents-runs": agents_runs.WANTED,
    "cost-overview": cost_overview.WANTED,
    "models-prices": models_prices.WANTED,
    "teams-keys": teams_keys.WANTED,
}
