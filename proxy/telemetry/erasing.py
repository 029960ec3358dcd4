"""Takes an end user out of the store: the rows stay, with their sums, and say no longer who it was.

What a client chose freely goes too, because it may name the user as well: the run, its step, the tags, the program, the
facts that policy decided by. Rollups never knew of users; those of runs and tags have other people's in them too, and
are left: what of them equals the user's id is counted and told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from clickhouse_connect.driver.asyncclient import AsyncClient

from proxy.telemetry.clustered import held, on
from proxy.telemetry.store import StoreAddress, as_store_failures, connected

_TIMEOUT_S: Final = 3600
_BY_USER: Final = "org = {org:String} AND end_user = {user:String}"
_OF_CALLS: Final = f"org = {{org:String}} AND operation_id IN (SELECT operation_id FROM operations WHERE {_BY_USER})"  # noqa: S608
_EMPTIED: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = MappingProxyType(
    {
        # Attempts are found by their operations, so they come first.
        "attempts": (_OF_CALLS, ("provider_request_id", "raw_usage")),
        "tool_calls": (_OF_CALLS, ("run", "tool")),
        "decisions": (_BY_USER, ("end_user", "run", "message", "internal", "tool", "input")),
        "corrections": (_BY_USER, ("end_user", "run", "tags", "client", "error")),
        "operations": (
            _BY_USER,
            ("end_user", "run", "parent_run", "step", "tags", "client", "reason", "error", "provider_request_id"),
        ),
    }
)
"""Of each table: which rows are meant, and what of them is emptied."""

_NAMED: Final = MappingProxyType(
    {
        "run_days": "SELECT count() FROM run_days WHERE org = {org:String} AND run = {user:String}",
        "tag_quarter_hours": "SELECT count() FROM tag_quarter_hours WHERE org = {org:String} AND value = {user:String}",
        "tag_days": "SELECT count() FROM tag_days WHERE org = {org:String} AND value = {user:String}",
    }
)

NOT_REACHED: Final = (
    "rows that are still in a spool, or were put aside in spool/rejected: erase again once they are shipped",
    "run_days, tag_quarter_hours and tag_days, where a run or a tag was named after the user (counted above)",
    "the audit trail, and budgets and limits that were set for this user by name, with their counters in the ledger",
    "open approvals, backups and exports of the store, log files, other systems that metrics and traces were sent to",
    "what the providers keep of the calls themselves",
)
"""What must be looked after elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Erased:
    """How many rows of each table were emptied, and how many rows of rollups carry the user's id as another name."""

    rows: Mapping[str, int]
    named_alike: Mapping[str, int]


async def erase_user(
    address: StoreAddress, *, org: str, user: str, dry_run: bool = False, cluster: str | None = None
) -> Erased:
    """Empty what tells of an end user of an org, and wait until it is done; with `dry_run`, only count.

    Run again it finds nothing more. A row that was erased no longer matches the digest it was shipped under.

    Raises:
        TelemetryUnavailable, StoreRefused: as ClickHouse answers; what was done before stays done.
        ValueError: no user is named, which would mean all calls without one.
    """
    if not org or not user:
        raise ValueError("name the org and the user")
    whose = {"org": org, "user": user}
    async with connected(address, timeout_s=_TIMEOUT_S) as client:
        with as_store_failures():
            rows = {
                table: await _count(client, f"SELECT count() FROM {table} WHERE {where}", whose)  # noqa: S608
                for table, (where, _) in _EMPTIED.items()
            }
            alike = {table: await _count(client, sql, whose) for table, sql in _NAMED.items()}
            if not dry_run:
                for table, (where, columns) in _EMPTIED.items():
                    if rows[table]:
                        await _empty(client, table, (where, columns), whose, cluster)
    return Erased(rows=rows, named_alike=alike)


async def _count(client: AsyncClient, sql: str, whose: Mapping[str, str]) -> int:
    return int((await client.query(sql, parameters=dict(whose))).result_rows[0][0])


async def _empty(
    client: AsyncClient, table: str, what: tuple[str, tuple[str, ...]], whose: Mapping[str, str], cluster: str | None
) -> None:
    """One mutation of a table; ClickHouse writes the parts anew that hold such rows.

    Calls and their attempts lie on the same shard of a cluster.
    """
    where, columns = what
    emptied = ", ".join(f"{column} = {'map()' if column == 'tags' else repr('')}" for column in columns)
    where = where.replace("FROM operations ", f"FROM {held('operations', cluster)} ")
    await client.command(
        f"ALTER TABLE {held(table, cluster)} {on(cluster)} UPDATE {emptied} WHERE {where}",
        parameters=dict(whose),
        settings={"mutations_sync": 2, "allow_nondeterministic_mutations": 1, "max_execution_time": 0},
    )
