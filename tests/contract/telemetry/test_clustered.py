"""The schema of a cluster: no cluster runs here, so that each statement is parsed by ClickHouse and looked at."""

from typing import Final

import pytest

from proxy.telemetry.clustered import arranged, everywhere, held
from proxy.telemetry.migrate import LEDGER, migrations
from tests.contract.telemetry.collecting import CollectorProcess

CLUSTER: Final = "prod'`x"
VALUES: Final = dict.fromkeys(("operations_days", "attempts_days", "decisions_days", "audit_days"), "400") | {
    "database": "`flyball`"
}
PLAIN: Final = [
    LEDGER.replace("{database}", "`flyball`"),
    *(statement for step in migrations() for statement in step.statements(VALUES)),
]
ARRANGED: Final = [made for statement in PLAIN for made in arranged(statement, CLUSTER)]


def test_on_one_server_nothing_is_changed() -> None:
    assert [made for statement in PLAIN for made in arranged(statement, None)] == PLAIN
    assert (held("operations", None), everywhere("system.parts", None)) == ("operations", "system.parts")


def test_clickhouse_can_read_every_statement(collector: CollectorProcess) -> None:
    client = collector.client()
    for statement in ARRANGED:
        (said,) = client.query("SELECT formatQuerySingleLine({sql:String})", parameters={"sql": statement}).result_rows
        assert "ON CLUSTER `prod\\'x`" in said[0] or "ON CLUSTER `prod'x`" in said[0], said[0]


def test_every_table_is_replicated_and_has_a_distributed_one_over_it() -> None:
    tables = [each for each in ARRANGED if each.startswith("CREATE TABLE")]
    assert len(tables) == 2 * sum(each.startswith("CREATE TABLE") for each in PLAIN)
    for local, over in zip(tables[::2], tables[1::2], strict=True):
        name = local.split()[5]
        assert name.endswith("_local")
        assert "ENGINE = Replicated" in local
        assert "non_replicated" not in local
        assert f"AS {name}\nENGINE = Distributed(" in over
        assert over.split()[5] + "_local" == name
    assert next(over for over in tables if ".operations " in over and "Distributed" in over).endswith(
        "'operations_local', cityHash64(operation_id))"
    )


def test_views_hang_on_local_tables_and_feed_local_ones() -> None:
    views = [each for each in ARRANGED if each.startswith("CREATE MATERIALIZED VIEW")]
    assert len(views) == sum(each.startswith("CREATE MATERIALIZED VIEW") for each in PLAIN)
    for view in views:
        assert "_local AS\n" in view
        assert view.count("_local") == 2, view
        assert (
            "_local AS" in view.partition("\nFROM ")[2].partition("\n")[0] or "_local" in view.partition("\nFROM ")[2]
        )


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be put on a cluster"):
        list(arranged("OPTIMIZE TABLE x", CLUSTER))
