"""The reader's sums are exact, its answers stay inside the org, and what it cannot answer it says."""

import asyncio
import csv
import io
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow.parquet as pq
import pytest

from proxy.core.ids import new_id
from proxy.core.money import Nano, exact_usd, to_usd_text
from proxy.core.refusal import Refusal, Refused
from proxy.core.secret import Secret
from proxy.core.usage import Bucket
from proxy.telemetry.reader import Reader, cursor
from proxy.telemetry.rows import OperationRow, Table
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.spend import SpendQuery, read_spend, select_spend
from proxy.telemetry.spool import Spool
from proxy.telemetry.store import StoreAddress, TelemetryUnavailable
from tests.contract.telemetry.collecting import CollectorProcess

Make = Callable[..., Any]
START = datetime(2026, 10, 24, tzinfo=UTC)
ALL = SpendQuery(org="spend", start=START, end=START + timedelta(days=3))
TEAMS = ("support", "it's", 'q"uo\\te', "日本")


@pytest.fixture(scope="module")
def seeded(collector: CollectorProcess) -> list[OperationRow]:
    """Three days around the end of summer time, with awkward names and very unequal amounts."""
    chance = random.Random(11)
    rows = []
    for number in range(4000):
        at = START + timedelta(seconds=chance.uniform(0, 3 * 86400))
        cost = chance.choice([None, "0.00", to_usd_text(Nano(chance.randrange(10**18)))])
        rows.append(
            OperationRow(
                operation_id=f"op_spend{number}",
                charged_at=at.isoformat(sep=" ", timespec="milliseconds")[:23],
                finished_at="2026-11-20 10:00:00.000",
                org="spend" if number % 5 else "other",
                team=chance.choice(TEAMS),
                key_id="key_1",
                key_name="bot",
                model=chance.choice(["gpt-5-mini", "gpt-5"]),
                outcome=chance.choice(["ok", "refused"]),
                end_user=chance.choice(["u1", "u2"]),
                tags={"feature": chance.choice(TEAMS)},
                refused_by=("", "user:spend/a/b/user-day", "org:spend/day")[number % 3],
                cost_usd=cost,
                list_usd=cost,
                input_tokens=chance.randrange(10**6),
            )
        )
    spool = Spool(collector.spool, "seed")
    for row in rows:
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()
    return [row for row in rows if row.org == "spend"]


@pytest.fixture
async def reader(collector: CollectorProcess) -> AsyncIterator[Reader]:
    reader = Reader(collector.address)
    yield reader
    await reader.close()


async def test_what_refused_is_found_by_its_name_alone(reader: Reader, seeded: list[OperationRow]) -> None:
    found = await reader.recent(org="spend", filters={"refused_by": ["user-day"]}, limit=1000)
    wanted = {row.operation_id for row in seeded if row.refused_by == "user:spend/a/b/user-day"}
    assert {row.operation_id for row in found} <= wanted and len(found) == min(1000, len(wanted))


def at(row: OperationRow) -> datetime:
    return datetime.fromisoformat(row.charged_at).replace(tzinfo=UTC)


def total(rows: list[OperationRow]) -> Nano:
    return Nano(sum(exact_usd(row.cost_usd or "0") for row in rows))


async def test_the_total_is_exact_to_the_nano_dollar(reader: Reader, seeded: list[OperationRow]) -> None:
    (row,) = await reader.spend(ALL)
    assert (row.calls, row.cost, row.list_cost) == (len(seeded), total(seeded), total(seeded))
    assert row.unpriced == sum(each.cost_usd is None and each.outcome == "ok" for each in seeded)
    assert row.tokens[Bucket.INPUT] == sum(each.input_tokens for each in seeded)
    assert row.bucket_start is None


@pytest.mark.parametrize("name", ["team", "model", "outcome", "user", "tag:feature"])
async def test_groups_add_up(reader: Reader, seeded: list[OperationRow], name: str) -> None:
    values: dict[str, list[OperationRow]] = defaultdict(list)
    for row in seeded:
        key = {"user": row.end_user, "tag:feature": row.tags["feature"]}.get(name)
        values[key if key is not None else str(getattr(row, name))].append(row)
    found = await reader.spend(replace(ALL, group_by=(name,)))
    assert {each.group[name]: each.cost for each in found} == {key: total(rows) for key, rows in values.items()}
    assert [each.cost for each in found] == sorted((each.cost for each in found), reverse=True)


@pytest.mark.parametrize("name", ["team", "tag:feature"])
@pytest.mark.parametrize("team", TEAMS)
async def test_filters_take_any_text(reader: Reader, seeded: list[OperationRow], name: str, team: str) -> None:
    (row,) = await reader.spend(replace(ALL, filters={name: [team]}))
    wanted = [each for each in seeded if (each.team if name == "team" else each.tags["feature"]) == team]
    assert row.cost == total(wanted)


@pytest.mark.parametrize("group_by", [(), ("user",)])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"])
async def test_days_are_local_days(
    reader: Reader, seeded: list[OperationRow], zone: str, group_by: tuple[str, ...]
) -> None:
    """Both from the quarter-hours and from the rows; Berlin's 25 October 2026 has 25 hours."""
    days: dict[datetime, list[OperationRow]] = defaultdict(list)
    for row in seeded:
        local = at(row).astimezone(ZoneInfo(zone))
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        days[midnight.astimezone(UTC)].append(row)
    found: dict[datetime, int] = defaultdict(int)
    for each in await reader.spend(replace(ALL, bucket="day", timezone=zone, group_by=group_by)):
        assert each.bucket_start is not None
        found[each.bucket_start] += each.cost
    assert found == {day: total(rows) for day, rows in days.items()}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu"])
async def test_hours_are_local_hours(reader: Reader, seeded: list[OperationRow], zone: str) -> None:
    found = await reader.spend(replace(ALL, bucket="hour", timezone=zone))
    assert sum(each.cost for each in found) == total(seeded)
    assert all(each.bucket_start and each.bucket_start.astimezone(ZoneInfo(zone)).minute == 0 for each in found)
    assert len({each.bucket_start for each in found}) >= 72


@pytest.mark.parametrize("group_by", [(), ("user",)])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize("bucket", ["quarter", "week", "month"])
async def test_longer_and_shorter_buckets_are_local_too(
    reader: Reader, seeded: list[OperationRow], bucket: Any, zone: str, group_by: tuple[str, ...]
) -> None:
    def begins(row: OperationRow) -> datetime:
        local = at(row).astimezone(ZoneInfo(zone))
        if bucket == "quarter":
            return local.replace(minute=local.minute // 15 * 15, second=0, microsecond=0).astimezone(UTC)
        day = local.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        day = day - timedelta(days=day.weekday()) if bucket == "week" else day.replace(day=1)
        return day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)

    wanted: dict[datetime, list[OperationRow]] = defaultdict(list)
    for row in seeded:
        wanted[begins(row)].append(row)
    found: dict[datetime, int] = defaultdict(int)
    for each in await reader.spend(replace(ALL, bucket=bucket, timezone=zone, group_by=group_by)):
        assert each.bucket_start is not None
        found[each.bucket_start] += each.cost
    assert found == {start: total(rows) for start, rows in wanted.items()}


async def test_a_file_tells_the_same_to_the_nano_dollar(reader: Reader, seeded: list[OperationRow]) -> None:
    asked = replace(ALL, group_by=("team", "tag:feature"), bucket="day", limit=1000)
    rows = await reader.spend(asked)
    told = [(each.bucket_start, *each.group.values(), each.cost, each.calls) for each in rows]
    names = ("team", 'tag:it\'s `"日本"\\')
    csv_file = list(csv.DictReader(io.StringIO((await reader.spend_file(asked, names, "csv")).decode())))
    parquet = pq.read_table(io.BytesIO(await reader.spend_file(asked, names, "parquet"))).to_pylist()
    assert [
        (
            datetime.fromisoformat(row["start_time"]),
            *(row[name] for name in names),
            exact_usd(row["cost_usd"]),
            int(row["calls"]),
        )
        for row in csv_file
    ] == told
    assert [
        (
            row["start_time"].replace(tzinfo=UTC),
            *(row[name] for name in names),
            exact_usd(row["cost_usd"]),
            row["calls"],
        )
        for row in parquet
    ] == told
    assert sum(exact_usd(row["cost_usd"]) for row in parquet) == total(seeded)
    assert sum(row["input_tokens"] for row in parquet) == sum(each.input_tokens for each in seeded)


async def test_a_file_is_whole_or_refused(reader: Reader, seeded: list[OperationRow]) -> None:
    asked = replace(ALL, group_by=("team",), limit=len(TEAMS))
    assert (await reader.spend_file(asked, ("team",), "csv")).count(b"\n") == len(TEAMS) + 1
    with pytest.raises(Refused, match="more than 3 rows") as refused:
        await reader.spend_file(replace(asked, limit=3), ("team",), "parquet")
    assert (refused.value.why, refused.value.param) == (Refusal.INVALID_REQUEST, "limit")


async def test_a_span_that_cuts_quarter_hours_is_exact_too(reader: Reader, seeded: list[OperationRow]) -> None:
    start, end = START + timedelta(hours=5, seconds=7), START + timedelta(hours=40, milliseconds=250)
    (row,) = await reader.spend(replace(ALL, start=start, end=end))
    inside = [each for each in seeded if start <= at(each) < end]
    assert (row.calls, row.cost) == (len(inside), total(inside))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("bucket", ["all", "day", "week", "month"])
async def test_sums_of_days_say_what_quarter_hours_say(
    reader: Reader, seeded: list[OperationRow], collector: CollectorProcess, bucket: Any, zone: str
) -> None:
    start = START + timedelta(hours=5, minutes=45)
    asked = replace(ALL, start=start, end=start + timedelta(days=2), bucket=bucket, timezone=zone, group_by=("team",))
    read = await reader.spend(asked)
    inside = [row for row in seeded if start <= at(row) < asked.end]
    assert sum(each.cost for each in read) == total(inside)
    # A bucket of hours is never read from days: quarter-hours alone, in the buckets asked for.
    split, hours = select_spend(asked), select_spend(replace(asked, bucket="hour"))
    is_far = (bucket, zone) == ("day", "Pacific/Kiritimati")
    assert ("spend_days" in split.sql or bucket == "week" or is_far) and "spend_days" not in hours.sql
    bucket_of = split.sql[: split.sql.index(" AS bucket")].removeprefix("SELECT ")
    plain = f"SELECT {bucket_of} AS bucket{hours.sql[hours.sql.index(', t.team AS g0') :]}"
    rows = collector.client().query(plain, parameters=hours.parameters).result_rows
    assert read == read_spend(asked, rows)


async def test_a_group_is_none_of_the_days_that_it_is_moved_out_of(
    reader: Reader, collector: CollectorProcess, operation: Make
) -> None:
    """Refused at 23:30 UTC, which is the next day in Berlin: without cost, and no line of zeros the day before."""
    made = operation(
        1, "moved", charged_at="2026-10-20 23:30:00.000", outcome="refused", cost_usd="0.00", list_usd="0.00"
    )
    spool = Spool(collector.spool, "moved")
    spool.append(Table.OPERATIONS, made)
    spool.settled(made.operation_id)
    spool.close()
    collector.all_shipped()
    start = datetime(2026, 10, 19, 22, tzinfo=UTC)
    asked = SpendQuery(
        org="moved", start=start, end=start + timedelta(days=4), bucket="day", timezone="Europe/Berlin",
        group_by=("key",),
    )  # fmt: skip
    (row,) = await reader.spend(asked)
    assert "spend_days" in select_spend(asked).sql
    assert (row.bucket_start, row.calls, row.refused) == (datetime(2026, 10, 20, 22, tzinfo=UTC), 1, 1)
    assert row.tokens[Bucket.INPUT] == made.input_tokens


@pytest.mark.parametrize(
    ("first", "begins"),
    [
        # 02:00 to 01:30 at 15:00 UTC: the half hour that comes again is a bucket of its own.
        ("2026-04-04 13:30", ["13:00", "14:00", "15:00", "15:30", "16:30"]),
        # 02:00 to 02:30 at 15:30 UTC: of the hour from 2 there is a half.
        ("2026-10-03 13:30", ["13:30", "14:30", "15:30", "16:00", "17:00"]),
    ],
)
async def test_hours_begin_on_the_hour_behind_half_an_hour_s_change(
    reader: Reader, collector: CollectorProcess, operation: Make, first: str, begins: list[str]
) -> None:
    start = datetime.fromisoformat(first).replace(tzinfo=UTC)
    org = f"howe{start.month}"
    spool = Spool(collector.spool, org)
    for number in range(16):
        row = operation(number, org, charged_at=str(start + number * timedelta(minutes=15))[:19])
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()
    asked = SpendQuery(
        org=org, start=start, end=start + timedelta(hours=4), bucket="hour", timezone="Australia/Lord_Howe"
    )
    read = await reader.spend(asked)
    assert [f"{each.bucket_start:%H:%M}" for each in read] == begins
    assert sum(each.calls for each in read) == 16


async def test_money_stays_under_the_names_of_its_call(
    reader: Reader, collector: CollectorProcess, operation: Make
) -> None:
    """A key that was renamed and moved to another cost center: one key, and what it cost under either name."""
    rows = [
        operation(1, "renamed", key_name="bot", cost_center="4711", cost_usd="1.000000001"),
        operation(2, "renamed", key_name="robot", cost_center="0815", cost_usd="2.000000002"),
    ]
    spool = Spool(collector.spool, "renamed")
    for row in rows:
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()
    start = datetime(2026, 11, 20, tzinfo=UTC)
    asked = SpendQuery(org="renamed", start=start, end=start + timedelta(days=1), group_by=("key", "cost_center"))
    found = {(each.group["key"], each.group["cost_center"]): each.cost for each in await reader.spend(asked)}
    assert found == {("bot", "4711"): 1_000_000_001, ("robot", "0815"): 2_000_000_002}
    (whole,) = await reader.spend(replace(asked, group_by=("key_id",)))
    assert (whole.group["key_id"], whole.cost) == ("key_1", 3_000_000_003)


async def test_another_org_sees_nothing_of_it(reader: Reader, seeded: list[OperationRow]) -> None:
    assert await reader.spend(replace(ALL, org="nobody")) == []
    assert await reader.spend(replace(ALL, org="nobody", filters={"org": ["spend"]})) == []
    both = await reader.spend(replace(ALL, org=None, group_by=("org",), filters={"org": ["spend", "other"]}))
    assert {each.group["org"] for each in both} == {"spend", "other"}
    assert await reader.recent(org="nobody") == []
    assert await reader.operation(seeded[0].operation_id, "nobody") is None
    assert await reader.operation(seeded[0].operation_id, "spend") is not None


async def test_an_operation_comes_with_its_attempts(
    reader: Reader, collector: CollectorProcess, operation: Make, attempt: Make
) -> None:
    ours = new_id("op")
    row = operation(
        1,
        "detail",
        operation_id=ours,
        charged_at=str(datetime.now(UTC))[:23],
        attempts=2,
        tags={"a": "b"},
        stages_us={"hold": 250, "beside_upstream": 12_500},
    )
    attempts = [
        attempt(
            each,
            "detail",
            operation_id=ours,
            purpose="retry",
            started_at=f"{datetime.now(UTC):%F %T}.{each:03d}",
            provider_request_id=f"req_{each}",
        )
        for each in (1, 2)
    ]
    attempts[1].number = 2
    spool = Spool(collector.spool, "detail")
    spool.append(Table.OPERATIONS, row)
    for each in attempts:
        spool.append(Table.ATTEMPTS, each)
    spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()
    found = await reader.operation(ours, "detail")
    assert found is not None
    assert found.operation.stages_ms == {"hold": 0.25, "upstream": 800.0}
    assert found.operation.provider_request_id == "req_2", "that of the last attempt, where alone it is kept"
    assert await reader.recent(org="detail") == [found.operation]
    assert msgspec.structs.replace(found.operation, stages_ms={}, provider_request_id="") == row
    assert list(found.attempts) == attempts
    assert await reader.operation(new_id("op"), None) is None
    assert await reader.operation("'; DROP TABLE operations", None) is None


async def test_an_operation_charged_long_before_its_id_is_found(
    reader: Reader, collector: CollectorProcess, operation: Make
) -> None:
    row = operation(1, "late", operation_id=new_id("op"), charged_at="2026-01-01 00:00:00.000")
    spool = Spool(collector.spool, "late")
    spool.append(Table.OPERATIONS, row)
    spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()
    found = await reader.operation(row.operation_id, None)
    assert found is not None
    assert found.operation.charged_at == "2026-01-01 00:00:00.000"


async def test_recent_pages_through_everything_once(reader: Reader, seeded: list[OperationRow]) -> None:
    seen: list[OperationRow] = []
    before = None
    while page := await reader.recent(org="spend", filters={"team": ["it's"]}, limit=100, before=before):
        seen += page
        before = cursor(page[-1])
    wanted = sorted((each for each in seeded if each.team == "it's"), key=cursor, reverse=True)
    assert [each.operation_id for each in seen] == [each.operation_id for each in wanted]
    assert [each.cost_usd for each in seen] == [each.cost_usd for each in wanted]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"group_by": ("nosuch",)}, "group_by"),
        ({"group_by": ("team; DROP TABLE x",)}, "group_by"),
        ({"group_by": ("team", "team")}, "group_by"),
        ({"filters": {"1=1 OR t.org": ["x"]}}, "group_by"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"bucket": "fortnight"}, "bucket"),
        ({"limit": 0}, "limit"),
        ({"start": ALL.end}, "start"),
        ({"start": datetime(2026, 1, 1)}, "start"),
    ],
)
def test_a_wrong_question_is_refused_by_name(change: dict[str, Any], param: str) -> None:
    with pytest.raises(Refused) as refused:
        select_spend(replace(ALL, **change))
    assert (refused.value.why, refused.value.param) == (Refusal.INVALID_REQUEST, param)


async def test_wrong_pages_are_refused(reader: Reader) -> None:
    for options in ({"before": "x"}, {"before": "2026/op_1"}, {"limit": 0}, {"limit": 10**6}):
        with pytest.raises(Refused):
            await reader.recent(org=None, **options)


def test_the_rollup_is_used_where_it_knows_everything() -> None:
    assert "spend_quarter_hours" in select_spend(replace(ALL, group_by=("team", "model"), bucket="day")).sql
    assert "operations" in select_spend(replace(ALL, group_by=("user",))).sql
    assert "spend_days" in select_spend(replace(ALL, bucket="month", timezone="Asia/Kathmandu")).sql
    assert "spend_days" in select_spend(replace(ALL, bucket="day", timezone="Asia/Kathmandu")).sql
    assert "spend_days" not in select_spend(replace(ALL, bucket="hour")).sql
    assert "operations" in select_spend(replace(ALL, start=START + timedelta(seconds=1))).sql


async def test_a_store_that_is_away_is_said_to_be() -> None:
    nobody = StoreAddress(host="127.0.0.1", port=9, user="flyball", password=Secret("x"), database="flyball")
    with pytest.raises(TelemetryUnavailable):
        await Reader(nobody).spend(ALL)


async def test_a_store_that_never_answers_is_given_up() -> None:
    over = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        mute = StoreAddress(host="127.0.0.1", port=port, user="flyball", password=Secret("x"), database="flyball")
        with pytest.raises(TelemetryUnavailable):
            await Reader(mute, TelemetrySettings(query_timeout_s=0)).recent(org=None)
        over.set()
        await asyncio.sleep(0.05)


async def test_a_wrong_password_is_unavailable_and_not_shown(collector: CollectorProcess) -> None:
    with pytest.raises(TelemetryUnavailable) as away:
        await Reader(replace(collector.address, password=Secret("canary-password"))).recent(org=None)
    assert "canary" not in str(away.value)
