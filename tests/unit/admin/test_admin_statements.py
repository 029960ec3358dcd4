"""Months closed on the admin port: when they may not be, who may, what it says, and that it never changes."""

import asyncio
import csv
import io
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from proxy.budget import HoldRequest, SqliteLedger
from proxy.cli.statements import hash_of
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.journey.start_record import StartRecord
from proxy.telemetry import CorrectedRow, SpendRow
from tests.unit.admin.admin_port import Port, serving
from tests.unit.admin.telemetry_rows import spend

ROOT = "/admin/v1"
CLOSE = f"{ROOT}/periods/acme/2026-10/close"
WHERE = {"team": "support", "cost_center": "4711", "key": "=bot", "provider": "openai", "model": "gpt-5"}


def rows(nano: int = 12_500_000, **changes: Any) -> list[SpendRow]:
    return [replace(spend("gpt-5", nano), group={**WHERE, "price_version": "ab12"}, unpriced=0, **changes)]


@pytest.fixture
def spent(port: Port) -> Port:
    port.tenants("acme")
    port.reader.rows = rows()
    return port


def test_a_closed_month_is_told_whole_and_does_not_change(spent: Port, owner: httpx.Client) -> None:
    dry = owner.post(CLOSE, json={"dry_run": True, "timezone": "Asia/Kathmandu"}).json()
    assert (dry["total_nano"], dry["dry_run"]) == (12_500_000, True)
    assert owner.get(f"{ROOT}/statements").json()["data"] == []
    closed = owner.post(CLOSE, json={"timezone": "Asia/Kathmandu"}).json()
    assert closed["statements"] == dry["statements"]
    asked = spent.reader.asked[-2]
    assert (asked.start, asked.end) == (
        datetime(2026, 9, 30, 18, 15, tzinfo=UTC),
        datetime(2026, 10, 31, 18, 15, tzinfo=UTC),
    )
    whole = owner.get(f"{ROOT}/statements/acme/1").json()
    assert whole["usage"] == [
        {
            **{name: WHERE[name] for name in ("cost_center", "key", "provider", "model")},
            **{"calls": 2, "unpriced_calls": 0, "tokens": {"input": 10}},
            **{"list_usd": "0.025", "list_nano": 25_000_000},
            **{"cost_usd": "0.0125", "cost_nano": 12_500_000, "recorded_nano": 12_500_000},
        }
    ]
    assert (whole["price_versions"], whole["timezone"], whole["total_usd"]) == (["ab12"], "Asia/Kathmandu", "0.0125")
    assert whole["hash"] == hash_of(whole) == closed["statements"][0]["hash"]
    assert whole["hash"] != hash_of({**whole, "total_nano": 1})
    again = owner.post(CLOSE, json={})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "period_closed")
    trail = owner.get(f"{ROOT}/audit?action=period.close").json()["data"]
    assert [(each["subject"], each["org"]) for each in trail] == [("periods/acme/2026-10", "acme")]
    with spent.rooms.state.change() as connection, pytest.raises(sqlite3.IntegrityError, match="never changes"):
        connection.execute("UPDATE statements SET content = '{}'")


def test_it_comes_as_csv_that_a_spreadsheet_takes_for_text(spent: Port, owner: httpx.Client) -> None:
    assert owner.post(CLOSE, json={}).status_code == 200
    for answer in (
        owner.get(f"{ROOT}/statements/acme/1?format=csv"),
        owner.get(f"{ROOT}/statements/acme/1", headers={"accept": "text/csv"}),
    ):
        assert answer.headers["content-type"] == "text/csv"
        lines = list(csv.DictReader(io.StringIO(answer.text)))
        assert [(each["line"], each["key"], each["amount_usd"]) for each in lines] == [
            ("usage", "'=bot", "0.0125"),
            ("total", "", "0.0125"),
        ]


def test_what_became_known_later_is_charged_once_by_the_next_month(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    port.clock.move(20 * 86_400)  # to 10 December
    port.reader.rows = rows(100)
    assert owner.post(CLOSE, json={}).status_code == 200
    # The scripted store says the same of each month: a late call of 40, and a reprice that makes it 30 less.
    port.reader.rows = rows(110, calls=3)
    correction = {name: WHERE[name] for name in WHERE}
    port.reader.corrections = [CorrectedRow(**correction, cost=Nano(-30), versions=("cd34",))]
    closed = owner.post(f"{ROOT}/periods/acme/2026-11/close", json={}).json()
    (sums,) = closed["statements"]
    assert (sums["usage_nano"], sums["adjustments_nano"], sums["total_nano"]) == (110, 10, 120)
    whole = owner.get(f"{ROOT}/statements/acme/2").json()
    assert [(each["why"], each["calls"], each["amount_nano"]) for each in whole["adjustments"]] == [
        ("late", 1, 40),
        ("reprice", 0, -30),
    ]
    assert whole["price_versions"] == ["ab12", "cd34"]
    first = owner.get(f"{ROOT}/statements/acme/1").json()
    assert (whole["previous_hash"], first["previous_hash"]) == (first["hash"], "")
    port.clock.move(31 * 86_400)
    owner.post(f"{ROOT}/periods/acme/2026-12/close", json={})
    assert owner.get(f"{ROOT}/statements/acme/3").json()["adjustments"] == []


def test_what_is_no_longer_kept_is_not_taken_for_a_refund(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    port.reader.rows = rows(100)
    assert owner.post(CLOSE, json={}).status_code == 200
    port.clock.move(420 * 86_400)
    port.reader.rows = []
    for month in ("2026-11", "2026-12"):
        closed = owner.post(f"{ROOT}/periods/acme/{month}/close", json={}).json()
        assert closed["statements"] == [], closed


@pytest.mark.parametrize(
    ("body", "path", "status", "code", "word"),
    [
        ({}, "acme/2026-11", 409, "period_not_ready", "ends at"),
        ({}, "acme/2026-1", 400, "invalid_request", "no month"),
        ({"timezone": "Mars/Olympus"}, "acme/2026-10", 400, "invalid_request", "time zone"),
    ],
)
def test_what_cannot_be_closed(
    spent: Port, owner: httpx.Client, body: dict[str, str], path: str, status: int, code: str, word: str
) -> None:
    answer = owner.post(f"{ROOT}/periods/{path}/close", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert word in answer.json()["error"]["message"]


def test_months_are_closed_one_after_the_other_in_one_zone(spent: Port, owner: httpx.Client) -> None:
    assert owner.post(f"{ROOT}/periods/acme/2026-08/close", json={"timezone": "Europe/Berlin"}).status_code == 200
    skipped = owner.post(CLOSE, json={})
    assert (skipped.status_code, "2026-09 comes next" in skipped.text) == (409, True)
    other = owner.post(f"{ROOT}/periods/acme/2026-09/close", json={"timezone": "UTC"})
    assert (other.status_code, other.json()["error"]["param"]) == (400, "timezone")
    assert owner.post(f"{ROOT}/periods/acme/2026-09/close", json={}).json()["timezone"] == "Europe/Berlin"


def test_unpriced_calls_are_allowed_only_when_said(spent: Port, owner: httpx.Client) -> None:
    spent.reader.rows = [replace(rows()[0], unpriced=2)]
    refused = owner.post(CLOSE, json={})
    assert (refused.status_code, "2 calls have no price (gpt-5)" in refused.text) == (409, True)
    (made,) = owner.post(CLOSE, json={"allow_unpriced": True}).json()["statements"]
    assert (made["unpriced_calls"], made["allow_unpriced"]) == (2, True)


def test_calls_that_are_not_settled_are_waited_for(spent: Port, owner: httpx.Client) -> None:
    charged_ns = int(datetime(2026, 10, 31, 23, 59, tzinfo=UTC).timestamp()) * 10**9

    async def hold(operation: str, org: str, at_ns: int) -> None:
        ledger = SqliteLedger(spent.rooms.state, clock=spent.clock)
        request = HoldRequest(
            operation=operation,
            worker="w",
            lines=(),
            amount=Nano(1),
            charged_at_ns=at_ns,
            lease_until_ns=spent.clock.now_ns() + 10**12,
            start_record=started(org),
        )
        await ledger.hold(request)
        await ledger.close()

    async def settle(operation: str) -> None:
        ledger = SqliteLedger(spent.rooms.state, clock=spent.clock)
        await ledger.settle(operation, Nano(1), charged_ns)
        await ledger.close()

    for operation, org, at_ns in (
        ("op_1", "globex", charged_ns),
        ("op_2", "acme", charged_ns),
        ("op_3", "acme", charged_ns + 60 * 10**9),
    ):
        asyncio.run(hold(operation, org, at_ns))
    refused = owner.post(CLOSE, json={})
    assert (refused.status_code, refused.headers["retry-after"]) == (409, "5")
    assert "1 calls of 2026-10 are not settled" in refused.text
    asyncio.run(settle("op_2"))
    assert owner.post(CLOSE, json={}).status_code == 200


def started(org: str) -> bytes:
    """The start record of a call of an org."""
    said: dict[str, Any] = {"org": org, "tags": {}, "streamed": False, "request_bytes": 0}
    return msgspec.json.encode(StartRecord(**{name: said.get(name, "x") for name in StartRecord.__struct_fields__}))


def test_a_store_that_lags_is_waited_for(tmp_path: Path, clock: SetClock) -> None:
    lagging = ["rows of 40 s ago are not in ClickHouse yet"]
    with serving(tmp_path, clock, lag=lambda: lagging[0]) as port, port.as_owner() as owner:
        port.tenants("acme")
        port.reader.rows = rows()
        refused = owner.post(CLOSE, json={})
        assert (refused.status_code, "40 s ago" in refused.text, refused.headers["retry-after"]) == (409, True, "5")
        lagging[0] = ""
        assert owner.post(CLOSE, json={}).status_code == 200


def test_negotiated_lines_stand_on_the_statement_of_their_month(spent: Port, owner: httpx.Client) -> None:
    body = {"org": "acme", "period": "2026-10", "kind": "credit", "amount_usd": "-0.000000001", "note": "outage"}
    mine = owner.post(f"{ROOT}/adjustments", json={**body, "team": "support", "cost_center": "4711"}).json()
    whole = owner.post(f"{ROOT}/adjustments", json={**body, "kind": "commitment", "amount_usd": "100"}).json()
    gone = owner.post(f"{ROOT}/adjustments", json=body).json()
    assert owner.delete(f"{ROOT}/adjustments/{gone['id']}").status_code == 200
    for wrong in ({"amount_usd": "0"}, {"amount_usd": "0.0000000001"}, {"team": "nobody"}, {"period": "2026"}):
        assert owner.post(f"{ROOT}/adjustments", json={**body, **wrong}).status_code in (400, 404), wrong
    assert owner.get(f"{ROOT}/adjustments?org=acme").json()["data"] == [mine, whole]
    of_org, of_team = owner.post(CLOSE, json={}).json()["statements"]
    assert (of_org["team"], of_org["total_usd"]) == ("", "100.00")
    assert (of_team["team"], of_team["negotiated_nano"], of_team["total_nano"]) == ("support", -1, 12_499_999)
    for answer in (owner.post(f"{ROOT}/adjustments", json=body), owner.delete(f"{ROOT}/adjustments/{mine['id']}")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "period_closed")
    actions = [each["action"] for each in owner.get(f"{ROOT}/audit?limit=4").json()["data"]]
    assert actions == ["period.close", "adjustment.remove", "adjustment.add", "adjustment.add"]


def test_who_is_bound_reaches_only_their_own(spent: Port, owner: httpx.Client) -> None:
    spent.tenants("globex")
    both = [*rows(), replace(rows(7)[0], group={**WHERE, "team": "sales", "price_version": "ab12"})]
    spent.reader.rows = both
    body = {"org": "acme", "period": "2026-10", "kind": "credit", "amount_usd": "-1", "team": "sales"}
    line = owner.post(f"{ROOT}/adjustments", json=body).json()
    for org in ("acme", "globex"):
        assert owner.post(f"{ROOT}/periods/{org}/2026-10/close", json={}).status_code == 200
    teams = {each["team"]: each["number"] for each in owner.get(f"{ROOT}/statements?org=acme").json()["data"]}
    with spent.person("vera", "viewer", "acme", "support") as vera:
        assert [each["team"] for each in vera.get(f"{ROOT}/statements").json()["data"]] == ["support"]
        assert vera.get(f"{ROOT}/statements/acme/{teams['support']}").status_code == 200
        assert vera.get(f"{ROOT}/statements/acme/{teams['sales']}").status_code == 404
        assert vera.get(f"{ROOT}/statements/globex/1").status_code == 404
        assert vera.get(f"{ROOT}/statements?org=globex").status_code == 403
        assert vera.get(f"{ROOT}/adjustments").json()["data"] == []
    with spent.person("otto", "billing", "globex") as otto:
        assert otto.post(f"{ROOT}/periods/acme/2026-11/close", json={}).status_code == 403
        assert otto.delete(f"{ROOT}/adjustments/{line['id']}").status_code == 404
        assert {each["org"] for each in otto.get(f"{ROOT}/statements").json()["data"]} == {"globex"}
    with spent.person("ben", "billing", "acme", "support") as ben:
        assert ben.post(f"{ROOT}/periods/acme/2026-11/close", json={}).status_code == 403
        assert ben.post(f"{ROOT}/adjustments", json=body).status_code == 403
    with spent.person("aud", "auditor") as auditor:
        assert auditor.get(f"{ROOT}/statements/acme/1").status_code == 200
        assert auditor.post(CLOSE, json={}).status_code == 403
    with spent.person("pol", "policy_admin") as pol:
        assert pol.get(f"{ROOT}/statements").status_code == 403


def test_pages_of_statements(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    port.reader.rows = [replace(rows()[0], group={**WHERE, "team": f"t{at}", "price_version": ""}) for at in range(5)]
    owner.post(CLOSE, json={})
    page = owner.get(f"{ROOT}/statements?limit=3").json()
    rest = owner.get(f"{ROOT}/statements?limit=3&page={page['next_page']}").json()
    assert [each["number"] for each in (*page["data"], *rest["data"])] == [1, 2, 3, 4, 5]
    assert (page["has_more"], rest["has_more"]) == (True, False)
