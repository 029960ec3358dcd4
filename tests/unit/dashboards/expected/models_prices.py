"""What the board "Models and price mix" must say."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from proxy.core.usage import Bucket
from proxy.telemetry.rows import AttemptRow, OperationRow, PriceRow
from tests.unit.dashboards.seed import moment
from tests.unit.dashboards.world import Rows, World, at, cost, grouped, inputs, outputs, ratio, shown, tokens, unpriced

TOOLS: Final = ("web_search", "file_search", "code_interpreter")


@dataclass(frozen=True)
class Line:
    """A line of a bill, and the request it is for."""

    of: AttemptRow
    bucket: str
    quantity: int
    usd_per_mtok: str
    usd: Decimal


def lines(world: World) -> Iterator[Line]:
    """The lines of all bills of the range."""
    for row in world.tries():
        for line in json.loads(row.price_lines):
            yield Line(row, line["bucket"], line["quantity"], line["usd_per_mtok"], Decimal(line["usd"]))


def _usd(found: list[Line]) -> float:
    return float(sum((line.usd for line in found), Decimal(0)))


def _per_mtok(rows: list[OperationRow]) -> float | None:
    return ratio(cost(rows) * 1_000_000, tokens(rows))


def _writes(world: World) -> Rows:
    return [[ratio(sum(row.cache_write_tokens for row in world.spend()), inputs(world.spend()))]]


def _thought(rows: list[OperationRow]) -> float | None:
    return ratio(sum(row.reasoning_tokens for row in rows), outputs(rows))


def _reads(rows: list[OperationRow]) -> float | None:
    return ratio(sum(row.cache_read_tokens for row in rows), inputs(rows))


def _by_kind(world: World) -> Rows:
    cells = grouped(lines(world), lambda line: (world.bucket(moment(line.of.started_at)), line.bucket))
    return [[*cell, _usd(found)] for cell, found in sorted(cells.items())]


def _tokens(world: World) -> Rows:
    cells = grouped(world.spend(), lambda row: world.local_bucket(at(row)))
    return [
        [when, *(sum(getattr(row, f"{bucket.value}_tokens") for row in rows) for bucket in Bucket)]
        for when, rows in sorted(cells.items())
    ]


def _models(world: World) -> Rows:
    groups = grouped(world.spend(), lambda row: (shown(row.model), shown(row.provider)))
    ordered = sorted(groups.items(), key=lambda pair: (-cost(pair[1]), [name.encode() for name in pair[0]]))
    return [
        [*names, len(rows), tokens(rows), cost(rows), _per_mtok(rows), _reads(rows), _thought(rows), unpriced(rows)]
        for names, rows in ordered[:50]
    ]


def _others(world: World) -> Rows:
    rows = [row for row in world.calls() if row.outcome != "refused" and row.requested_model != row.model]
    groups = grouped(rows, lambda row: (shown(row.requested_model), shown(row.model)))
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), [name.encode() for name in pair[0]]))
    return [[*names, len(own), cost(own)] for names, own in ordered]


def _tiers(world: World) -> Rows:
    groups = grouped([row for row in world.calls() if row.outcome != "refused"], lambda row: shown(row.service_tier))
    ordered = sorted(groups.items(), key=lambda pair: (-cost(pair[1]), pair[0]))
    return [[name, len(rows), tokens(rows), cost(rows), _per_mtok(rows)] for name, rows in ordered]


def _prices(world: World) -> Rows:
    groups = grouped(
        lines(world),
        lambda line: (
            shown(line.of.provider), shown(line.of.model), line.bucket, line.usd_per_mtok,
            shown(line.of.price_version), shown(line.of.price_source),
        ),
    )  # fmt: skip
    ordered = sorted(groups.items(), key=lambda pair: (-_usd(pair[1]), [name.encode() for name in pair[0]]))
    return [[*names, sum(line.quantity for line in found), _usd(found)] for names, found in ordered[:200]]


def _tools(world: World) -> Rows:
    billed = [line for line in lines(world) if line.bucket in TOOLS]
    groups = grouped(billed, lambda line: (line.bucket, shown(line.of.model)))
    ordered = sorted(groups.items(), key=lambda pair: (-_usd(pair[1]), [name.encode() for name in pair[0]]))
    return [[*names, sum(line.quantity for line in found), _usd(found)] for names, found in ordered]


def _book(world: World) -> Rows:
    used = {row.model for row in world.spend()}
    found: dict[tuple[bool, str, str], PriceRow] = {}
    for row in world.price_book:
        if row.version == "new" and row.since <= f"{world.end:%F}" and used & {row.model, *row.also}:
            key = (row.origin == "book", row.provider or "*", row.model)
            if key not in found or row.since >= found[key].since:
                found[key] = row
    ordered = sorted(found.items(), key=lambda pair: (pair[0][0], pair[0][1].encode(), pair[0][2].encode()))
    return [
        [key[1], row.model, row.origin, row.since, *map(_rate, (row.input_usd_per_mtok, row.cache_read_usd_per_mtok,
            row.cache_write_usd_per_mtok, row.output_usd_per_mtok, row.reasoning_usd_per_mtok, row.multiplier)),
            row.source]
        for key, row in ordered
    ]  # fmt: skip


def _rate(told: str | None) -> float | None:
    return None if told is None else float(told)


WANTED: Final[Mapping[int, Callable[[World], Rows]]] = {
    1: lambda world: [[_per_mtok(world.spend())]],
    2: lambda world: [[_reads(world.spend())]],
    3: _writes,
    4: lambda world: [[_thought(world.spend())]],
    5: lambda world: [[_usd([line for line in lines(world) if line.bucket in TOOLS])]],
    6: _by_kind,
    7: _tokens,
    8: _models,
    9: _others,
    10: _tiers,
    11: _prices,
    12: _tools,
    13: _book,
}
