"""What every panel of every board must say, by the board's file and the panel's id."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.unit.dashboards.expected import cost_overview
from tests.unit.dashboards.world import Rows, World

WANTED: Final[Mapping[str, Mapping[int, Callable[[World], Rows]]]] = {"cost-overview": cost_overview.WANTED}
