"""Pasts that are asked for together: one question, each its own rows, and nobody's end is another's."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from proxy.admin.histories import MOST_LINES, Histories, Place
from proxy.core.money import ZERO, Nano
from proxy.telemetry import SpendQuery, SpendRow, TelemetryUnavailable

HOUR = 3_600_000_000_000
SPAN = (0, 24 * HOUR)


@dataclass
class Store:
    """Answers with one row for each combination of what was asked for, and others beside them."""

    asked: list[SpendQuery] = field(default_factory=list)
    fails: bool = False
    many: bool = False
    waits: asyncio.Event | None = None

    async def spend(self, asked: SpendQuery) -> list[SpendRow]:
        self.asked.append(asked)
        if self.waits is not None:
            await self.waits.wait()
        if self.fails:
            raise TelemetryUnavailable("away")
        if self.many and len(next(iter(asked.filters.values()))) > 1:
            return [_row({name: "x" for name in asked.group_by})] * MOST_LINES
        names = list(asked.filters)
        combined: list[dict[str, str]] = [{}]
        for name in names:
            combined = [{**one, name: value} for one in combined for value in asked.filters[name]]
        return [_row(one) for one in combined]


def _row(group: dict[str, str]) -> SpendRow:
    amount = Nano(sum(map(ord, "".join(group.values()))))
    at = datetime(1970, 1, 1, tzinfo=UTC)
    return SpendRow(
        bucket_start=at, group=group, calls=1, unpriced=0, refused=0, cost=amount, list_cost=ZERO, tokens={}
    )


def key(team: str, name: str, org: str = "acme") -> Place:
    return Place(org, ("team", "key"), (team, name))


async def test_those_who_ask_at_once_are_answered_by_one_question() -> None:
    store = Store()
    histories = Histories(store)
    places = [key("a", "k1"), key("a", "k2"), key("b", "k1"), key("a", "k1", "beta"), Place("acme", ("team",), ("a",))]
    answers = await asyncio.gather(*(histories.rows(place, *SPAN) for place in places))
    assert len(store.asked) == 3
    for place, rows in zip(places, answers, strict=True):
        assert [tuple(row.group.values()) for row in rows] == [place.values]
    first = store.asked[0]
    assert (first.org, first.filters, first.group_by) == (
        "acme",
        {"team": ["a", "b"], "key": ["k1", "k2"]},
        ("team", "key"),
    )
    await histories.rows(places[0], *SPAN)
    assert len(store.asked) == 4


async def test_a_store_that_is_away_refuses_all_of_them_at_once() -> None:
    store = Store(fails=True)
    histories = Histories(store)
    told = await asyncio.gather(*(histories.rows(key("a", f"k{n}"), *SPAN) for n in range(5)), return_exceptions=True)
    assert all(isinstance(one, TelemetryUnavailable) for one in told) and len(store.asked) == 1
    with pytest.raises(TelemetryUnavailable):
        await histories.rows(key("a", "k1"), *SPAN)


async def test_whoever_leads_may_leave() -> None:
    store = Store(waits=asyncio.Event())
    histories = Histories(store)
    async with asyncio.TaskGroup() as tasks:
        leader = tasks.create_task(histories.rows(key("a", "k1"), *SPAN))
        follower = tasks.create_task(histories.rows(key("a", "k2"), *SPAN))
        gone = tasks.create_task(histories.rows(key("a", "k3"), *SPAN))
        while not store.asked:  # noqa: ASYNC110 - until the question is under way
            await asyncio.sleep(0.001)
        gone.cancel()
        leader.cancel()
        assert store.waits is not None
        store.waits.set()
    assert leader.cancelled() and gone.cancelled()
    assert [row.group["key"] for row in follower.result()] == ["k2"]


async def test_too_many_rows_beside_theirs_are_not_read_along() -> None:
    store = Store(many=True)
    histories = Histories(store)
    first, second = await asyncio.gather(histories.rows(key("a", "k1"), *SPAN), histories.rows(key("b", "k2"), *SPAN))
    assert [one.group["team"] for one in (*first, *second)] == ["a", "b"]
    assert len(store.asked) == 3
