"""What the reader says of runs: every run by its org and key, its sums exact, its pages whole."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.core.refusal import Refused
from proxy.core.usage import Bucket
from proxy.telemetry.reader import Reader
from proxy.telemetry.rows import OperationRow, Table
from proxy.telemetry.runs import RunIdentity, RunsQuery, run_cursor
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

Make = Callable[..., OperationRow]
ORG = "runs"


def run_rows(operation: Make) -> list[OperationRow]:
    """Three calls of run `loop` by two agents, the last refused; the same name under another key; thirty others."""
    common: dict[str, Any] = {"run": "loop", "run_source": "header", "tool_calls": 2, "run_depth": 1}
    rows = [
        operation(1, ORG, **common, agent="triage", finished_at="2026-11-20 10:00:05.000"),
        operation(2, ORG, **{**common, "agent": "draft", "run_depth": 2}, cost_usd=None),
        operation(3, ORG, **common, agent="triage", outcome="refused", code="run_stopped", cost_usd="0"),
        operation(4, ORG, **{**common, "key_id": "key_2"}, agent="triage", team="sales", key_name="other"),
        operation(5, "runs2", **common),
        operation(6, ORG),
    ]
    rows += [
        operation(100 + n, ORG, run=f"page/{n} ü'\\", finished_at=f"2026-11-20 09:00:{n:02d}.000") for n in range(30)
    ]
    return rows


@pytest.fixture(scope="module")
def seeded(collector: CollectorProcess) -> Callable[[Make], None]:
    done: list[bool] = []

    def seed(operation: Make) -> None:
        if done:
            return
        done.append(True)
        spool = Spool(collector.spool, "runs")
        for row in run_rows(operation):
            spool.append(Table.OPERATIONS, row)
            spool.settled(row.operation_id)
        spool.close()
        collector.all_shipped()

    return seed


@pytest.fixture
async def reader(collector: CollectorProcess, seeded: Callable[[Make], None], operation: Make) -> AsyncIterator[Reader]:
    seeded(operation)
    reader = Reader(collector.address)
    yield reader
    await reader.close()


async def test_a_run_is_the_sum_of_its_calls(reader: Reader) -> None:
    (found,) = await reader.runs(RunsQuery(org=ORG, run="loop", key="bot"))
    assert found.identity == RunIdentity(ORG, "key_1", "loop")
    assert (found.calls, found.refused, found.unpriced, found.tool_calls) == (3, 1, 1, 6)
    assert (found.cost, found.depth, found.agents) == (2, 2, ("draft", "triage"))
    assert (found.tokens[Bucket.INPUT], found.tokens[Bucket.OUTPUT]) == (3006, 30)
    assert (found.outcomes, found.last_code) == ({"ok": 2, "refused": 1}, "run_stopped")
    assert (found.began_at, found.last_at) == ("2026-11-20 10:00:01.001", "2026-11-20 11:00:00.000")
    assert (found.team, found.key_name, found.source) == ("support", "bot", "header")


async def test_the_same_name_under_another_key_or_org_is_another_run(reader: Reader) -> None:
    ours = await reader.runs(RunsQuery(org=ORG, run="loop"))
    assert {each.identity.key_id: each.calls for each in ours} == {"key_1": 3, "key_2": 1}
    assert [each.identity.org for each in await reader.runs(RunsQuery(org="runs2"))] == ["runs2"]
    assert [each.identity.key_id for each in await reader.runs(RunsQuery(org=ORG, run="loop", team="sales"))] == [
        "key_2"
    ]


async def test_agents_ends_and_identities_narrow(reader: Reader) -> None:
    drafts = await reader.runs(RunsQuery(org=ORG, agent="draft"))
    assert [(each.identity.run, each.calls) for each in drafts] == [("loop", 3)]
    stopped = await reader.runs(RunsQuery(org=ORG, end="stopped"))
    assert [each.identity for each in stopped] == [RunIdentity(ORG, "key_1", "loop")]
    assert len(await reader.runs(RunsQuery(org=ORG, end="open"))) == 31
    identity = RunIdentity(ORG, "key_2", "loop")
    assert [each.identity for each in await reader.runs(RunsQuery(org=None, only=(identity,)))] == [identity]
    assert [each.identity for each in await reader.runs(RunsQuery(org=None, digest=identity.digest))] == [identity]
    assert await reader.runs(RunsQuery(org="runs2", only=(identity,))) == []
    assert identity not in [each.identity for each in await reader.runs(RunsQuery(org=ORG, but=(identity,)))]
    assert await reader.runs(RunsQuery(org=ORG, since=datetime(2027, 1, 1, tzinfo=UTC))) == []


async def test_pages_hold_every_run_once_the_latest_first(reader: Reader) -> None:
    seen, before = [], None
    while page := await reader.runs(RunsQuery(org=ORG, limit=7, before=before)):
        seen += page
        before = run_cursor(page[-1])
    assert len(seen) == len({each.identity for each in seen}) == 32
    assert [each.last_at for each in seen] == sorted((each.last_at for each in seen), reverse=True)


@pytest.mark.parametrize("change", [{"limit": 0}, {"limit": 5000}, {"before": "x"}, {"before": "2026-11-20\x1fa"}])
async def test_a_wrong_page_is_refused(reader: Reader, change: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        await reader.runs(RunsQuery(org=None, **change))
