"""The boards, one in a file: each panel with its query."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.boards.cost_overview import cost_overview

BOARDS: Final[Mapping[str, Callable[[], Dashboard]]] = MappingProxyType({"cost-overview": cost_overview})
"""What makes each board, by the name of its file."""

__all__ = ["BOARDS"]
