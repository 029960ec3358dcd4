"""ClickHouse away for half an hour of 200 calls a second, and all else killed meanwhile: every answered call, once."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from clickhouse_connect.driver.httpclient import HttpClient

from proxy.telemetry.salvaging import salvage
from proxy.telemetry.selfcheck import Checked, SelfCheck
from tests.contract.telemetry.collecting import ROOT, CollectorProcess

PER_SECOND = 200
Make = Callable[..., CollectorProcess]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[CollectorProcess] = []

    def collector(name: str, **changes: Any) -> CollectorProcess:
        made.append(CollectorProcess(tmp_path / name, changes))
        made[-1].folder.mkdir()
        return made[-1]

    yield collector
    for each in made:
        if each.process is not None and each.process.poll() is None:
            each.kill()


Process: TypeAlias = subprocess.Popen[str]


def serve(state: Path, worker: str, first: int, count: int, start_ns: int, *, pause_at: int = -1) -> Process:
    script = str(Path(__file__).with_name("spooling_worker.py"))
    return subprocess.Popen(
        [sys.executable, script, str(state), worker, *(str(each) for each in (first, count, start_ns, pause_at))],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def killed(worker: Process, spool: Path, name: str) -> set[str]:
    """Kill a worker that waits, and do as the supervisor does; the ids of what it had recorded in its open segment."""
    assert worker.stdout is not None
    assert worker.stdout.readline() == "paused\n"
    worker.kill()
    worker.wait()
    worker.stdout.close()
    left = salvage(spool, name)
    left.seal()
    return set(left.rows)


def all_under_a_token(spool: Path) -> bool:
    """Whether it is written down of every segment under which token it goes."""
    lists = [set(json.loads(each.read_bytes())) for each in (spool / "lists").glob("*.list")]
    singly = spool / "singly.json"
    alone = set(json.loads(singly.read_bytes())) if singly.exists() else set()
    return {each.name for each in (spool / "sealed").iterdir()} <= alone.union(*lists)


def looked(server: CollectorProcess) -> Checked:
    return asyncio.run(SelfCheck(server.address).look())


def once_each(client: HttpClient, answered: set[str]) -> None:
    """Distinct ids are the answered calls, and every rollup of operations is their sum."""
    rows, ids, cost = client.query(
        "SELECT count(), groupUniqArray(operation_id), sum(toDecimal128(cost_usd, 9)) FROM operations"
    ).result_rows[0]
    assert rows == len(ids)
    assert set(ids) == answered
    with_calls = client.query(
        "SELECT table FROM system.columns WHERE database = 'flyball' AND name IN ('calls', 'cost_usd')"
        " AND NOT startsWith(table, 'tag_') AND NOT startsWith(table, 'run_') GROUP BY table HAVING count() = 2"
    ).result_rows
    assert ("spend_quarter_hours",) in with_calls
    for (table,) in with_calls:
        assert client.query(f"SELECT sum(calls), sum(cost_usd) FROM {table}").result_rows == [(rows, cost)], table


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seconds", [20, pytest.param(1800, marks=pytest.mark.long)])
def test_half_an_hour_without_clickhouse(make: Make, seconds: int) -> None:
    server = make("server")
    server.start()
    port = server.address.port
    secret = server.address.password.reveal()
    shipper = make("shipper", url=f"http://flyball@127.0.0.1:{port}/flyball", password=secret)
    shipper.start()
    rows = seconds * PER_SECOND
    start_ns = time.time_ns() - (seconds + 60) * 1_000_000_000

    def at(number: int) -> int:
        return start_ns + number * 5_000_000

    serve(shipper.folder, "w1", 0, 150, at(0)).communicate()
    shipper.all_shipped()
    server.kill()
    # A worker dies in the middle of it, with calls in its open segment that were answered.
    half = rows // 2
    left = killed(serve(shipper.folder, "w2", 150, half, at(150), pause_at=150 + half - 50), shipper.spool, "w2")
    assert left
    serve(shipper.folder, "w3", 150 + half, rows - half, at(150 + half)).communicate()
    deadline = time.monotonic() + 120
    while not all_under_a_token(shipper.spool):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    shipper.kill()
    kept = shipper.folder / "kept"
    shutil.copytree(shipper.spool, kept)

    server.changes["listen"] = f"127.0.0.1:{port}"
    server.start()
    for _ in range(2):
        shipper.start()
        time.sleep(0.3)
        shipper.kill()
    if seconds > 60:
        server.kill()
        server.start()
    shipper.start()
    shipper.all_shipped(300)
    assert shipper.stop() == 0
    answered = set((shipper.folder / "answered").read_text().split())
    client = server.client()
    once_each(client, answered | left)
    assert len(left - answered) == 0, "an answer is told after its row is settled"

    # Everything that waited is sent once more, as by a collector that was killed before it could tidy up.
    shutil.copytree(kept, shipper.spool, dirs_exist_ok=True)
    shipper.start()
    shipper.all_shipped(300)
    assert shipper.stop() == 0
    once_each(client, answered | left)
    found = looked(server)
    assert (found.missing, found.doubled, found.rollup_difference) == (0, 0, 0)
    assert found.shipped == len(answered)

    knows_a_call_that_began_days_ago(client, server)
    notices_what_is_wrong(client, server)


def knows_a_call_that_began_days_ago(client: HttpClient, server: CollectorProcess) -> None:
    """A batch's row is written when it is finished, or lost after two days, and is charged when it came in."""
    client.command(
        "INSERT INTO shipped_segments (spool, number, shipped_at, segment, first_ns, rows)"
        " VALUES ('batch', 1, now64(3), 'batch', 5, 1)"
    )
    client.command(
        "INSERT INTO operations (operation_id, charged_at, org, segment)"
        " VALUES ('op_batch', now64(3) - INTERVAL 50 HOUR, 'batch', 5)"
    )
    assert looked(server).missing == 0


def notices_what_is_wrong(client: HttpClient, server: CollectorProcess) -> None:
    """The comparison finds a row that stands twice, one that is gone, and a rollup that was not told of a row."""
    client.command("INSERT INTO operations SELECT * FROM operations ORDER BY operation_id LIMIT 1")
    assert looked(server).doubled == 1
    # Asked first: a mutation would ask anew for each part, when the row may be gone already.
    last = client.query("SELECT max(operation_id) FROM operations WHERE org != 'batch'").result_rows[0][0]
    client.command(f"ALTER TABLE operations DELETE WHERE operation_id = '{last}'")
    deadline = time.monotonic() + 60
    while (found := looked(server)).missing != 1:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    client.command(
        "INSERT INTO spend_quarter_hours (quarter, org, calls)"
        " VALUES (toStartOfFifteenMinutes(now('UTC')) - INTERVAL 15 MINUTE, 'ghost', 5)"
    )
    assert looked(server).rollup_difference != found.rollup_difference
