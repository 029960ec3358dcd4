"""What the rollups say is what the rows say, whatever was sent twice and whenever a rollup was made."""

import asyncio
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from clickhouse_connect.driver.httpclient import HttpClient

from proxy.telemetry.backfill import MARK
from proxy.telemetry.migrate import migrate, migrations
from proxy.telemetry.rows import AttemptRow, DecisionRow, OperationRow, Table
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

Make = Callable[..., Any]
_VIEW: Final = re.compile(
    r"CREATE MATERIALIZED VIEW IF NOT EXISTS \{database\}\.(\w+) TO \{database\}\.(\w+) AS\n(.*?);\n", re.DOTALL
)
LINES: Final = (
    '[{"bucket":"input","quantity":1000,"usd_per_mtok":"0.05","usd":"0.00005"},'
    '{"bucket":"output","quantity":7,"usd_per_mtok":"0.4","usd":"0.0000028000000000000000000000000001"}]'
)


class View(NamedTuple):
    """A materialised view as the schema makes it."""

    name: str
    table: str
    select: str


# What adds corrections to a rollup of calls is looked at in test_corrections.
VIEWS: Final = list(
    {
        found[0]: View(*found)  # a later step may make a view anew
        for step in migrations()
        for found in _VIEW.findall(step.sql)
        if found[0] == f"{found[1]}_mv"
    }.values()
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """A collector of one's own: what others write would be compared too."""
    running = CollectorProcess(tmp_path_factory.mktemp("state"))
    running.start()
    yield running
    running.stop()


def mixed(count: int, chance: random.Random, operation: Make, attempt: Make) -> dict[Table, list[Any]]:
    """Rows of all kinds over three days, many with what is left out in ordinary ones."""
    rows: dict[Table, list[Any]] = {Table.OPERATIONS: [], Table.ATTEMPTS: [], Table.DECISIONS: []}
    for number in range(count):
        at = f"2026-11-{chance.choice((20, 21, 22))} {chance.randrange(24):02d}:{chance.randrange(60):02d}:59.999"
        priced, ends = chance.random() < 0.9, chance.choice(("ok", "ok", "refused", "upstream_error"))
        shared: dict[str, Any] = {
            "team": chance.choice(("support", "日本'\\")),
            "key_name": chance.choice(("bot", "")),
            "provider": chance.choice(("openai", "anthropic")),
            "outcome": ends,
            "cost_usd": f"{chance.randrange(10)}.{chance.randrange(10**9):09d}" if priced else None,
            "duration_ms": chance.choice((0.0, 0.004, 812.5, 90000.25, 3e30)),
            "ttft_ms": chance.choice((None, 0.0, 0.5, 211.5, 200000.0)),
        }
        row: OperationRow = operation(
            number,
            chance.choice(("acme", "globex")),
            **shared,
            charged_at=at,
            agent=chance.choice(("triage", "")),
            run=chance.choice(("", "run_1", "run_2")),
            tags=chance.choice(({}, {"env": "prod"}, {"env": "a'b\\c$x", "über": "ü\n"})),
            ladder=chance.choice(([], ["downgrade:acme-month", "throttle:x"])),
            **chance.choice(
                (
                    {},
                    {"stages_ms": {"hold": 0.25, "upstream": 800.5}},
                    {"stages_us": {"hold": 250, "beside_upstream": 12_000}},
                )
            ),
            tool_fees=chance.choice(({}, {"web_search": 2})),
            overrun_usd=chance.choice(("0.00", "0.000000001")),
            clamped_to=chance.choice((0, 256)),
        )
        tried: AttemptRow = attempt(
            number, row.org, **shared, started_at=at, price_lines=chance.choice(("[]", "no JSON", LINES))
        )
        tried.number = 1 + number % 3
        judged = DecisionRow(
            decision_id=f"dec_{number:032x}",
            operation_id=row.operation_id,
            decided_at=at,
            org=row.org,
            team=row.team,
            key_id="key_1",
            key_name=row.key_name,
            point="request",
            shadow=chance.random() < 0.5,
            allow=chance.random() < 0.5,
            code=chance.choice(("", "tool_denied")),
            latency_us=chance.choice((0.0, 45.25)),
        )
        for table, each in zip(rows, (row, tried, judged), strict=True):
            rows[table].append(each)
    return rows


def send(store: CollectorProcess, worker: str, rows: dict[Table, list[Any]], folder: Path, *, times: int) -> None:
    """Spool rows and have the very same segments shipped so many times."""
    spool = Spool(folder, worker)
    for table, each_of in rows.items():
        for row in each_of:
            spool.append(table, row)
            if table is Table.OPERATIONS:
                spool.settled(row.operation_id)
    spool.close()
    sealed = store.spool / "sealed"
    sealed.mkdir(exist_ok=True)
    for _ in range(times):
        for segment in (folder / "sealed").iterdir():
            shutil.copy(segment, store.spool / segment.name)
            (store.spool / segment.name).rename(sealed / segment.name)
        store.all_shipped()


def differing(client: HttpClient) -> list[str]:
    """The rollups that say something else than what their views would say of all rows now."""
    return [
        view.table
        for view in VIEWS
        if client.query(f"SELECT * FROM {view.table} FINAL ORDER BY ALL").result_rows
        != client.query(f"SELECT {_columns(client, view)} FROM ({_of(view)}) ORDER BY ALL").result_rows
    ]


def _columns(client: HttpClient, view: View) -> str:
    return ", ".join(row[0] for row in client.query(f"DESCRIBE TABLE {view.table}").result_rows)


def _of(view: View) -> str:
    return view.select.replace("{database}", "flyball")


def test_rows_sent_three_times_stand_once_in_every_rollup(
    store: CollectorProcess, operation: Make, attempt: Make, tmp_path: Path
) -> None:
    rows = mixed(600, random.Random(8), operation, attempt)
    send(store, "mixed", rows, tmp_path, times=3)
    client = store.client()
    assert client.query("SELECT count(), uniqExact(operation_id) FROM operations").result_rows == [(600, 600)]
    for view in VIEWS:
        assert client.query(f"SELECT count() FROM {view.table}").result_rows[0][0] > 0, view.table
    assert differing(client) == []
    client.command("ALTER TABLE call_days DELETE WHERE team = 'support' SETTINGS mutations_sync = 2")
    assert differing(client) == ["call_days"], "the comparison sees a difference"
    # Such a step finds rows as they were in its time.
    client.command("ALTER TABLE operations CLEAR COLUMN stages_us SETTINGS mutations_sync = 2")
    first = min(step.number for step in migrations() if step.sql.startswith(MARK))
    rolled = [step.number for step in migrations() if step.number >= first]
    client.command(f"ALTER TABLE schema_migrations DELETE WHERE number IN {(*rolled, 0)} SETTINGS mutations_sync = 2")
    assert asyncio.run(migrate(store.address, TelemetrySettings())) == rolled
    assert differing(client) == [], "a step that was broken off before it was noted is done again"
