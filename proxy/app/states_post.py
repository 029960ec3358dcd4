"""How budgets and telemetry stand, told to the telemetry store once a minute, so that boards can show their course."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from proxy.admin.forecasts import Forecasts
from proxy.budget import (
    BudgetState,
    BudgetStore,
    Forecast,
    LedgerUnavailable,
    LineKind,
    NoForecast,
    Unit,
    fraction_text,
)
from proxy.core.clock import Clock, stamp
from proxy.core.money import Nano, to_usd_text
from proxy.state import StateBusy
from proxy.telemetry import BudgetStateRow, PipelineStateRow, Spool, Table

MOST: Final = 500
"""How many budgets are told of, the first by name."""
AGAIN_NS: Final = 900_000_000_000
"""How long a budget that stays as it is is not told of again."""


class StatesPost:
    """Spools one row for telemetry, and one for each budget that changed or was not told of for a quarter-hour."""

    def __init__(
        self,
        budgets: BudgetStore,
        forecasts: Forecasts,
        pipeline: Callable[[str], PipelineStateRow],
        spool: Callable[[], Spool],
        clock: Clock,
        host: str,
    ) -> None:
        """`pipeline` says how telemetry stands, given the time as rows hold it; `spool` opens one for one writing."""
        self._budgets = budgets
        self._forecasts = forecasts
        self._pipeline = pipeline
        self._spool = spool
        self._clock = clock
        self._host = host
        self._told: dict[str, tuple[int, BudgetState]] = {}

    async def ship(self) -> None:
        """Spool what is to be told now."""
        now_ns = self._clock.now_ns()
        changed = [state for state in await asyncio.to_thread(self._states) if self._is_news(state, now_ns)]
        rows = [self._row(state, await self._forecasts.of(state), now_ns) for state in changed]
        await asyncio.to_thread(self._write, rows, now_ns)
        whole = [state for state, row in zip(changed, rows, strict=True) if row.unforeseen != "unavailable"]
        self._told.update({state.budget.id: (now_ns, state) for state in whole})

    def _states(self) -> Sequence[BudgetState]:
        """Nothing while the ledger cannot be looked at: that it cannot is told elsewhere."""
        try:
            states = self._budgets.states(self._budgets.list(None, LineKind.BUDGET)[:MOST])
        except (StateBusy, LedgerUnavailable, sqlite3.Error):
            return ()
        living = {state.budget.id for state in states}
        self._told = {key: told for key, told in self._told.items() if key in living}
        return states

    def _is_news(self, state: BudgetState, now_ns: int) -> bool:
        told = self._told.get(state.budget.id)
        return told is None or told[1] != state or now_ns - told[0] >= AGAIN_NS

    def _write(self, rows: Sequence[BudgetStateRow], now_ns: int) -> None:
        spool = self._spool()
        for row in rows:
            spool.append(Table.BUDGET_STATES, row)
        spool.append(Table.PIPELINE_STATES, self._pipeline(stamp(now_ns)))
        spool.close()

    def _row(self, state: BudgetState, foreseen: Forecast | NoForecast, now_ns: int) -> BudgetStateRow:
        budget = state.budget
        row = BudgetStateRow(
            at=stamp(now_ns),
            org=budget.org,
            name=budget.name,
            scope=state.scope,
            scopes=state.scopes,
            unit=budget.unit.value,
            period=budget.window.value,
            is_hard=budget.hard,
            is_observed=budget.enforcement == "observe",
            limit_amount=_amount(budget.unit, state.limit),
            spent=_amount(budget.unit, state.spent),
            held=_amount(budget.unit, state.held),
            overrun=_amount(budget.unit, state.overrun),
            remaining=_amount(budget.unit, state.remaining),
            rungs=[f"{fraction_text(rung.at_millionths)} {rung.do}" for rung in state.rungs],
            resets_at=_moment(state.resets_at_ns),
            host=self._host,
        )
        _foresee(row, foreseen, budget.unit)
        return row


def _foresee(row: BudgetStateRow, foreseen: Forecast | NoForecast, unit: Unit) -> None:
    if isinstance(foreseen, NoForecast):
        row.unforeseen = foreseen.code
        return
    row.exhausted_at = _moment(foreseen.exhausted_ns)
    row.exhausted_earliest_at = _moment(foreseen.exhausted_earliest_ns)
    if (end := foreseen.end) is not None:
        row.expected, row.low, row.high = (_amount(unit, each) for each in (end.expected, end.low, end.high))


def _amount(unit: Unit, amount: int) -> str:
    return to_usd_text(Nano(amount)) if unit is Unit.USD else str(amount)


def _moment(ns: int | None) -> str | None:
    return None if ns is None else stamp(ns)
