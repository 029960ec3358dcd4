"""What a dead worker left in its open segments, so that its money can be settled and its rows shipped."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from proxy.core.money import Nano, NotMoney, exact_usd
from proxy.telemetry.rows import Table
from proxy.telemetry.segments import OPEN, SEALED, segments_in, without


class _Cost(msgspec.Struct):
    """The two columns of an operation row that settling needs."""

    operation_id: str
    cost_usd: str | None = None


_DECODER: Final = msgspec.json.Decoder(_Cost)


@dataclass(frozen=True, kw_only=True, slots=True)
class SalvagedRows:
    """The operations a dead worker recorded and may not have settled, and what was cut away.

    `costs` maps an operation to what it cost; None = its row has no price. `torn_lines` counts last lines
    that were only half written, `unreadable_lines` whole lines that are not a row (they are shipped and rejected).
    """

    costs: Mapping[str, Nano | None]
    torn_lines: int
    unreadable_lines: int
    segments: tuple[Path, ...]

    def seal(self, without_rows: Collection[str] = ()) -> None:
        """Hand the segments to the collector; call it once every operation in `costs` is settled.

        `without_rows`: operations whose rows another host has written, since it settled them as lost.
        """
        for segment in self.segments:
            if without_rows:
                without(segment, without_rows)
            sealed = segment.parent.parent / SEALED
            sealed.mkdir(exist_ok=True)
            if segment.stat().st_size == 0:
                segment.unlink()
            else:
                segment.rename(sealed / segment.name)


def salvage(spool_folder: Path, worker: str) -> SalvagedRows:
    """Read the open segments of a worker that is certainly dead; the same again until `seal()` was called."""
    costs: dict[str, Nano | None] = {}
    torn = unreadable = 0
    found = sorted((str(name), name) for name, _ in segments_in(spool_folder / OPEN) if name.worker == worker)
    paths = tuple(spool_folder / OPEN / text for text, _ in found)
    for path, (_, name) in zip(paths, found, strict=True):
        lines, cut = _whole_lines(path)
        torn += cut
        if name.table is Table.OPERATIONS:
            unreadable += _read_costs(lines, costs)
    return SalvagedRows(costs=costs, torn_lines=torn, unreadable_lines=unreadable, segments=paths)


def abandoned(spool_folder: Path, alive: Collection[str]) -> tuple[str, ...]:
    """The workers that left open segments and are not among the living: each wants `salvage`."""
    return tuple(sorted({name.worker for name, _ in segments_in(spool_folder / OPEN)} - set(alive)))


def _whole_lines(path: Path) -> tuple[list[bytes], int]:
    """The whole lines of a segment; a torn last one is cut off the file."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    return content[:whole].splitlines(), int(whole < len(content))


def _read_costs(lines: list[bytes], costs: dict[str, Nano | None]) -> int:
    """Add what each operation cost; the count of lines that do not say."""
    unreadable = 0
    for line in lines:
        try:
            row = _DECODER.decode(line)
            costs[row.operation_id] = None if row.cost_usd is None else exact_usd(row.cost_usd)
        except (msgspec.DecodeError, NotMoney):
            unreadable += 1
    return unreadable
