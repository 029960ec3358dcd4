"""Ledger, rows, rollups, spend API, statements and the FOCUS export agree to the nano-dollar.

Over months of Berlin, where the clock is set back, and of Kathmandu (+05:45), with calls whose rows come late,
calls settled after the month they came in, a reprice of everything, and closed months.
"""

import asyncio
import csv
import io
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from proxy.admin import AdminRooms
from proxy.admin.inside import Inside, Person
from proxy.app.reprice_plan import RepriceFolder
from proxy.app.repricing import Repricer, Target
from proxy.billing import Adjustments, Statements
from proxy.budget import BudgetSpec, BudgetStore, HoldRequest, SqliteLedger, WindowKind
from proxy.cache import PurgeStore
from proxy.core.clock import SetClock, stamp
from proxy.core.ids import new_id
from proxy.core.money import Nano, exact_usd, to_usd_text
from proxy.identity import AdminTokens, KeyStore
from proxy.policy import SwitchStore
from proxy.pricing import PricingSettings, load_book
from proxy.state import StateFile
from proxy.telemetry import Corrections, RepriceQuery, SpendQuery
from proxy.telemetry.reader import Reader
from proxy.telemetry.rows import OperationRow, Table
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

OWNER: Final = Person("ada", "owner", None, None)
PLACES: Final = {"berlin": "Europe/Berlin", "kathmandu": "Asia/Kathmandu"}
MONTHS: Final = ("2026-10", "2026-11")
# Dollars a million tokens, after the reprice: input, output, so that halves of a nano-dollar come up.
RATES: Final = {"m": ("1.2345", "9.8765"), "n": ("0.0015", "0.0045"), "o": ("75", "150.5")}
OVERLAY: Final = "\n".join(
    [
        "models:",
        *(f"  {model}: {{input_usd_per_mtok: {i}, output_usd_per_mtok: {o}}}" for model, (i, o) in RATES.items()),
    ]
)
_AT_ONCE: Final = 500
_NS: Final = 1_000_000_000


@dataclass(kw_only=True)
class Call:
    """One call: when it came in (nanoseconds), what it used and cost, and whether its row is shipped late."""

    row: OperationRow
    zone: ZoneInfo
    at_ns: int
    cost: Nano
    late: bool

    @property
    def month(self) -> str:
        """The month that it counts to, worked out by the standard library alone."""
        return f"{datetime.fromtimestamp(self.at_ns // _NS, self.zone):%Y-%m}"

    @property
    def repriced(self) -> Nano:
        """What it costs after the reprice, worked out in decimals; only calls that were sent are repriced."""
        if self.row.outcome == "refused":
            return self.cost
        given, made = (Decimal(rate) for rate in RATES[self.row.model])
        exact = (self.row.input_tokens * given + self.row.output_tokens * made) * 1000
        return Nano(int(exact.to_integral_value(ROUND_HALF_EVEN)))


@dataclass(kw_only=True)
class Scene:
    """Everything that says what was spent."""

    collector: CollectorProcess
    state: StateFile
    clock: SetClock
    rooms: AdminRooms
    api: Inside
    reader: Reader
    zones: dict[str, str]
    folder: Path
    calls: list[Call] = field(default_factory=list)
    sums: dict[tuple[bool, bool], dict[tuple[str, str], int]] = field(default_factory=dict)

    async def ledger_says(self, org: str, month: str) -> Nano:
        """The spend of the budget's window of that month."""
        ledger = SqliteLedger(self.state, clock=self.clock)
        middle = int(datetime.fromisoformat(f"{month}-15T00:00+00:00").timestamp()) * _NS
        catalog = BudgetStore(self.state, clock=self.clock).load()
        balances = await ledger.balances(catalog.lines_for([f"org:{org}"], middle))
        await ledger.close()
        (balance,) = balances
        assert balance.held == 0
        return balance.spent

    def bounds(self, org: str, month: str) -> tuple[datetime, datetime]:
        """The month's first instant, and the next one's."""
        year, number = (int(part) for part in month.split("-"))
        zone = ZoneInfo(self.zones[org])
        start, end = datetime(year, number, 1, tzinfo=zone), datetime(year, number + 1, 1, tzinfo=zone)
        return start.astimezone(UTC), end.astimezone(UTC)

    async def everyone_says(self, org: str, month: str) -> dict[str, int]:
        """What each one says that was spent, in nano-dollars."""
        start, end = self.bounds(org, month)
        span = {"start_time": str(int(start.timestamp())), "end_time": str(int(end.timestamp())), "org": org}
        days = await self._spend(span | {"bucket_width": "1d", "timezone": self.zones[org], "limit": "1000"})
        by_tag = await self._spend(span | {"bucket_width": "all", "group_by": "tag:env"})
        one = SpendQuery(org=org, start=start, end=end, timezone=self.zones[org], bucket="day", limit=100_000)
        focus = csv.DictReader(io.StringIO((await self.reader.focus(one, (), "csv")).decode()))
        client = self.collector.client()
        when = f"charged_at >= {_sql(start)} AND charged_at < {_sql(end)}"
        of = f"org = '{org}' AND "
        rows, corrected = (
            client.query(f"SELECT coalesce(sum(toDecimal128(ifNull({column}, 0), 9)), 0) FROM {table} WHERE {of}{when}")
            for table, column in (("operations", "cost_usd"), ("corrections", "delta_usd"))
        )
        when = f"quarter >= {_sql(start)} AND quarter < {_sql(end)}"
        quarters = client.query(f"SELECT sum(cost_usd) FROM spend_quarter_hours WHERE {of}{when}")
        return {
            "rows": _nano(rows.result_rows[0][0]) + _nano(corrected.result_rows[0][0]),
            "rollups": _nano(quarters.result_rows[0][0]),
            "spend by day": sum(each.cost_nano for each in days),
            "spend by tag": sum(each.cost_nano for each in by_tag),
            "focus": sum(exact_usd(line["BilledCost"]) for line in focus),
        }

    async def close_month(self, org: str, month: str) -> Any:
        """The month's statements."""
        told = await self.api.ask(OWNER, "POST", f"/periods/{org}/{month}/close", body={"timezone": self.zones[org]})
        return told.shape

    async def _spend(self, query: dict[str, str]) -> Sequence[Any]:
        told = await self.api.ask(OWNER, "GET", "/spend", query=query)
        assert not told.shape.has_more
        found: Sequence[Any] = told.shape.data
        return found


@pytest.fixture
async def scene(collector: CollectorProcess, tmp_path: Path, count: int) -> AsyncIterator[Scene]:
    clock = SetClock(datetime(2026, 10, 1, tzinfo=UTC))
    state, reader = StateFile(tmp_path / "ledger.sqlite"), Reader(collector.address)
    budgets = BudgetStore(state, clock=clock)
    rooms = AdminRooms(
        state=state,
        hash_key=bytes(32),
        key_store=KeyStore(state, bytes(32), clock=clock),
        tokens=AdminTokens(state, bytes(32), clock=clock),
        budget_store=budgets,
        reader=reader,
        runs=SqliteLedger(state, clock=clock),
        switch_store=SwitchStore(state, clock=clock),
        purge_store=PurgeStore(state, clock=clock),
        statements=Statements(state),
        adjustments=Adjustments(state, clock=clock),
        operations_days=4000,
        clock=clock,
    )
    zones = {f"money-{place}-{count}": zone for place, zone in PLACES.items()}
    for org, zone in zones.items():
        budgets.put(
            BudgetSpec(
                name=org, scope=f"org:{org}", limit=Nano(10**15), window=WindowKind.MONTH, timezone=zone, hard=False
            )
        )
    yield Scene(
        collector=collector,
        state=state,
        clock=clock,
        rooms=rooms,
        api=Inside(rooms),
        reader=reader,
        zones=zones,
        folder=tmp_path,
    )
    await reader.close()


@pytest.mark.parametrize(
    "count",
    [
        2_000,
        # Five minutes and twenty on two cores that were half taken; four times that, where a dozen others want them.
        pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)]),
        pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(10_800)]),
    ],
)
async def test_all_agree_to_the_nano_dollar(scene: Scene, count: int) -> None:
    for org in scene.zones:
        scene.calls += _calls(scene, org, count // len(scene.zones), random.Random(f"{org} {count}"))
    await _serve(scene)
    _ship(scene, [call for call in scene.calls if not call.late])

    closed: dict[str, Any] = {}
    for org in scene.zones:
        for month in MONTHS:
            known = await scene.everyone_says(org, month)
            assert set(known.values()) == {_sum(scene, org, month, late=False)}, (org, month, known)
        _move_to(scene.clock, datetime(2026, 11, 5, tzinfo=UTC))
        closed[org] = await scene.close_month(org, MONTHS[0])
        assert closed[org].total_nano == _sum(scene, org, MONTHS[0], late=False)

    _ship(scene, [call for call in scene.calls if call.late])
    for org in scene.zones:
        for month in MONTHS:
            known = await scene.everyone_says(org, month)
            known["ledger"] = await scene.ledger_says(org, month)
            assert set(known.values()) == {_sum(scene, org, month)}, (org, month, known)

    await _reprice(scene)
    for org in scene.zones:
        for month in MONTHS:
            known = await scene.everyone_says(org, month)
            assert set(known.values()) == {_sum(scene, org, month, repriced=True)}, (org, month, known)

    _move_to(scene.clock, datetime(2026, 12, 2, tzinfo=UTC))
    for org in scene.zones:
        last = await scene.close_month(org, MONTHS[1])
        both = _sum(scene, org, MONTHS[0], repriced=True) + _sum(scene, org, MONTHS[1], repriced=True)
        assert closed[org].total_nano + last.total_nano == both, "what came late and was repriced is charged once"
        assert sum(each.adjustments_nano for each in last.statements) == (
            _sum(scene, org, MONTHS[0], repriced=True) - closed[org].total_nano
        )
    await _reprice(scene)  # again: nothing changes
    for org in scene.zones:
        assert set((await scene.everyone_says(org, MONTHS[0])).values()) == {_sum(scene, org, MONTHS[0], repriced=True)}


def _calls(scene: Scene, org: str, count: int, chance: random.Random) -> list[Call]:
    """Calls of two months, some at the very edges of days, of months, and of the hour that comes twice."""
    start, end = scene.bounds(org, MONTHS[0])[0], scene.bounds(org, MONTHS[1])[1]
    edges = [
        start,
        scene.bounds(org, MONTHS[1])[0],
        datetime(2026, 10, 25, 1, tzinfo=UTC),
        datetime(2026, 10, 25, tzinfo=UTC),
    ]
    first, last = int(start.timestamp()) * _NS, int(end.timestamp()) * _NS
    moments = [
        int(edge.timestamp()) * _NS + off
        for edge in edges
        for off in (0, -1, -1_000_000, 999_999)
        if edge > start or off >= 0
    ]
    moments += [last - 1, *(chance.randrange(first, last) for _ in range(count - len(moments) - 1))]
    return [_call(org, ZoneInfo(scene.zones[org]), at_ns, chance) for at_ns in moments]


def _call(org: str, zone: ZoneInfo, at_ns: int, chance: random.Random) -> Call:
    refused, cost = (
        chance.random() < 0.1,
        Nano(chance.choice((0, 1, chance.randrange(10**9), chance.randrange(10**12)))),
    )
    cost = Nano(0) if refused else cost
    model = chance.choice("mno")
    row = OperationRow(
        operation_id=new_id("op"),
        charged_at=stamp(at_ns),
        finished_at=stamp(at_ns + 5 * _NS),
        org=org,
        team=chance.choice(("support", "research", "sales")),
        key_id="key_1",
        key_name=chance.choice(("bot", "nightly")),
        cost_center=chance.choice(("", "4711")),
        tags={"env": chance.choice(("prod", "a'b"))},
        model=model,
        requested_model=model,
        provider="here",
        outcome="refused" if refused else "ok",
        attempts=0 if refused else 1,
        usage_source="none" if refused else "provider",
        input_tokens=0 if refused else chance.randrange(200_000),
        output_tokens=0 if refused else chance.randrange(9_000),
        cost_usd=to_usd_text(cost),
        list_usd=to_usd_text(cost),
        price_version="0123456789ab",
    )
    return Call(row=row, zone=zone, at_ns=at_ns, cost=cost, late=chance.random() < 0.03)


async def _serve(scene: Scene) -> None:
    """Hold and settle every call that costs anything; each is settled later than it came in, many on the next day."""
    ledger = SqliteLedger(scene.state, clock=scene.clock)
    catalog = BudgetStore(scene.state, clock=scene.clock).load()

    async def serve(call: Call) -> None:
        request = HoldRequest(
            operation=call.row.operation_id,
            worker="w",
            lines=catalog.lines_for([f"org:{call.row.org}"], call.at_ns),
            amount=Nano(call.cost + 1),
            charged_at_ns=call.at_ns,
            lease_until_ns=call.at_ns + 10**15,
            start_record=b"",
        )
        await ledger.hold(request)
        await ledger.settle(call.row.operation_id, call.cost, call.at_ns + 86_400 * _NS)

    for at in range(0, len(scene.calls), _AT_ONCE):
        await asyncio.gather(*(serve(call) for call in scene.calls[at : at + _AT_ONCE]))
    await ledger.close()


def _ship(scene: Scene, calls: Sequence[Call]) -> None:
    spool = Spool(scene.collector.spool, f"money-{new_id('wrk')[-12:]}")
    for call in calls:
        spool.append(Table.OPERATIONS, call.row)
        spool.settled(call.row.operation_id)
    spool.close()
    scene.collector.all_shipped(600)


async def _reprice(scene: Scene) -> None:
    path = scene.folder / "prices.yaml"
    path.write_text(OVERLAY)
    repricer = Repricer(Target(book=load_book(PricingSettings(overlay=path))), {}, "test")
    folder, corrections = RepriceFolder(scene.folder / "reprice"), Corrections(scene.collector.address)
    for org in scene.zones:
        start, end = scene.bounds(org, MONTHS[0])[0], scene.bounds(org, MONTHS[1])[1]
        asked = RepriceQuery(start=start, end=end, org=org)
        if (await folder.plan(corrections, asked, repricer, scene.clock, lambda _: None)).corrections:
            folder.decide()
            await folder.carry_out(corrections, lambda _: None)
    await corrections.close()


def _sum(scene: Scene, org: str, month: str, *, late: bool = True, repriced: bool = False) -> int:
    """What it must come to: added up one by one, once for each way to ask."""
    sums = scene.sums.get((late, repriced))
    if sums is None:
        sums = scene.sums[late, repriced] = defaultdict(int)
        for call in scene.calls:
            if late or not call.late:
                sums[call.row.org, call.month] += call.repriced if repriced else call.cost
    return sums[org, month]


def _move_to(clock: SetClock, when: datetime) -> None:
    clock.move((when - datetime.fromtimestamp(clock.now_ns() / _NS, UTC)) / timedelta(seconds=1))


def _nano(dollars: Decimal) -> int:
    return int(Decimal(dollars).scaleb(9))


def _sql(at: datetime) -> str:
    return f"toDateTime64('{at:%Y-%m-%d %H:%M:%S}', 3, 'UTC')"
