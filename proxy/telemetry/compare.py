"""Asks the store all that a comparison is made of, one question after the other."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias

from clickhouse_connect.driver.query import QueryResult

from proxy.telemetry.comparing import (
    CELLS,
    CompareQuery,
    Comparison,
    Mover,
    SideRows,
    compared,
    kinds_of,
    read_movers,
    select_first_calls,
    select_movers,
    select_rates,
    select_tools,
    select_wasted,
    side_of,
    with_first_calls,
)
from proxy.telemetry.spend import Select, read_spend, select_spend
from proxy.telemetry.terms import Side

Ask: TypeAlias = Callable[[Select], Awaitable[QueryResult]]
_MOST_CELLS: Final = 100_000


async def compare(ask: Ask, asked: CompareQuery) -> Comparison:
    """What two times came to, why they differ, and who moved it.

    Raises:
        Refused, TelemetryUnavailable: as `ask`.
    """
    now, before = await _side(ask, asked, asked.now), await _side(ask, asked, asked.before)
    movers = {kind: await _movers(ask, asked, names) for kind, names in kinds_of(asked).items()}
    return compared(now, before, movers)


async def _side(ask: Ask, asked: CompareQuery, span: tuple[datetime, datetime]) -> Side:
    query = replace(asked.side(span, CELLS), limit=_MOST_CELLS)
    return side_of(
        SideRows(
            cells=read_spend(query, (await ask(select_spend(query))).result_rows),
            rates=(await ask(select_rates(asked, span))).result_rows,
            tools=(await ask(select_tools(asked, span))).result_rows,
            wasted=(await ask(select_wasted(asked, span))).result_rows,
        )
    )


async def _movers(ask: Ask, asked: CompareQuery, names: tuple[str, ...]) -> list[Mover]:
    movers = read_movers(names, (await ask(select_movers(asked, names))).result_rows)
    if not movers:
        return []
    firsts = await ask(select_first_calls(asked, names, movers))
    return list(with_first_calls(names, movers, firsts.result_rows))
