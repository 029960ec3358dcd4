"""Sums of what was spent, by the place that a line of a statement stands for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from proxy.core.money import ZERO, Nano


class Place(NamedTuple):
    """Who is charged for what: one line of a team's statement."""

    team: str
    cost_center: str
    key: str
    provider: str
    model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """What one place came to. `recorded` is the sum of the calls' own cost, `corrected` of the reprices since."""

    calls: int = 0
    unpriced: int = 0
    recorded: Nano = ZERO
    corrected: Nano = ZERO
    listed: Nano = ZERO
    tokens: Mapping[str, int] = field(default_factory=dict)

    @property
    def cost(self) -> Nano:
        """What is charged for it."""
        return Nano(self.recorded + self.corrected)
