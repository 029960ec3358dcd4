"""The boards, one in a file: each panel with its query."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.boards.agents_runs import agents_runs
from dashboards.boards.budgets import budgets
from dashboards.boards.cost_overview import cost_overview
from dashboards.boards.latency import latency
from dashboards.boards.models_prices import models_prices
from dashboards.boards.pipeline import pipeline
from dashboards.boards.policy import policy
from dashboards.boards.reliability import reliability
from dashboards.boards.savings import savings
from dashboards.boards.teams_keys import teams_keys

BOARDS: Final[Mapping[str, Callable[[], Dashboard]]] = MappingProxyType(
    {
        "agents-runs": agents_runs,
        "budgets": budgets,
        "cost-overview": cost_overview,
        "latency": latency,
        "models-prices": models_prices,
        "pipeline": pipeline,
        "policy": policy,
        "reliability": reliability,
        "savings": savings,
        "teams-keys": teams_keys,
    }
)
"""What makes each board, by the name of its file."""

__all__ = ["BOARDS"]
