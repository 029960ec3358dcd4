"""Cells of spend gathered into what the spend page shows: names by rank, amounts by slot, totals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from proxy.admin.console.chart import Series
from proxy.admin.console.readings import SpendCell
from proxy.core.money import ZERO, Nano

MOST_COLOURS: Final = 8
MOST_ROWS: Final = 50
OTHER: Final = "Everything else"
NAMELESS: Final = "(none)"


@dataclass(slots=True)
class Sum:
    """What one name, or all of them, came to."""

    name: str
    cost: Nano = ZERO
    calls: int = 0
    unpriced: int = 0
    refused: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0

    def add(self, cell: SpendCell) -> None:
        """Count one cell in."""
        self.cost = Nano(self.cost + cell.cost)
        self.calls += cell.calls
        self.unpriced += cell.unpriced
        self.refused += cell.refused
        self.input_tokens += cell.input_tokens
        self.cache_read_tokens += cell.cache_read_tokens
        self.output_tokens += cell.output_tokens

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.cache_read_tokens + self.output_tokens


def total(cells: Iterable[SpendCell]) -> Sum:
    """All cells in one sum."""
    whole = Sum("Total")
    for cell in cells:
        whole.add(cell)
    return whole


def ranked(cells: Iterable[SpendCell]) -> list[Sum]:
    """One sum per name, the dearest first, equals by calls and then by name."""
    sums: dict[str, Sum] = {}
    for cell in cells:
        sums.setdefault(cell.name, Sum(cell.name)).add(cell)
    return sorted(sums.values(), key=lambda one: (-one.cost, -one.calls, one.name))


def colour(rank: int) -> str:
    """The colour class of the name at this rank."""
    return f"c{rank}" if rank < MOST_COLOURS else "rest"


def series(cells: Sequence[SpendCell], order: Sequence[Sum], slots: Sequence[datetime]) -> list[Series]:
    """Amounts per slot for the dearest names, and one series for everybody else."""
    place = {slot: index for index, slot in enumerate(slots)}
    rank = {one.name: min(index, MOST_COLOURS) for index, one in enumerate(order)}
    rows = [[0] * len(slots) for _ in range(min(len(order), MOST_COLOURS + 1))]
    for cell in cells:
        if cell.slot in place:
            rows[rank[cell.name]][place[cell.slot]] += cell.cost
    return [
        Series(shown(order[index].name) if index < MOST_COLOURS else OTHER, colour(index), [Nano(each) for each in row])
        for index, row in enumerate(rows)
    ]


def shown(name: str) -> str:
    """A name as it is shown; calls without one are said to have none."""
    return name or NAMELESS
