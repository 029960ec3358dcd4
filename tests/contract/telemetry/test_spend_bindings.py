"""Spend, its comparison and its exports on rows of several orgs: exact, and nothing of another org for who is bound."""

import csv
import io
import json
import os
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx
import pyarrow.parquet as pq
import pytest

from proxy.admin.shapes.spend import DIMENSIONS
from proxy.admin.spend_routes import SPEND_ROUTES
from proxy.cli import main
from proxy.core.clock import SetClock
from proxy.core.money import Nano, exact_usd, to_usd_text
from proxy.telemetry.reader import Reader
from proxy.telemetry.rows import AttemptRow, OperationRow, Table
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess
from tests.unit.admin.admin_port import BOOTSTRAP, Port, serving

TUESDAY = datetime(2026, 11, 17, tzinfo=UTC)
"""The day that is asked about; a week before it is what it is compared with."""
FOREIGN, SIBLING = "foreign", "sibling"
"""Stand in every name of the org, and of the team of our own org, that nobody else may see."""
SPANS = {
    "start_time": int(TUESDAY.timestamp()),
    "end_time": int((TUESDAY + timedelta(days=1)).timestamp()),
    "vs_start_time": int((TUESDAY - timedelta(days=7)).timestamp()),
    "vs_end_time": int((TUESDAY - timedelta(days=6)).timestamp()),
}
RATES = {"input": 1250, "cache_read": 125, "output": 10_000}
MODELS = {"gpt-5": 10, "gpt-5-mini": 2, "claude-opus-5": 25}


@dataclass(frozen=True)
class Seed:
    """What was written, and the port that is asked about it."""

    rows: list[OperationRow]
    wasted: dict[str, Nano]
    port: Port

    def of(self, day: datetime, org: str | None, team: str | None = None) -> list[OperationRow]:
        return [
            row
            for row in self.rows
            if row.charged_at[:10] == f"{day:%F}" and org in (None, row.org) and team in (None, row.team)
        ]


def made(number: int, chance: random.Random, org: str) -> tuple[OperationRow, list[AttemptRow]]:
    """A call on either day; on the later one there are more of them, longer and less cached."""
    later = chance.random() < 0.6
    at = (TUESDAY if later else TUESDAY - timedelta(days=7)) + timedelta(seconds=chance.uniform(0, 86399))
    model = chance.choice(list(MODELS)[: 3 if later else 2])
    outcome = chance.choices(["ok", "cached", "refused", "upstream_error", "truncated"], [20, 2, 1, 1, 1])[0]
    tokens = {"input": chance.randrange(5000), "cache_read": chance.randrange(900), "output": chance.randrange(800)}
    if outcome in ("cached", "refused"):
        tokens = {}
    cost = sum(count * RATES[name] * MODELS[model] // 10 for name, count in tokens.items())
    beside = chance.randrange(10**7) if outcome == "ok" and number % 9 == 0 else 0
    team = FOREIGN if org == FOREIGN else chance.choice(["support", "it's \\ 日本", SIBLING])

    def named(name: str) -> str:
        return f"{team}-{name}" if team in (FOREIGN, SIBLING) else name

    values: dict[str, Any] = {
        "operation_id": f"op_{org}_{team if team == SIBLING else ''}{number:020x}",
        "org": org,
        "team": team,
        "key_id": named("key"),
        "key_name": named("bot"),
        "provider": "openai",
        "model": model,
        "outcome": outcome,
    }
    text = at.isoformat(sep=" ", timespec="milliseconds")[:23]
    row = OperationRow(
        **values,
        charged_at=text,
        finished_at=text,
        agent=named("triage"),
        end_user=named("u1"),
        run=named(f"run-{number % 5}"),
        cost_center=named("4711"),
        owner=named("anna"),
        tags={"env": named("prod")},
        attempts=2 if beside else 1,
        cost_usd=None if outcome == "refused" else to_usd_text(Nano(cost + beside)),
        list_usd=None if outcome == "refused" else to_usd_text(Nano(cost + beside)),
        input_tokens=tokens.get("input", 0),
        cache_read_tokens=tokens.get("cache_read", 0),
        output_tokens=tokens.get("output", 0),
    )
    del values["outcome"]
    lines = [
        {"bucket": name, "quantity": count, "usd_per_mtok": "1", "usd": f"0.{count * RATES[name] * MODELS[model]:010d}"}
        for name, count in tokens.items()
    ]
    attempts = [
        AttemptRow(
            **values,
            attempt_id=f"att_{org}_{number:020x}_{turn}",
            started_at=text,
            number=turn,
            outcome="ok" if turn == len(costs) else "upstream_error",
            cost_usd=to_usd_text(Nano(amount)),
            price_lines=json.dumps(lines) if turn == len(costs) else "[]",
        )
        for costs in [[beside, cost] if beside else [cost]]
        for turn, amount in enumerate(costs, 1)
    ]
    return row, attempts if outcome not in ("cached", "refused") else []


@pytest.fixture(scope="module")
def seed(collector: CollectorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seed]:
    chance = random.Random(5)
    spool = Spool(collector.spool, "spend-bindings")
    rows: list[OperationRow] = []
    wasted: dict[str, Nano] = {}
    for number in range(1500):
        row, attempts = made(number, chance, ("ours", FOREIGN)[number % 3 == 0])
        rows.append(row)
        if len(attempts) > 1:
            wasted[row.operation_id] = exact_usd(attempts[0].cost_usd or "0")
        spool.append(Table.OPERATIONS, row)
        for attempt in attempts:
            spool.append(Table.ATTEMPTS, attempt)
        spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()
    clock = SetClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    with serving(tmp_path_factory.mktemp("port"), clock, store=Reader(collector.address)) as port:
        port.tenants("ours")
        yield Seed(rows, wasted, port)


def spent(rows: list[OperationRow]) -> int:
    return sum(exact_usd(row.cost_usd or "0") for row in rows)


@pytest.fixture(scope="module")
def people(seed: Seed) -> dict[str, httpx.Client]:
    return {
        "org": seed.port.person("ada", "viewer", "ours"),
        "team": seed.port.person("ted", "billing", "ours", "support"),
    }


QUESTIONS: dict[str, list[list[tuple[str, str]]]] = {
    "/spend": [[("group_by", name) for name in DIMENSIONS[start : start + 6]] for start in range(0, len(DIMENSIONS), 6)]
    + [[("group_by", "tag:env"), ("bucket_width", "1h")], [("bucket_width", "all"), ("org", "ours")]],
    "/spend/compare": [[("by", name), ("movers", "50")] for name in ("key", "end_user", "tag:env", "cost_center")],
}
"""Every endpoint of spend with all that it can be grouped by."""
NAMED = {"team", "key", "key_id", "agent", "end_user", "run", "cost_center", "owner", "tag:env"}
"""What differs between the teams."""


def test_every_endpoint_of_spend_is_asked_below() -> None:
    assert QUESTIONS.keys() == {route.path for route in SPEND_ROUTES}


@pytest.mark.parametrize("bound", ["org", "team"])
@pytest.mark.parametrize("path", QUESTIONS)
def test_who_is_bound_reads_no_foreign_row(seed: Seed, people: dict[str, httpx.Client], path: str, bound: str) -> None:
    person = people[bound]
    spans = SPANS if path == "/spend/compare" else {name: SPANS[name] for name in ("start_time", "end_time")}
    files = ["json", "csv", "parquet"] if path == "/spend" else ["json"]
    asked = [[*question, ("format", kind)] for question in QUESTIONS[path] for kind in files]
    if path == "/spend":
        asked += [[("group_by", "tag:env"), ("format", "focus")], [("format", "focus-parquet")]]
    for question in asked:
        told = read(person, path, [*spans.items(), *question])
        assert FOREIGN.encode() not in told, question
        assert (SIBLING.encode() in told) == (bound == "org" and seen_by(question)), question
    for name in ("org", "team"):
        foreign = urlencode([*spans.items(), (name, FOREIGN)])
        wanted = 403 if bound == "team" or name == "org" else 200
        assert person.get(f"/admin/v1{path}?{foreign}").status_code == wanted


def seen_by(question: list[tuple[str, str]]) -> bool:
    """Whether the answer holds a name that only the other team has."""
    told = {value for name, value in question if name in ("group_by", "by")}
    return bool(told & NAMED or dict(question).get("by") or dict(question)["format"].startswith("focus"))


def read(person: httpx.Client, path: str, question: list[tuple[str, Any]]) -> bytes:
    words = [pair for pair in question if path == "/spend" or pair[0] != "format"]
    answer = person.get(f"/admin/v1{path}?{urlencode(words)}")
    assert answer.status_code == 200, answer.text
    if answer.content.startswith(b"PAR1"):
        return repr(pq.read_table(io.BytesIO(answer.content)).to_pylist()).encode()
    return answer.content


@pytest.mark.parametrize(("bound", "team"), [("org", None), ("team", "support")])
def test_what_who_is_bound_reads_is_all_of_their_own(
    seed: Seed, people: dict[str, httpx.Client], bound: str, team: str | None
) -> None:
    query = urlencode({**SPANS, "movers": 50})
    told = people[bound].get(f"/admin/v1/spend/compare?{query}").json()
    assert told["cost_nano"] == spent(seed.of(TUESDAY, "ours", team))
    assert told["vs_cost_nano"] == spent(seed.of(TUESDAY - timedelta(days=7), "ours", team))


@pytest.mark.parametrize(
    "where", [{}, {"org": "ours"}, {"team": "it's \\ 日本"}, {"tag": "env=prod", "model": "gpt-5"}]
)
def test_the_terms_of_seeded_rows_add_up_and_waste_is_found(seed: Seed, where: dict[str, str]) -> None:
    def meant(row: OperationRow) -> bool:
        wanted = {name: value for name, value in where.items() if name != "tag"}
        return all(getattr(row, name) == value for name, value in wanted.items()) and (
            "tag" not in where or row.tags["env"] == "prod"
        )

    now, before = ([row for row in seed.of(day, None) if meant(row)] for day in (TUESDAY, TUESDAY - timedelta(days=7)))
    with seed.port.as_owner() as owner:
        told = owner.get(f"/admin/v1/spend/compare?{urlencode({**SPANS, **where, 'by': 'model'})}").json()
    terms = {term["name"]: term["delta_nano"] for term in told["terms"]}
    assert (told["cost_nano"], told["vs_cost_nano"]) == (spent(now), spent(before))
    assert sum(terms.values()) == told["delta_nano"] == spent(now) - spent(before)

    def wasted(rows: list[OperationRow]) -> int:
        failed = spent([row for row in rows if row.outcome == "upstream_error"])
        return failed + sum(seed.wasted.get(row.operation_id, 0) for row in rows)

    assert terms["retries"] == wasted(now) - wasted(before) != 0
    # All is priced by one card: what is left is the rounding down of each amount.
    assert abs(terms["price"]) < len(now) + len(before)
    assert all(terms[name] for name in ("volume", "tokens_per_call"))


def test_movers_are_told_with_their_first_call(seed: Seed) -> None:
    with seed.port.as_owner() as owner:
        told = owner.get(f"/admin/v1/spend/compare?{urlencode({**SPANS, 'by': 'end_user', 'movers': 50})}").json()
    movers = {each["by"]: each["data"] for each in told["movers"]}
    assert list(movers) == ["team", "agent", "run", "end_user"]
    for by, field in (("team", "team"), ("agent", "agent"), ("run", "run"), ("end_user", "end_user")):
        assert sum(each["delta_nano"] for each in movers[by]) == told["delta_nano"]
        sizes = [abs(each["delta_nano"]) for each in movers[by]]
        assert sizes == sorted(sizes, reverse=True)
        for each in movers[by]:
            group = each["group"]
            own = [
                row
                for row in seed.of(TUESDAY, group["org"])
                if getattr(row, field) == group[by]
                and row.outcome != "refused"
                and group.get("team") in (None, row.team)
            ]
            first = min(own, key=lambda row: (row.charged_at, row.operation_id))
            assert (each["first_operation"], each["calls"]) == (first.operation_id, len(own))
            assert each["first_call_at"] == first.charged_at[:19].replace(" ", "T") + "Z"


@pytest.fixture
def command(seed: Seed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command beside the port, as it would be beside a running Flyball."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "endpoints.json").write_text(json.dumps({"pid": os.getpid(), "admin": seed.port.url}))
    (tmp_path / "admin-token").write_text(BOOTSTRAP)
    monkeypatch.setenv("FLYBALL_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return lambda *words: main(list(words))


def test_flyball_why_says_it_in_dollars(
    seed: Seed, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("why", "2026-11-17", "--vs", "7d", "--where", "org=ours", "--by", "model") == 0
    told = capsys.readouterr().out
    now, before = (spent(seed.of(day, "ours")) for day in (TUESDAY, TUESDAY - timedelta(days=7)))
    assert f"2026-11-17 to 2026-11-18   ${to_usd_text(Nano(now))}" in told
    assert f"2026-11-10 to 2026-11-11   ${to_usd_text(Nano(before))}" in told
    assert f"difference   +${to_usd_text(Nano(now - before))}" in told
    for word in ("volume", "tokens_per_call", "model_mix", "price", "cache", "retries", "TEAM", "RUN", "MODEL"):
        assert word in told
    assert (
        command("why", "2026-11-17..2026-11-17", "--vs", "2026-11-10", "--where", "org=ours", "--format", "json") == 0
    )
    assert json.loads(capsys.readouterr().out)["delta_nano"] == now - before


def test_flyball_spend_is_a_table_json_or_a_file(
    seed: Seed, command: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    span = ("--since", "2026-11-17", "--until", "2026-11-18", "--where", "org=ours")
    own = spent(seed.of(TUESDAY, "ours"))
    assert command("spend", *span, "--by", "team", "--bucket", "1d") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["FROM", "TEAM", "SPEND", "CALLS", "TOKENS", "UNPRICED"]
    assert sum(exact_usd(line.split("$")[1].split()[0]) for line in lines[1:]) == own
    assert all(line.startswith("2026-11-17  ") for line in lines[1:])
    assert command("spend", *span, "--by", "tag:env", "--format", "json", "--limit", "1") == 0
    told = capsys.readouterr()
    assert len(json.loads(told.out)) == 1 and "more than 1 rows" in told.err
    assert command("spend", *span, "--by", "model", "--format", "csv", "--output", "spend.csv") == 0
    rows = [line.split(",") for line in (tmp_path / "spend.csv").read_text().splitlines()]
    place = rows[0].index('"cost_usd"')
    assert sum(exact_usd(row[place]) for row in rows[1:]) == own


@pytest.mark.parametrize(
    "words",
    [
        ("spend", "--last", "7"),
        ("spend", "--last", "7d", "--since", "2026-11-17"),
        ("spend", "--since", "yesterday"),
        ("spend", "--where", "team"),
        ("spend", "--where", "nosuch=1"),
        ("spend", "--by", "nosuch"),
        ("why", "2026-11-18..2026-11-17"),
        ("why", "2026-11-17", "--vs", "soon"),
    ],
)
def test_wrong_words_are_told(command: Callable[..., int], words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit, match="flyball: "):
        command(*words)


NOT_NULL = {
    *("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory"),
    *("ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost"),
    *("ProviderName", "PublisherName", "ServiceCategory", "ServiceName", "ServiceSubcategory", "BillingAccountType"),
}
MANDATORY = NOT_NULL | {"BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit"}
"""FOCUS 1.2's mandatory columns, and two of ours that may not be null where they are given."""
ALLOWED: dict[str, set[str | None]] = {
    "BillingCurrency": {"USD"},
    "ChargeCategory": {"Usage"},
    "ChargeClass": {None, "Correction"},
    "ChargeFrequency": {"Usage-Based"},
    "PricingCategory": {"Standard"},
    "PricingCurrency": {"USD"},
    "ServiceCategory": {"AI and Machine Learning"},
    "ServiceSubcategory": {"Generative AI"},
    "PricingUnit": {None, "Tokens", "Requests"},
    "SubAccountType": {None, "Team"},
}
"""Of the values that FOCUS 1.2 allows, those that can be met here."""
MONEY = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York"])
def test_every_row_of_a_focus_file_keeps_the_rules(seed: Seed, zone: str) -> None:
    span = {"start_time": SPANS["vs_start_time"], "end_time": SPANS["end_time"]}
    asked = urlencode({**span, "timezone": zone, "group_by": "tag:env", "org": "ours"})
    with seed.port.as_owner() as owner:
        answer = owner.get(f"/admin/v1/spend?{asked}&format=focus")
        parquet = owner.get(f"/admin/v1/spend?{asked}&format=focus-parquet")
    assert answer.headers["content-disposition"] == 'attachment; filename="focus.csv"'
    rows = [{name: value or None for name, value in row.items()} for row in csv.DictReader(io.StringIO(answer.text))]
    assert len(rows) > 10
    for row in rows:
        keeps_the_rules(row, ZoneInfo(zone))
    same_types = pq.read_table(io.BytesIO(parquet.content))
    assert list(same_types.column_names) == list(rows[0])
    assert sum(row["BilledCost"] for row in same_types.to_pylist()) == sum(
        Decimal(row["BilledCost"] or "") for row in rows
    )
    own = [row for row in seed.rows if row.org == "ours" and span_holds(row, span)]
    assert sum(exact_usd(row["BilledCost"] or "") for row in rows) == spent(own)
    assert sum(int(row["x_InputTokens"] or "") for row in rows) == sum(row.input_tokens for row in own)


def span_holds(row: OperationRow, span: dict[str, int]) -> bool:
    at = datetime.fromisoformat(row.charged_at).replace(tzinfo=UTC).timestamp()
    return span["start_time"] <= at < span["end_time"]


def keeps_the_rules(row: dict[str, str | None], zone: ZoneInfo) -> None:
    assert row.keys() >= MANDATORY
    assert all(row[name] is not None for name in NOT_NULL), row
    for name, allowed in ALLOWED.items():
        assert row[name] in allowed, (name, row)
    for name in MONEY:
        assert exact_usd(row[name] or "") >= 0
    assert row["ContractedCost"] == row["EffectiveCost"] == row["BilledCost"]
    moments = {}
    for name in ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"):
        assert MOMENT.fullmatch(row[name] or ""), (name, row)
        moments[name] = datetime.fromisoformat(row[name] or "").astimezone(zone)
        assert (moments[name].hour, moments[name].minute) == (0, 0)
    month = moments["BillingPeriodStart"].replace(tzinfo=None)
    assert month.day == 1
    assert moments["BillingPeriodEnd"].replace(tzinfo=None) == (month + timedelta(days=32)).replace(day=1)
    day = moments["ChargePeriodStart"].replace(tzinfo=None)
    assert moments["ChargePeriodEnd"].replace(tzinfo=None) == day + timedelta(days=1)
    assert month <= day < moments["BillingPeriodEnd"].replace(tzinfo=None)
    # A quantity and its unit are there together, more than nothing for what is used and no correction.
    for quantity, unit in (("PricingQuantity", "PricingUnit"), ("ConsumedQuantity", "ConsumedUnit")):
        assert Decimal(row[quantity] or "") > 0 and row[unit] is not None and row["ChargeClass"] is None
    tags = json.loads(row["Tags"] or "")
    assert tags and all(isinstance(value, str) and value for value in tags.values())
    assert tags["env"] in ("prod", f"{SIBLING}-prod")
    assert (row["SubAccountId"], row["ResourceId"]) == (
        f"ours/{row['SubAccountName']}",
        f"ours/{row['SubAccountName']}/{row['ResourceName']}",
    )


def test_a_focus_file_is_by_day_and_groups_by_tags_only(
    seed: Seed, command: Callable[..., int], tmp_path: Path
) -> None:
    start = SPANS["start_time"]
    with seed.port.as_owner() as owner:
        for wrong in ("group_by=team", "bucket_width=1h"):
            assert owner.get(f"/admin/v1/spend?start_time={start}&format=focus&{wrong}").status_code == 400
    assert command("spend", "--since", "2026-11-01", "--format", "focus-parquet", "--output", "focus.parquet") == 0
    assert pq.read_table(tmp_path / "focus.parquet").num_rows > 0


def test_corrections_count_in_every_question_alike(seed: Seed, collector: CollectorProcess) -> None:
    """Sums of quarter-hours have them in; sums of the rows themselves did not."""
    day = f"{TUESDAY - timedelta(days=30):%F}"
    with collector.client() as store:
        store.command(
            "INSERT INTO operations (operation_id, charged_at, finished_at, org, team, key_name, model, provider,"
            " outcome, end_user, tags, cost_usd, list_usd, input_tokens) SELECT concat('op_corr', toString(number)),"
            f" '{day} 10:00:00', '{day} 10:00:00', 'corrected', 'a', 'k', 'm', 'p', 'ok', toString(number % 3),"
            " map('env', 'prod'), if(number = 0, NULL, toDecimal64(number, 9)), toDecimal64(number, 9), 7"
            " FROM numbers(9)"
        )
        store.command(
            "INSERT INTO corrections (correction_id, operation_id, charged_at, made_at, org, team, key_name, model,"
            " provider, outcome, end_user, tags, delta_usd, list_delta_usd, unpriced)"
            " SELECT concat('cor_', toString(number)),"
            f" concat('op_corr', toString(number)), '{day} 10:00:00', now(), 'corrected', 'a', 'k', 'm', 'p', 'ok',"
            " toString(number % 3), map('env', 'prod'), '-0.000000123', '0.000000001', if(number = 0, -1, 0)"
            " FROM numbers(2)"
        )
    start = int(datetime.fromisoformat(f"{day}T00:00+00:00").timestamp())
    span = {"start_time": start, "end_time": start + 86400, "bucket_width": "all", "org": "corrected"}
    with seed.port.as_owner() as owner:
        for group in ("team", "end_user", "tag:env", "run"):
            rows = owner.get(f"/admin/v1/spend?{urlencode({**span, 'group_by': group})}").json()["data"]
            assert sum(row["cost_nano"] for row in rows) == 36 * 10**9 - 246, group
            assert sum(row["list_nano"] for row in rows) == 36 * 10**9 + 2, group
            assert (sum(row["calls"] for row in rows), sum(row["unpriced_calls"] for row in rows)) == (9, 0), group
        file = owner.get(f"/admin/v1/spend?{urlencode({**span, 'bucket_width': '1d', 'format': 'focus'})}").text
        assert exact_usd(next(csv.DictReader(io.StringIO(file)))["BilledCost"]) == 36 * 10**9 - 246
        vs = {"vs_start_time": start - 86400, "vs_end_time": start, "org": "corrected", "by": "end_user"}
        told = owner.get(
            f"/admin/v1/spend/compare?{urlencode({'start_time': start, 'end_time': start + 86400, **vs})}"
        ).json()
        assert told["cost_nano"] == told["delta_nano"] == 36 * 10**9 - 246
        for movers in told["movers"]:
            assert sum(each["delta_nano"] for each in movers["data"]) == told["delta_nano"], movers["by"]
