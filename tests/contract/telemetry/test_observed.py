"""What would have been refused is summed up exactly, and stays inside the org and team."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proxy.core.refusal import Refused
from proxy.telemetry.observed import ObservedQuery
from proxy.telemetry.reader import Reader
from proxy.telemetry.rows import OperationRow, Table
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

START = datetime(2026, 9, 1, tzinfo=UTC)
EVER: dict[str, Any] = {"start": START, "end": START + timedelta(days=1)}


@pytest.fixture(scope="module")
def seeded(collector: CollectorProcess) -> None:
    rows = []
    for number in range(300):
        would = number % 3 == 0
        rows.append(
            OperationRow(
                operation_id=f"op_watched{number}",
                charged_at=(START + timedelta(minutes=number)).isoformat(sep=" ", timespec="milliseconds")[:23],
                finished_at="2026-09-01 10:00:00.000",
                org="watched" if number % 2 else "watched-too",
                team="support" if number % 5 else "sales",
                key_id="key_1",
                key_name="bot",
                agent="triage" if number % 9 == 0 else "",
                outcome="ok",
                would_code=("rate_limited" if number % 2 else "budget_exceeded") if would else "",
                would_by=("org:watched/rpm" if number % 2 else "org:watched-too/month") if would else "",
                cost_usd=None if number == 3 else f"0.{number:09d}",
            )
        )
    spool = Spool(collector.spool, "watched")
    for row in rows:
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()


@pytest.fixture
async def reader(collector: CollectorProcess, seeded: None) -> AsyncIterator[Reader]:
    reader = Reader(collector.address)
    yield reader
    await reader.close()


async def test_groups_and_sums_are_exact(reader: Reader) -> None:
    found = await reader.observed(ObservedQuery(org="watched", **EVER))
    wanted = [number for number in range(300) if number % 3 == 0 and number % 2]
    assert (found.calls, found.would_refuse) == (150, len(wanted))
    assert found.cost == sum(wanted) - 3
    assert sum(each.calls for each in found.each) == len(wanted)
    assert sum(each.cost for each in found.each) == found.cost
    assert {(each.code, each.by) for each in found.each} == {("rate_limited", "org:watched/rpm")}
    assert [each.calls for each in found.each] == sorted((each.calls for each in found.each), reverse=True)
    (agents,) = [each for each in found.each if each.agent == "triage" and each.team == "support"]
    theirs = [number for number in wanted if number % 9 == 0 and number % 5]
    assert (agents.org, agents.key, agents.calls) == ("watched", "bot", len(theirs))
    assert (agents.first, agents.last) == tuple(START + timedelta(minutes=at) for at in (theirs[0], theirs[-1]))


async def test_it_stays_inside_the_org_the_team_and_the_time(reader: Reader) -> None:
    assert (await reader.observed(ObservedQuery(org="nobody", **EVER))).calls == 0
    sales = await reader.observed(ObservedQuery(org="watched", team="sales", **EVER))
    assert sales.calls == 30 and {each.team for each in sales.each} == {"sales"}
    hour = await reader.observed(ObservedQuery(org=None, start=START, end=START + timedelta(hours=1)))
    assert hour.calls == 60 and {each.org for each in hour.each} == {"watched", "watched-too"}


async def test_a_question_that_makes_no_sense_is_refused(reader: Reader) -> None:
    for bad in ({"limit": 0}, {"limit": 1001}, {"end": START}, {"start": START.replace(tzinfo=None)}):
        with pytest.raises(Refused):
            await reader.observed(ObservedQuery(**{"org": None, **EVER, **bad}))
