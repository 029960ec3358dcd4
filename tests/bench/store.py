"""`python -m tests.bench.store`: what the telemetry store takes in, holds and answers; ten minutes to two hours.

The operations are made inside ClickHouse. The collector is one process of its own with the embedded ClickHouse.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.httpclient import HttpClient

from proxy.telemetry.rows import OperationRow, Table, encode
from proxy.telemetry.segments import SegmentName
from proxy.telemetry.spend import Select
from tests.bench import report, store_boards
from tests.bench.store_panels import ASKED, PANELS
from tests.bench.store_rows import BEGINS, DAYS, rows_sql
from tests.contract.telemetry.collecting import CollectorProcess

DOCS: Final = Path(__file__).parents[2] / "docs"
BEGIN: Final = "<!-- store results: written by `make bench-store` -->"
END: Final = "<!-- end of store results -->"
_BATCH: Final = 1_000_000
_TO_MAKE_MB: Final = 6_000  # making so many at once takes more than a collector may
_MOST_MB: Final = 1_024
_SEGMENT_ROWS: Final = 4_500
_MB: Final = 1024 * 1024


@dataclass
class Found:
    """Bytes on disk per operation by table and by column, seconds by panel, and the rest by name."""

    operations: int
    bytes_by_table: dict[str, float] = field(default_factory=dict)
    bytes_by_column: dict[str, float] = field(default_factory=dict)
    rows_by_table: dict[str, int] = field(default_factory=dict)
    panels: dict[str, list[float]] = field(default_factory=dict)
    boards: dict[str, store_boards.Cost] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)


def measured(operations: int, ingested: int, rounds: int) -> Found:
    """All of it."""
    found = Found(operations)
    with _collector({"memory_mb": _TO_MAKE_MB}) as running:
        client = running.client(send_receive_timeout=7200)
        _make(client, operations)
        rows = _written(client, operations, ingested)
        running.stop()
        running.changes["memory_mb"] = _MOST_MB
        running.start()
        client = running.client(send_receive_timeout=7200)
        _weigh(client, found)
        _ask(running, client, found, rounds)
    _ingest(rows, ingested, found)
    return found


@contextmanager
def _collector(changes: dict[str, Any]) -> Iterator[CollectorProcess]:
    with tempfile.TemporaryDirectory(prefix="flyball-store-") as folder:
        running = CollectorProcess(Path(folder), {"query_timeout_s": 3600, **changes})
        running.start()
        try:
            yield running
        finally:
            running.stop()


def _make(client: HttpClient, operations: int) -> None:
    for first in range(0, operations, _BATCH):
        client.command(rows_sql("operations", first, min(_BATCH, operations - first), operations))
        print(f"{min(first + _BATCH, operations):,} operations made", flush=True)
    _quiet(client)


def _quiet(client: HttpClient) -> None:
    """Wait until nothing is merged any more."""
    while client.query("SELECT count() FROM system.merges").result_rows != [(0,)]:
        time.sleep(1)


def _weigh(client: HttpClient, found: Found) -> None:
    parts = client.query(
        "SELECT table, sum(bytes_on_disk), sum(rows) FROM system.parts"
        " WHERE active AND database = 'flyball' GROUP BY table ORDER BY 2 DESC"
    )
    for table, size, rows in parts.result_rows:
        found.bytes_by_table[table] = size / found.operations
        found.rows_by_table[table] = rows
    columns = client.query(
        "SELECT name, data_compressed_bytes FROM system.columns"
        " WHERE database = 'flyball' AND table = 'operations' ORDER BY 2 DESC LIMIT 12"
    )
    found.bytes_by_column = {name: size / found.operations for name, size in columns.result_rows}


def _ask(making: CollectorProcess, client: HttpClient, found: Found, rounds: int) -> None:
    found.facts["resident MB before the panels"] = _resident_mb(making)
    peak = 0.0
    assert making.process is not None
    pid = making.process.pid
    for _ in range(rounds):
        store_boards.ask(making.client("grafana"), lambda: _cpu_s(pid), found.boards)
        peak = max(peak, _resident_mb(making))
        for name, select in {**{name: Select(sql=sql, parameters={}) for name, sql in PANELS.items()}, **ASKED}.items():
            began = time.perf_counter()
            client.query(select.sql, parameters=select.parameters)
            found.panels.setdefault(name, []).append(time.perf_counter() - began)
            peak = max(peak, _resident_mb(making))
    found.facts["resident MB under the panels, at most"] = peak


def _written(client: HttpClient, operations: int, count: int) -> list[bytes]:
    """The first rows in time as workers write them, one JSON line each."""
    stretch_s = DAYS * 86_400 * count / operations
    raw = client.raw_query(
        "SELECT * EXCEPT (segment, stages_ms) FROM operations"
        f" WHERE charged_at < toDateTime('{BEGINS}', 'UTC') + {stretch_s + 60}"
        " ORDER BY charged_at LIMIT {count:UInt32}",
        parameters={"count": count},
        fmt="JSONEachRow",
        settings={
            "output_format_json_quote_decimals": 1,
            "output_format_json_quote_64bit_integers": 0,
            "max_result_bytes": 0,
        },
    )
    return [encode(msgspec.json.decode(line, type=OperationRow)) for line in raw.splitlines()]


def _ingest(rows: list[bytes], count: int, found: Found) -> None:
    """Ship them from a spool, into an empty store, with all that a collector does."""
    with _collector({}) as shipping:
        sealed = shipping.spool / "sealed"
        sealed.mkdir(exist_ok=True)
        shipping.stop()
        for number, first in enumerate(range(0, count, _SEGMENT_ROWS)):
            name = SegmentName(first_ns=10**18 + number, worker="bench", number=number, table=Table.OPERATIONS)
            (sealed / str(name)).write_bytes(b"".join(rows[first : first + _SEGMENT_ROWS]))
        shipping.start()
        assert shipping.process is not None
        cpu, began, peak = _cpu_s(shipping.process.pid), time.perf_counter(), 0.0
        while any(sealed.glob("*.jsonl")):
            time.sleep(0.05)
            peak = max(peak, _resident_mb(shipping))
        took = time.perf_counter() - began
        cpu = _cpu_s(shipping.process.pid) - cpu
        (shipped,) = shipping.client().query("SELECT count() FROM operations").result_rows[0]
    assert shipped == count, f"{shipped} of {count} rows arrived"
    found.facts |= {
        "rows shipped": count,
        "rows shipped a second of CPU": count / cpu,
        "rows shipped a second of the clock": count / took,
        "resident MB while shipping, at most": peak,
    }


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(running: CollectorProcess) -> float:
    assert running.process is not None
    pages = Path(f"/proc/{running.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / _MB


def text_of(found: Found) -> str:
    """The tables of docs/bench.md."""
    lines = ["| table | rows | bytes on disk for each operation |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {found.rows_by_table[name]:,} | {size:.1f} |"
        for name, size in found.bytes_by_table.items()
        if size >= 0.05
    ]
    heaviest = ", ".join(f"{name} {size:.1f}" for name, size in found.bytes_by_column.items())
    lines += ["", f"The heaviest columns of `operations`: {heaviest}.", ""]
    lines += ["| panel over 30 days | seconds, median | most |", "| --- | --- | --- |"]
    lines += [f"| {name} | {median(each):.2f} | {max(each):.2f} |" for name, each in found.panels.items()]
    lines += ["", *store_boards.text_of(found.boards), "| | |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {value:,.0f} |" for name, value in found.facts.items())])


def _write(found: Found, text: str) -> None:
    page = DOCS / "bench.md"
    before, _, rest = page.read_text().partition(BEGIN)
    about = {name: value for name, value in report.machine().items() if name in ("when", "cpu", "python", "commit")}
    about |= {"operations": f"{found.operations:,}", "load of the machine at the end": f"{os.getloadavg()[1]:.1f}"}
    head = "\n".join(f"- {name}: {value}" for name, value in about.items())
    page.write_text(f"{before}{BEGIN}\n\n{head}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="tests.bench.store", description=__doc__)
    parser.add_argument("--operations", type=int, default=100_000_000, help="how many are made (100 million)")
    parser.add_argument("--ingested", type=int, default=300_000, help="how many are shipped from a spool (300,000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each panel is asked (5)")
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=True, help="write docs/bench.md")
    options = parser.parse_args()
    found = measured(options.operations, options.ingested, options.rounds)
    text = text_of(found)
    print(text)
    if options.write:
        _write(found, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
