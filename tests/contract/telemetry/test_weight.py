"""What an operation weighs on disk, and that the bench's questions can be asked: `make bench-store` at a small size."""

from typing import Final

from tests.bench.store_panels import PANELS
from tests.bench.store_rows import rows_sql
from tests.contract.telemetry.collecting import CollectorProcess

_MOST_BYTES: Final = 68
"""Of generated operations: 60 among a million, more among few."""
_COUNT: Final = 20_000
_OF: Final = 100_000_000
"""So many in 30 days are 39 a second."""


def test_an_operation_weighs_no_more_than_it_did(collector: CollectorProcess) -> None:
    client = collector.client()
    client.command("CREATE TABLE weighed AS operations")
    try:
        client.command(rows_sql("weighed", 0, _COUNT, _OF))
        client.command("OPTIMIZE TABLE weighed FINAL")
        ((size, rows),) = client.query(
            "SELECT sum(bytes_on_disk), sum(rows) FROM system.parts WHERE active AND table = 'weighed'"
        ).result_rows
    finally:
        client.command("DROP TABLE weighed SYNC")
    assert rows == _COUNT
    assert size / rows <= _MOST_BYTES


def test_every_panel_of_the_bench_is_answered(collector: CollectorProcess) -> None:
    client = collector.client()
    client.command(rows_sql("operations", 0, 500, 500))
    empty = [name for name, sql in PANELS.items() if not client.query(sql).result_rows]
    assert empty == []
