"""Targets beside each other are summed up exactly, copies apart; versions of models are told by target."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from proxy.telemetry import VariantsQuery
from proxy.telemetry.reader import Reader
from proxy.telemetry.rows import AttemptRow, OperationRow, Table
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

ORG = "variants"
START = datetime(2026, 11, 20, 10, tzinfo=UTC)
ASKED = VariantsQuery(START, START + timedelta(hours=1), ORG)


@pytest.fixture(scope="module")
def seeded(collector: CollectorProcess) -> None:
    spool = Spool(collector.spool, ORG)

    def attempt(number: int, variant: str, **more: object) -> None:
        values = {"outcome": "ok", "cost_usd": "0.000000010", "output_tokens": 3, "route": "assistant", **more}
        row = AttemptRow(
            attempt_id=f"att_variants{number}",
            operation_id=f"op_variants{number}",
            started_at="2026-11-20 10:00:00.000",
            org=ORG,
            team="t",
            key_id="k",
            key_name="k",
            variant=variant,
            provider="variants-up",
            sent_model="m",
            model="m-1",
            **values,  # type: ignore[arg-type]  # columns by name
        )
        spool.append(Table.ATTEMPTS, row)

    for number in range(20):
        failed = number % 10 == 0
        attempt(number, "stable", outcome="upstream_error" if failed else "ok", duration_ms=100.0 + number)
    attempt(100, "canary", finish_reason="length", ttft_ms=40.0, duration_ms=80.0, system_fingerprint="fp_2")
    attempt(101, "canary", outcome="cancelled")
    attempt(102, "", route="")
    attempt(103, "copy", purpose="shadow", duration_ms=50.0)
    for operation, more in (("op_served", {"cost_usd": "0.000000500"}), ("op_copy", {"beside": "op_served"})):
        is_copy = operation == "op_copy"
        row = OperationRow(
            operation_id=operation,
            charged_at="2026-11-20 10:00:00.000",
            finished_at="2026-11-20 10:00:00.000",
            org=ORG,
            team="t",
            key_id="k",
            key_name="k",
            route="assistant",
            outcome="ok",
            purpose="shadow" if is_copy else "serve",
            variant="copy" if is_copy else "stable",
            similarity=0.75 if is_copy else None,
            **more,  # type: ignore[arg-type]  # columns by name
        )
        spool.append(Table.OPERATIONS, row)
        spool.settled(operation)
    for number in (*range(20), 100, 101, 102, 103):
        spool.settled(f"op_variants{number}")
    spool.close()
    collector.all_shipped()


@pytest.fixture
async def reader(collector: CollectorProcess, seeded: None) -> AsyncIterator[Reader]:
    reader = Reader(collector.address)
    yield reader
    await reader.close()


async def test_each_target_has_its_own_sums_and_copies_stand_apart(reader: Reader) -> None:
    canary, stable, copy = await reader.variants(ASKED)
    assert (stable.route, stable.variant, stable.calls, stable.failed) == ("assistant", "stable", 20, 2)
    assert (stable.cost, stable.priced, stable.output_tokens, stable.cut) == (180, 18, 54, 0)
    assert stable.p50_ms is not None and 105 < stable.p50_ms < 115 and stable.ttft_ms is None
    assert (canary.calls, canary.cut, canary.ttft_ms, canary.p95_ms) == (1, 1, 40.0, 80.0), "cancelled is no answer"
    assert (copy.variant, copy.is_copy, copy.similarity, copy.beside_cost) == ("copy", True, 0.75, 500)
    assert (stable.similarity, stable.beside_cost) == (None, None)


async def test_it_stays_inside_the_org_the_route_and_the_time(reader: Reader) -> None:
    assert await reader.variants(ASKED._replace(org="nobody")) == []
    assert await reader.variants(ASKED._replace(route="other")) == []
    assert await reader.variants(ASKED._replace(start=START + timedelta(minutes=1))) == []
    assert len(await reader.variants(ASKED._replace(org=None, route="assistant"), with_likeness=False)) == 3


async def test_versions_are_told_by_target(reader: Reader) -> None:
    found = await reader.served(START, START + timedelta(hours=1))
    ours = [each for each in found if each.provider == "variants-up"]
    assert {(each.model, each.fingerprint, each.calls) for each in ours} == {("m-1", "", 20), ("m-1", "fp_2", 1)}
    assert all(each.operation.startswith("op_variants") for each in ours)
