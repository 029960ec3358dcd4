"""The answer about spend as lines of the chart: the dearest names in a colour each, everything else in one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from proxy.admin.console.chart import Series
from proxy.admin.console.readings import SpendSeen
from proxy.core.money import ZERO, Nano

MOST_COLOURS: Final = 8
MOST_ROWS: Final = 50
OTHER: Final = "Everything else"
NAMELESS: Final = "(none)"


def colour(rank: int) -> str:
    """The colour class of the name at this rank."""
    return f"c{rank}" if rank < MOST_COLOURS else "rest"


def lines(seen: SpendSeen, slots: Sequence[datetime]) -> list[Series]:
    """Amounts per slot for the dearest names, and one line for what all the others spent, if they did."""
    names = [one.name for one in seen.names[:MOST_COLOURS] if one.name in seen.series]
    drawn = [Series(shown(name), colour(rank), _at(seen.series[name], slots)) for rank, name in enumerate(names)]
    told = [sum(line.amounts[index] for line in drawn) for index in range(len(slots))]
    rest = [Nano(max(0, whole - part)) for whole, part in zip(_at(seen.slots, slots), told, strict=True)]
    return [*drawn, Series(OTHER, "rest", rest)] if any(rest) else drawn


def shown(name: str) -> str:
    """A name as it is shown; calls without one are said to have none."""
    return name or NAMELESS


def _at(amounts: Mapping[datetime, Nano], slots: Sequence[datetime]) -> list[Nano]:
    return [amounts.get(slot, ZERO) for slot in slots]
