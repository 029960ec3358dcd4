"""What calls came to by scope: every kind of scope, by model and by stretch, exact."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from proxy.telemetry import CountedQuery
from proxy.telemetry.reader import Reader
from proxy.telemetry.rows import OperationRow, Table
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

ORG = "counted"
NS = 1_000_000_000
AT_S = int(datetime(2026, 11, 20, 10, 0, tzinfo=UTC).timestamp())
COMMON = {"agent": "triage", "run": "loop/1", "requested_model": "gpt-5", "outcome": "ok", "attempts": 1}


@pytest.fixture
async def reader(collector: CollectorProcess, operation: Callable[..., OperationRow]) -> AsyncIterator[Reader]:
    spool = Spool(collector.spool, "counted")
    rows = [
        operation(1, ORG, **COMMON, charged_at="2026-11-20 10:00:05.999", end_user="u/ü 1", tags={"env": "prod"}),
        operation(2, ORG, **COMMON, charged_at="2026-11-20 10:00:50.000", tool_calls=2, tool_fees={"web_search": 3}),
        operation(3, ORG, **{**COMMON, "requested_model": "claude"}, charged_at="2026-11-20 09:59:59.999"),
        operation(4, ORG, **{**COMMON, "attempts": 0}, charged_at="2026-11-20 10:00:00.000", cost_usd=None),
    ]
    for number, row in enumerate(rows, start=1):
        row.cost_usd = None if row.cost_usd is None else f"9007199.{number:09d}"
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()
    reader = Reader(collector.address)
    yield reader
    await reader.close()


async def test_sums_by_scope_model_and_stretch(reader: Reader) -> None:
    async def ask(kind: str, bucket_s: int = 0) -> dict[tuple[str, str, int], tuple[int, int, int]]:
        found = await reader.counted(CountedQuery(ORG, kind, AT_S * NS, (AT_S + 3600) * NS, bucket_s))
        return {
            (each.scope, each.model, each.at_ns // NS - AT_S): (each.cost, each.requests, each.tool_calls)
            for each in found
        }

    first, second, both = 9_007_199_000_000_001, 9_007_199_000_000_002, 18_014_398_000_000_003
    assert await ask("org") == {(f"org:{ORG}", "gpt-5", 0): (both, 2, 5)}
    assert await ask("org", 10) == {
        (f"org:{ORG}", "gpt-5", 0): (first, 1, 0),
        (f"org:{ORG}", "gpt-5", 50): (second, 1, 5),
    }
    assert {scope for scope, _, _ in await ask("team")} == {f"team:{ORG}/support"}
    assert {scope for scope, _, _ in await ask("key")} == {f"key:{ORG}/support/bot"}
    assert {scope for scope, _, _ in await ask("agent")} == {f"agent:{ORG}/triage"}
    assert {scope for scope, _, _ in await ask("run")} == {f"run:{ORG}/loop/1"}
    assert await ask("user") == {(f"user:{ORG}/u/ü 1", "gpt-5", 5): (first, 1, 0)}
    assert await ask("tag") == {(f"tag:{ORG}/env=prod", "gpt-5", 5): (first, 1, 0)}
    ever = await reader.counted(CountedQuery(ORG, "org", 0, None, 0))
    assert {each.model for each in ever} == {"gpt-5", "claude"}
