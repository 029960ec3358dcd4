"""What the board "Cache and routing savings" must say."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from tests.unit.dashboards.expected.models_prices import Line, lines
from tests.unit.dashboards.seed import moment
from tests.unit.dashboards.world import Rows, World, at, cost, grouped, inputs, ratio, shown, tokens

Rates = dict[tuple[str, str], Decimal]


def _rates(world: World) -> Rates:
    """The lowest price of a token of uncached input, by provider and model."""
    found = grouped(
        [line for line in lines(world) if line.bucket == "input"], lambda line: (line.of.provider, line.of.model)
    )
    return {names: min(Decimal(line.usd_per_mtok) for line in own) / 1_000_000 for names, own in found.items()}


def _cached(world: World, rates: Rates) -> list[Line]:
    kinds = ("cache_read", "cache_write", "cache_write_1h")
    return [line for line in lines(world) if line.bucket in kinds and (line.of.provider, line.of.model) in rates]


def _uncached(found: list[Line], rates: Rates) -> Decimal:
    return sum((line.quantity * rates[line.of.provider, line.of.model] for line in found), Decimal(0))


def _paid(found: list[Line]) -> Decimal:
    return sum((line.usd for line in found), Decimal(0))


def _saved(world: World) -> Rows:
    rates = _rates(world)
    found = _cached(world, rates)
    return [[float(_uncached(found, rates) - _paid(found))]]


def _over_time(world: World) -> Rows:
    rates = _rates(world)
    cells = grouped(
        _cached(world, rates), lambda line: (world.bucket(moment(line.of.started_at)), shown(line.of.model))
    )
    ordered = sorted(cells.items(), key=lambda pair: [part.encode() for part in pair[0]])
    return [[*cell, float(_uncached(found, rates) - _paid(found))] for cell, found in ordered]


def _models(world: World) -> Rows:
    rates = _rates(world)
    groups = grouped(_cached(world, rates), lambda line: (shown(line.of.provider), shown(line.of.model)))
    saved = {names: _uncached(found, rates) - _paid(found) for names, found in groups.items()}
    ordered = sorted(groups.items(), key=lambda pair: (-saved[pair[0]], [name.encode() for name in pair[0]]))
    return [
        [
            *names,
            sum(line.quantity for line in found if line.bucket == "cache_read"),
            sum(line.quantity for line in found if line.bucket != "cache_read"),
            float(_paid(found)),
            float(_uncached(found, rates)),
            float(saved[names]),
        ]
        for names, found in ordered
    ]


def _memory(world: World) -> Rows:
    served = [row for row in world.calls() if row.outcome != "refused"]
    return [[ratio(sum(row.outcome == "cached" for row in served), len(served))]]


def _below_list(world: World) -> Rows:
    listed = sum((Decimal(row.list_usd) for row in world.calls() if row.list_usd), Decimal(0))
    return [[listed - cost(world.calls())]]


def _steps(world: World) -> Rows:
    steps = [(world.bucket(at(row)), step) for row in world.calls() for step in row.ladder]
    return [[*cell, len(found)] for cell, found in sorted(grouped(steps, lambda step: step).items())]


def _routing(world: World) -> Rows:
    served = [row for row in world.calls() if row.outcome != "refused"]
    priced = grouped([row for row in served if row.price_source], lambda row: row.model)
    means = {model: cost(rows) / tokens(rows) for model, rows in priced.items() if tokens(rows)}
    other = [row for row in served if row.requested_model != row.model and row.requested_model in means]
    told = []
    for (asked, model), rows in grouped(other, lambda row: (row.requested_model, row.model)).items():
        otherwise = tokens(rows) * means[asked]
        told.append(
            (shown(asked), shown(model), len(rows), tokens(rows), cost(rows), otherwise, otherwise - cost(rows))
        )
    told.sort(key=lambda one: (-one[6], one[0].encode(), one[1].encode()))
    return [[*one[:4], *(float(usd) for usd in one[4:])] for one in told]


def _own(world: World, column: str) -> Decimal:
    return sum((Decimal(getattr(row, column)) for row in world.calls()), Decimal(0))


def _hit_rate(world: World) -> Rows:
    asked = [row.cache_status for row in world.calls() if row.cache_status in ("hit", "miss")]
    return [[ratio(asked.count("hit"), len(asked))]]


def _own_over_time(world: World) -> Rows:
    told = [row for row in world.calls() if row.cache_status in ("hit", "would_hit")]
    cells = grouped(told, lambda row: world.interval(at(row)))
    return [
        [
            when,
            float(sum(Decimal(row.cache_saved_usd) for row in rows)),
            float(sum(Decimal(row.cache_would_save_usd) for row in rows)),
        ]
        for when, rows in sorted(cells.items())
    ]


WANTED: Final[Mapping[int, Callable[[World], Rows]]] = {
    1: _saved,
    2: lambda world: [[ratio(sum(row.cache_read_tokens for row in world.spend()), inputs(world.spend()))]],
    3: lambda world: [[sum(row.outcome == "cached" for row in world.calls())]],
    4: _memory,
    5: _below_list,
    6: lambda world: [[sum(row.outcome != "refused" and row.requested_model != row.model for row in world.calls())]],
    7: _over_time,
    8: _models,
    9: _steps,
    10: _routing,
    11: lambda world: [[float(_own(world, "cache_saved_usd"))]],
    12: lambda world: [[float(_own(world, "cache_would_save_usd"))]],
    13: _hit_rate,
    14: lambda world: [[sum(row.cache_status == "would_hit" for row in world.calls())]],
    15: _own_over_time,
}
