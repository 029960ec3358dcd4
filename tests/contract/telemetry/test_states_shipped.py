"""How budgets and telemetry stand, told to ClickHouse: each change once, what stays as it is now and then."""

import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from proxy.admin.forecasts import Forecasts
from proxy.app.states_post import AGAIN_NS, StatesPost
from proxy.budget import BudgetSpec, BudgetStore, Rung, Unit
from proxy.core.clock import SetClock, stamp
from proxy.core.money import Nano
from proxy.processes.pipeline_state import pipeline_state
from proxy.state import StateFile
from proxy.telemetry import Reader, Spool
from tests.contract.telemetry.collecting import CollectorProcess

USD = 1_000_000_000
DOLLARS = BudgetSpec(
    name="states-month",
    scope="org:states",
    limit=Nano(10 * USD),
    opening_spent=Nano(3 * USD + 1),
    ladder=(Rung(250_000, "alert"), Rung(900_000, "block")),
)
TOKENS = BudgetSpec(
    name="states-tokens", scope="team:states/a", limit=Nano(5000), unit=Unit.TOKENS, hard=False, enforcement="observe"
)


def told(collector: CollectorProcess, name: str) -> list[dict[str, Any]]:
    with collector.client() as client:
        answer = client.query(
            "SELECT * FROM budget_states WHERE name = {name:String} ORDER BY at", parameters={"name": name}
        )
        return list(answer.named_results())


async def test_each_change_of_a_budget_is_told_once(collector: CollectorProcess, tmp_path: Path) -> None:
    clock = SetClock(datetime.now(UTC).replace(day=15))  # far from the ends of windows
    store = BudgetStore(StateFile(tmp_path / "ledger.sqlite"), clock=clock)
    run = tmp_path / "run"
    run.mkdir()
    said = {"counts": {'flyball_rows_dropped_total{table="attempts",reason="full"}': 7, "flyball_other_total": 9}}
    (run / "metrics-wrk_1.json").write_text(json.dumps({**said, "unsettled": 2}))
    os.utime(run / "metrics-wrk_1.json", (time.time() + 600, time.time() + 600))  # a worker that goes on reporting
    store.put(DOLLARS)
    store.put(TOKENS)
    reader = Reader(collector.address)
    post = StatesPost(
        store,
        Forecasts(reader, clock),
        lambda at: pipeline_state(run, collector.spool, at, "states-host"),
        lambda: Spool(collector.spool, "adm_states"),
        clock,
        "states-host",
    )
    first_ns = clock.now_ns()
    await post.ship()
    clock.move(60)
    await post.ship()
    store.put(replace(DOLLARS, limit=Nano(20 * USD)))
    clock.move(60)
    await post.ship()
    clock.move(AGAIN_NS // 1_000_000_000)
    await post.ship()
    await reader.close()
    collector.all_shipped()

    dollars = told(collector, "states-month")
    assert [row["limit_amount"] for row in dollars] == [Decimal(10), Decimal(20), Decimal(20)]
    first = dollars[0]
    assert (first["spent"], first["held"], first["overrun"]) == (Decimal("3.000000001"), Decimal(0), Decimal(0))
    assert first["remaining"] == Decimal("5.999999999"), "it blocks at nine tenths"
    assert (first["rungs"], dollars[1]["rungs"]) == (["0.25 alert"], [])
    assert (first["org"], first["scope"], first["unit"], first["period"]) == ("states", "org:states", "usd", "month")
    assert (first["is_hard"], first["is_observed"], first["host"]) == (True, False, "states-host")
    assert first["at"].isoformat(sep=" ", timespec="milliseconds") == stamp(first_ns) and first["resets_at"] is not None
    assert (first["unforeseen"], first["expected"], first["exhausted_at"]) == ("too_little_history", None, None)

    tokens = told(collector, "states-tokens")
    assert [row["limit_amount"] for row in tokens] == [Decimal(5000)] * 2
    assert (tokens[0]["unit"], tokens[0]["is_hard"], tokens[0]["is_observed"]) == ("tokens", False, True)

    with collector.client() as client:
        rows = client.query("SELECT dropped_rows, unsettled, workers FROM pipeline_states WHERE host = 'states-host'")
        assert rows.result_rows == [(7, 2, 1)] * 4


def test_what_nobody_has_said_yet_is_zero(tmp_path: Path) -> None:
    row = pipeline_state(tmp_path, tmp_path, "2026-11-30 10:00:00.000", "here")
    assert (row.lag_seconds, row.workers, row.dropped_rows, row.is_away) == (0.0, 0, 0, False)
