"""Decisions come back from a real store as they were written, narrowed, in order, and inside the org."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from proxy.core.ids import new_id
from proxy.core.refusal import Refused
from proxy.telemetry import DecisionRow, DecisionsQuery, Reader, Spool, Table, decision_cursor
from tests.contract.telemetry.collecting import CollectorProcess

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
ALL = DecisionsQuery(org="decided")


@pytest.fixture(scope="module")
def seeded(collector: CollectorProcess) -> list[DecisionRow]:
    """Two hundred decisions, one a second, the latest last; every tenth is another org's."""
    rows = [_row(number) for number in range(200)]
    spool = Spool(collector.spool, "seed_decided")
    for row in rows:
        spool.append(Table.DECISIONS, row)
    spool.close()
    collector.all_shipped()
    return [row for row in rows if row.org == "decided"]


def _row(number: int) -> DecisionRow:
    at = START + timedelta(seconds=number)
    allow = number % 3 != 0
    return DecisionRow(
        decision_id=f"dec_{number:04}",
        operation_id=f"op_{number // 4}",
        decided_at=at.isoformat(sep=" ", timespec="milliseconds")[:23],
        org="decided" if number % 10 else "other",
        team=("support", "sales")[number % 2],
        key_id="key_1",
        key_name=("bot", "ci")[number % 2],
        agent="triage",
        run=f"run_{number % 7}",
        point=("request", "route", "tool_call")[number % 3],
        engine="embedded",
        revision="r1",
        shadow=number % 5 == 0,
        differs=number % 10 == 5,
        allow=allow,
        code="" if allow else "a",
        message="" if allow else 'it\'s \\ "no" 日本',
        denials=[] if allow else ["a", "b"],
        obligations='[{"type":"no_cache"}]',
        latency_us=12.5,
        input='{"org":"decided"}',
        unread=["clock"],
    )


@pytest.fixture
async def reader(collector: CollectorProcess) -> AsyncIterator[Reader]:
    reader = Reader(collector.address)
    yield reader
    await reader.close()


async def test_a_row_comes_back_as_it_was_written(reader: Reader, seeded: list[DecisionRow]) -> None:
    wanted = seeded[-1]
    asked = replace(ALL, filters={"decision": [wanted.decision_id]}, whole=True)
    assert await reader.decisions(asked) == [wanted]
    (lean,) = await reader.decisions(replace(asked, whole=False))
    assert lean.input == "" and lean.unread == wanted.unread
    assert await reader.decisions(replace(asked, org="other")) == []


async def test_they_come_newest_first_page_by_page(reader: Reader, seeded: list[DecisionRow]) -> None:
    found: list[str] = []
    before = None
    while page := await reader.decisions(replace(ALL, limit=50, before=before)):
        found += [row.decision_id for row in page]
        before = decision_cursor(page[-1])
    assert found == [row.decision_id for row in reversed(seeded)]


@pytest.mark.parametrize(
    ("filters", "flags"),
    [
        ({"point": ["request"]}, {}),
        ({"key": ["ci"], "run": ["run_3"]}, {}),
        ({"team": ["support"]}, {"allow": False}),
        ({}, {"shadow": True, "differs": True}),
        ({"operation": ["op_7", "op_8"]}, {}),
    ],
)
async def test_they_are_narrowed(
    reader: Reader, seeded: list[DecisionRow], filters: dict[str, list[str]], flags: dict[str, bool]
) -> None:
    columns = {"key": "key_name", "operation": "operation_id"}
    wanted = [
        row.decision_id
        for row in reversed(seeded)
        if all(getattr(row, columns.get(name, name)) in values for name, values in filters.items())
        and all(getattr(row, name) is value for name, value in flags.items())
    ]
    found = await reader.decisions(replace(ALL, filters=filters, flags=flags, limit=1000))
    assert [row.decision_id for row in found] == wanted != []


async def test_a_code_is_found_among_all_that_said_no(reader: Reader, seeded: list[DecisionRow]) -> None:
    for code in ("a", "b"):
        found = await reader.decisions(replace(ALL, filters={"code": [code]}, limit=1000))
        assert {row.decision_id for row in found} == {row.decision_id for row in seeded if not row.allow}


async def test_a_time_holds_from_its_start_to_before_its_end(reader: Reader, seeded: list[DecisionRow]) -> None:
    start = START + timedelta(seconds=21)
    found = await reader.decisions(replace(ALL, start=start, end=start + timedelta(seconds=3)))
    assert [row.decision_id for row in found] == ["dec_0023", "dec_0022", "dec_0021"]


async def test_an_id_that_tells_its_time_is_looked_for_around_it(reader: Reader, seeded: list[DecisionRow]) -> None:
    assert await reader.decisions(replace(ALL, filters={"operation": [new_id("op")]})) == []


@pytest.mark.parametrize(
    "asked",
    [
        replace(ALL, filters={"worker": ["w"]}),
        replace(ALL, flags={"org": True}),
        replace(ALL, limit=0),
        replace(ALL, before="x"),
    ],
)
async def test_a_question_that_is_none_is_refused(reader: Reader, asked: DecisionsQuery) -> None:
    with pytest.raises(Refused):
        await reader.decisions(asked)
