"""What a dead worker left in its open segments, so that its money can be settled and its rows shipped."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from proxy.core.money import Nano, NotMoney, exact_usd
from proxy.core.usage import INPUT_BUCKETS, OUTPUT_BUCKETS
from proxy.telemetry.rows import Table, Tokens
from proxy.telemetry.segments import OPEN, SEALED, SegmentName, segments_in, without


class _Taken(Tokens, kw_only=True):
    """The columns of an operation row that settling needs."""

    operation_id: str
    cost_usd: str | None = None
    tool_calls: int = 0
    tool_fees: dict[str, int] = msgspec.field(default_factory=dict)
    attempts: int = 0
    error: str = ""


class Recorded(NamedTuple):
    """What an operation took by its row. `cost` None: it has no price. `reached`: a provider got it."""

    cost: Nano | None
    input_tokens: int
    output_tokens: int
    tool_calls: int
    reached: bool


_DECODER: Final = msgspec.json.Decoder(_Taken)


@dataclass(frozen=True, kw_only=True, slots=True)
class SalvagedRows:
    """The operations a dead worker recorded and may not have settled, and what was cut away.

    `rows` maps an operation to what it took. `torn_lines` counts last lines
    that were only half written, `unreadable_lines` whole lines that are not a row (they are shipped and rejected).
    """

    rows: Mapping[str, Recorded]
    torn_lines: int
    unreadable_lines: int
    segments: tuple[Path, ...]

    def seal(self, without_rows: Collection[str] = ()) -> None:
        """Hand the segments to the collector; call it once every operation in `rows` is settled.

        `without_rows`: operations whose rows another host has written, since it settled them as lost. What policy
        decided for them was asked here only, and stays.
        """
        for segment in self.segments:
            name = SegmentName.parse(segment.name)
            if without_rows and name is not None and name.table is not Table.DECISIONS:
                without(segment, without_rows)
            sealed = segment.parent.parent / SEALED
            sealed.mkdir(exist_ok=True)
            if segment.stat().st_size == 0:
                segment.unlink()
            else:
                segment.rename(sealed / segment.name)


def salvage(spool_folder: Path, worker: str) -> SalvagedRows:
    """Read the open segments of a worker that is certainly dead; the same again until `seal()` was called."""
    rows: dict[str, Recorded] = {}
    torn = unreadable = 0
    found = sorted((str(name), name) for name, _ in segments_in(spool_folder / OPEN) if name.worker == worker)
    paths = tuple(spool_folder / OPEN / text for text, _ in found)
    for path, (_, name) in zip(paths, found, strict=True):
        lines, cut = _whole_lines(path)
        torn += cut
        if name.table is Table.OPERATIONS:
            unreadable += _read_rows(lines, rows)
    return SalvagedRows(rows=rows, torn_lines=torn, unreadable_lines=unreadable, segments=paths)


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


def _read_rows(lines: list[bytes], rows: dict[str, Recorded]) -> int:
    """Add what each operation took; the count of lines that do not say."""
    unreadable = 0
    for line in lines:
        try:
            row = _DECODER.decode(line)
            rows[row.operation_id] = _recorded(row)
        except (msgspec.DecodeError, NotMoney):
            unreadable += 1
    return unreadable


def _recorded(row: _Taken) -> Recorded:
    return Recorded(
        cost=None if row.cost_usd is None else exact_usd(row.cost_usd),
        input_tokens=sum(getattr(row, f"{bucket.value}_tokens") for bucket in INPUT_BUCKETS),
        output_tokens=sum(getattr(row, f"{bucket.value}_tokens") for bucket in OUTPUT_BUCKETS),
        tool_calls=row.tool_calls + sum(row.tool_fees.values()),
        reached=row.attempts > 0 and not row.error.endswith("(not sent)"),
    )
