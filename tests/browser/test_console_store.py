"""What the console reads from a real store is what the rows say, to the nano-dollar, for every range and grouping."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import pytest

from proxy.admin.console import StoreReadings
from proxy.admin.console.readings import RecentAsked, SpendAsked, SpendSeen
from proxy.admin.console.span import SPANS, Span, Window, window
from proxy.core.money import Nano, exact_usd
from proxy.telemetry import OperationRow, OperationSearch, Reader
from tests.browser.seeded_console import NOW, Site

pytestmark = pytest.mark.browser

Name = Callable[[OperationRow], str]
NAMES: dict[str, Name] = {
    "model": lambda row: row.model,
    "team": lambda row: f"{row.org}/{row.team}",
    "key": lambda row: f"{row.org}/{row.team}/{row.key_name}",
    "provider": lambda row: row.provider,
    "agent": lambda row: row.agent,
    "org": lambda row: row.org,
}


def at(row: OperationRow) -> datetime:
    return datetime.fromisoformat(f"{row.charged_at}+00:00")


def inside(rows: list[OperationRow], laid: Window) -> list[OperationRow]:
    return [row for row in rows if laid.start <= at(row) < laid.end]


def cost(rows: list[OperationRow]) -> Nano:
    return Nano(sum(exact_usd(row.cost_usd) for row in rows if row.cost_usd))


def by_name(rows: list[OperationRow], name: Name) -> dict[str, list[OperationRow]]:
    gathered: dict[str, list[OperationRow]] = defaultdict(list)
    for row in rows:
        gathered[name(row)].append(row)
    return gathered


async def read(site: Site, span: Span, by: str, org: str | None = None, team: str | None = None) -> SpendSeen:
    reader = Reader(site.store)
    asked = SpendAsked(window=window(span, NOW), by=by, org=org, team=team, series=4, rows=7)
    try:
        return await StoreReadings(reader).spend(asked)
    finally:
        await reader.close()


@pytest.mark.parametrize("by", list(NAMES))
@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
async def test_sums_series_and_totals(site: Site, span: Span, by: str) -> None:
    laid = window(span, NOW)
    rows = inside(site.rows, laid)
    seen = await read(site, span, by)
    assert (seen.whole.cost, seen.whole.calls) == (cost(rows), len(rows))
    assert seen.whole.refused == sum(row.outcome == "refused" for row in rows)
    assert seen.whole.tokens == sum(row.input_tokens + row.cache_read_tokens + row.output_tokens for row in rows)
    assert seen.earlier == cost(inside(site.rows, laid.before))
    names = by_name(rows, NAMES[by])
    dearest = sorted(names, key=lambda name: (-cost(names[name]), -len(names[name]), name))
    assert [(one.name, one.cost, one.calls) for one in seen.names] == [
        (name, cost(names[name]), len(names[name])) for name in dearest[:7]
    ]
    assert list(seen.series) == dearest[:4]
    for slot in laid.slots:
        own = [row for row in rows if slot <= at(row) < slot + span.slot]
        assert seen.slots.get(slot, 0) == cost(own)
        for name in dearest[:4]:
            assert seen.series[name].get(slot, 0) == cost([row for row in own if NAMES[by](row) == name])


async def test_a_bound_person_gets_their_own_only(site: Site) -> None:
    day = SPANS[3]
    own = [row for row in inside(site.rows, window(day, NOW)) if (row.org, row.team) == ("acme", "research")]
    for by in ("model", "team", "key"):
        seen = await read(site, day, by, "acme", "research")
        assert (seen.whole.cost, seen.whole.calls) == (cost(own), len(own))
    assert {one.name for one in seen.names} == {row.key_name for row in own}


async def test_operations_stay_within_org_and_team(site: Site) -> None:
    reader = Reader(site.store)
    readings = StoreReadings(reader)
    row = next(row for row in site.rows if (row.org, row.team, row.outcome) == ("acme", "research", "ok"))
    story = await readings.operation(row.operation_id, "acme", "research")
    assert story is not None and story.operation.cost == exact_usd(row.cost_usd or "0")
    assert [line.usd for line in story.attempts[0].price_lines] == ["0.0015", "0.0081200000001"]
    assert list(story.operation.stages_ms) == list(row.stages_ms)
    assert await readings.operation(row.operation_id, "acme", "support") is None
    assert await readings.operation(row.operation_id, "globex", None) is None
    asked = RecentAsked(org="acme", team="research", limit=20, chosen={"outcome": "refused"})
    found = await readings.recent(asked)
    wanted = [row for row in site.rows if (row.org, row.team, row.outcome) == ("acme", "research", "refused")]
    newest = sorted(wanted, key=lambda each: each.charged_at, reverse=True)[:20]
    assert [one.operation_id for one in found] == [each.operation_id for each in newest]
    others = RecentAsked(org="acme", team="research", limit=20, chosen={"team": "support"})
    assert await readings.recent(others) == []
    await reader.close()


async def test_operations_are_found_by_time_cost_and_how_their_ids_begin(site: Site) -> None:
    reader = Reader(site.store)
    readings = StoreReadings(reader)
    since, until = (datetime.fromisoformat(f"2026-11-{day}T00:00+00:00") for day in (10, 18))
    least, most = Nano(10**9), Nano(2 * 10**9)
    search = OperationSearch(start=since, end=until, least=least, most=most, prefix="op_seed0")
    found = await readings.recent(RecentAsked(org=None, team=None, limit=300, search=search))
    wanted = {
        row.operation_id
        for row in site.rows
        if since <= at(row) < until and row.cost_usd and least <= exact_usd(row.cost_usd) <= most
    }
    assert {one.operation_id for one in found} == wanted and wanted
    one = OperationSearch(prefix=site.rows[7].operation_id)
    assert [
        each.operation_id for each in await readings.recent(RecentAsked(org=None, team=None, limit=2, search=one))
    ] == [site.rows[7].operation_id]
    assert await readings.recent(RecentAsked(org="nobody", team=None, limit=2, search=one)) == []
    await reader.close()


async def test_nothing_is_nothing(site: Site) -> None:
    seen = await read(site, SPANS[1], "model", "nobody")
    assert (seen.whole.calls, list(seen.names), dict(seen.series), seen.earlier) == (0, [], {}, 0)
