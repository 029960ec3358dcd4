"""The schema moves forward only: numbered files, each idempotent, each remembered once it is through."""

import logging
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.asyncclient import AsyncClient

from proxy.telemetry.backfill import MARK, fill
from proxy.telemetry.clustered import arranged, held, on
from proxy.telemetry.retention import retained
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.store import StoreAddress, as_store_failures, connected

_LOG: Final = logging.getLogger(__name__)
_FOLDER: Final = Path(__file__).parent / "migrations"
_FILE: Final = re.compile(r"(\d{4})_(\w+)\.sql")
_TIMEOUT_S: Final = 3600  # filling a rollup from a year of rows takes its time
LEDGER: Final = """CREATE TABLE IF NOT EXISTS {database}.schema_migrations
(number UInt16, name String, sha256 String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = ReplacingMergeTree ORDER BY number"""


class SchemaTooNew(RuntimeError):
    """The store was written by a newer Flyball than this one; its message names the numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """One numbered step of the schema; `sql` still has its placeholders."""

    number: int
    name: str
    sql: str

    def statements(self, values: dict[str, str]) -> list[str]:
        """The single statements with the placeholders filled."""
        text = re.sub(r"^--[^\n]*\n", "", self.sql, flags=re.MULTILINE)
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return [each.strip() for each in text.split(";\n") if each.strip()]


def migrations() -> list[Migration]:
    """Every step we know, in order."""
    found = ((match, path) for path in sorted(_FOLDER.iterdir()) if (match := _FILE.fullmatch(path.name)))
    return [Migration(number=int(match[1]), name=match[2], sql=path.read_text()) for match, path in found]


async def migrate(address: StoreAddress, settings: TelemetrySettings) -> list[int]:
    """Bring the store's schema up to ours; the numbers that were applied now.

    Raises:
        SchemaTooNew: the store knows steps that we do not.
        TelemetryUnavailable, StoreRefused: as ClickHouse answers.
    """
    # `default` exists everywhere, our own database perhaps not yet.
    async with connected(address, timeout_s=_TIMEOUT_S, database="default") as client:
        with as_store_failures():
            return await _migrate(client, _placeholders(address, settings), settings.cluster)


def _placeholders(address: StoreAddress, settings: TelemetrySettings) -> dict[str, str]:
    return {
        "database": f"`{address.database.replace('`', '')}`",
        "operations_days": str(settings.operations_days),
        "attempts_days": str(settings.attempts_days),
        "decisions_days": str(settings.decisions_days),
        "audit_days": str(settings.audit_days),
    }


async def _migrate(client: AsyncClient, values: dict[str, str], cluster: str | None) -> list[int]:
    database = values["database"]
    await client.command(f"CREATE DATABASE IF NOT EXISTS {database} {on(cluster)}".strip())
    for statement in arranged(LEDGER.replace("{database}", database), cluster):
        await client.command(statement)
    known = migrations()
    answer = await client.query(f"SELECT number FROM {database}.schema_migrations")  # noqa: S608 - a quoted name
    done = {int(row[0]) for row in answer.result_rows}
    if unknown := done - {each.number for each in known}:
        raise SchemaTooNew(
            f"the telemetry store has schema steps {sorted(unknown)} of a newer Flyball; upgrade this one"
        )
    fresh = [each for each in known if each.number not in done]
    for step in fresh:
        for statement in step.statements(values):
            if done and step.sql.startswith(MARK):
                await fill(client, statement, cluster)
            for each in arranged(statement, cluster):
                await client.command(each)
        await _remember(client, database, step)
        _LOG.info("telemetry schema step %04d_%s applied", step.number, step.name)
    await _keep_retention(client, values, cluster)
    return [each.number for each in fresh]


async def _keep_retention(client: AsyncClient, values: dict[str, str], cluster: str | None) -> None:
    """Bring a table whose retention was set differently since to the present setting; the others are left alone."""
    answer = await client.query(
        "SELECT name, engine_full FROM system.tables WHERE database = {db:String}",
        parameters={"db": values["database"].strip("`")},
    )
    engines: dict[str, str] = {name: engine for name, engine in answer.result_rows}
    for each in retained(step.sql for step in migrations()):
        days = values[each.setting]
        ttl = each.ttl(int(days))
        table = held(each.table, cluster)
        if f"TTL {ttl} " not in engines.get(table, f"TTL {ttl} "):
            await client.command(f"ALTER TABLE {values['database']}.{table} {on(cluster)} MODIFY TTL {ttl}")
            _LOG.info("rows of %s are now kept %s days", each.table, days)


async def _remember(client: AsyncClient, database: str, step: Migration) -> None:
    digest = sha256(step.sql.encode()).hexdigest()
    # Not the client's insert(), which loads pandas where that is installed: as long as twenty tables take.
    await client.command(
        f"INSERT INTO {database}.schema_migrations (number, name, sha256)"  # noqa: S608 - a quoted name
        f" VALUES ({step.number}, '{step.name}', '{digest}')"
    )
