"""A rollup that is made on a store with rows: first filled from them, then fed by its view.

Run again after a failure it begins anew: the view is dropped and the table emptied first. Rows that another host's
collector ships between the filling and the view are missing from it, so a server's schema is brought up with the
other collectors stopped.
"""

import re
from typing import Final

from clickhouse_connect.driver.asyncclient import AsyncClient

from proxy.telemetry.clustered import held, on

MARK: Final = "-- backfilled"
"""How a step of the schema begins whose views' tables are filled."""

_VIEW: Final = re.compile(
    r"CREATE MATERIALIZED VIEW IF NOT EXISTS (?P<view>\S+) TO (?P<table>\S+) AS\n(?P<select>.+)", re.DOTALL
)
# A month of a busy org has millions of groups: what memory does not hold is sorted on disk.
_BOUNDS: Final = "max_bytes_before_external_group_by = 200000000, max_execution_time = 0"
_AT_ONCE: Final = ", distributed_foreground_insert = 1, distributed_product_mode = 'global'"


async def fill(client: AsyncClient, statement: str, cluster: str | None = None) -> None:
    """Before `statement` makes a view: fill the table it feeds with what its source holds. Others are left alone.

    On a cluster the distributed tables are read and written, so that one statement does it for all shards.
    """
    view = _VIEW.fullmatch(statement)
    if view is None:
        return
    await client.command(f"DROP VIEW IF EXISTS {view['view']} {on(cluster)}".strip())
    await client.command(f"TRUNCATE TABLE {held(view['table'], cluster)} {on(cluster)}".strip())
    described = await client.query(f"DESCRIBE TABLE ({view['select']})")
    # An INSERT takes columns by their place, a view by their name.
    names = ", ".join(row[0] for row in described.result_rows)
    await client.command(
        f"INSERT INTO {view['table']} ({names})\n{view['select']}\nSETTINGS {_BOUNDS}{_AT_ONCE if cluster else ''}"
    )
