"""Runs on the admin port: whose they are, how they stand against their limits, and stopping one."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy.admin.routes import ROUTES
from proxy.admin.run_routes import RUN_ROUTES
from proxy.budget import HoldRequest, RunTicket, SqliteLedger, Unit
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.core.tenant import Principal
from proxy.journey.run_book import RunBook
from proxy.runs import Claims, RunLimitEntry, RunSettings
from proxy.telemetry import RunIdentity, TelemetryUnavailable
from tests.unit.admin.admin_port import Port, serving
from tests.unit.admin.telemetry_rows import operation, run

LIMITS = (
    RunLimitEntry(scope="org:acme", calls=10, usd=Decimal("0.5"), seconds=600, depth=3),
    RunLimitEntry(scope="agent:acme/triage", tool_calls=4),
)
BOOK = RunBook.of(RunSettings(limits=LIMITS))
RUNS = "/admin/v1/runs"


@pytest.fixture
def port(tmp_path: Path, clock: SetClock) -> Iterator[Port]:
    with serving(tmp_path, clock, run_book=lambda: BOOK) as port:
        port.tenants("acme", "beta")
        yield port


def principal(port: Port, org: str = "acme", team: str = "support") -> Principal:
    key = port.rooms.key_store.named_key(org, team, "bot")
    return Principal(org=org, team=team, key_id=key.key_id, key_name="bot")


def use(port: Port, name: str, cost: int, tools: int) -> Principal:
    """One settled call of a run and one that is still held, as a worker would make them."""
    who = principal(port)
    claims = Claims(run=name, run_source="header", agent="triage")

    async def calls() -> None:
        ledger = SqliteLedger(port.rooms.state, clock=port.clock)
        for number in range(2):
            await ledger.hold(
                HoldRequest(
                    operation=f"op_{number:032x}",
                    worker="w0",
                    lines=BOOK.lines(who, claims, port.clock.now_ns()),
                    amount=Nano(cost),
                    charged_at_ns=port.clock.now_ns(),
                    lease_until_ns=port.clock.now_ns() + 10**12,
                    start_record=b"",
                    run=BOOK.ticket(who, claims),
                )
            )
        await ledger.settle(f"op_{0:032x}", Nano(cost), port.clock.now_ns(), used={Unit.TOOL_CALLS: tools})
        await ledger.close()

    asyncio.run(calls())
    return who


def test_a_run_is_shown_with_what_it_did(port: Port, owner: httpx.Client) -> None:
    port.reader.run_totals = [run("loop")]
    (shown,) = owner.get(RUNS).json()["data"]
    assert shown == {
        "id": "run_" + RunIdentity("acme", "key_1", "loop").digest,
        "name": "loop",
        "org": "acme",
        "team": "support",
        "key": "bot",
        "key_id": "key_1",
        "state": "open",
        "source": "header",
        "parent": "",
        "depth": 1,
        "agents": ["triage"],
        "calls": 3,
        "refused_calls": 0,
        "unpriced_calls": 0,
        "tool_calls": 2,
        "tokens": {"input": 3000, "output": 21},
        "cost_usd": "0.0125",
        "cost_nano": 12_500_000,
        "outcomes": {"ok": 3},
        "last_code": "",
        "began_at": "2026-11-20T11:00:00Z",
        "last_at": "2026-11-20T11:02:03.250000Z",
        "object": "run",
    }


def test_it_stands_against_its_limits_by_the_ledgers_count(port: Port, owner: httpx.Client) -> None:
    who = use(port, "loop", cost=100_000_000, tools=3)
    port.reader.run_totals = [run("loop", key_id=who.key_id)]
    port.reader.operations = [operation("op_1")]
    port.clock.move(90)
    told = owner.get(f"{RUNS}/loop").json()
    assert {limit.pop("what"): limit for limit in told["limits"]} == {
        "calls": {"said_of": "org:acme", "agent": "", "limit": 10, "used": 1, "held": 1, "remaining": 8},
        "usd": {
            "said_of": "org:acme",
            "agent": "",
            "limit_usd": "0.50",
            "limit_nano": 500_000_000,
            "used_usd": "0.10",
            "used_nano": 100_000_000,
            "held_usd": "0.10",
            "held_nano": 100_000_000,
            "remaining_usd": "0.30",
            "remaining_nano": 300_000_000,
        },
        "tool_calls": {
            "said_of": "agent:acme/triage",
            "agent": "triage",
            "limit": 4,
            "used": 3,
            "held": 0,
            "remaining": 1,
        },
        "seconds": {"said_of": "org:acme", "agent": "", "limit": 600, "used": 90, "remaining": 510},
        "depth": {"said_of": "org:acme", "agent": "", "limit": 3, "used": 1, "remaining": 2},
    }
    assert [call["id"] for call in told["last_calls"]] == ["op_1"]
    assert port.reader.recently[-1]["filters"] == {"run": ("loop",), "key_id": (who.key_id,)}


def test_a_run_whose_first_call_goes_on_is_listed_first(port: Port, owner: httpx.Client) -> None:
    use(port, "young", cost=1, tools=0)
    port.reader.run_totals = [run("old")]
    listed = owner.get(RUNS).json()["data"]
    assert [(each["name"], each["calls"], each["key"], each["last_at"] is None) for each in listed] == [
        ("young", 0, "bot", True),
        ("old", 3, "bot", False),
    ]
    assert [each["name"] for each in owner.get(f"{RUNS}?name=old").json()["data"]] == ["old"]


def test_a_killed_run_is_said_to_be_and_audited(port: Port, owner: httpx.Client) -> None:
    who = use(port, "loop", cost=1, tools=0)
    port.reader.run_totals = [run("loop", key_id=who.key_id), run("other", key_id=who.key_id)]
    killed = owner.post(f"{RUNS}/loop/kill", json={"reason": "it loops"}).json()
    assert (killed["name"], killed["key_id"], killed["reason"]) == ("loop", who.key_id, "it loops")
    assert {each["name"]: each["state"] for each in owner.get(RUNS).json()["data"]} == {
        "loop": "killed",
        "other": "open",
    }
    assert [each["name"] for each in owner.get(f"{RUNS}?state=killed").json()["data"]] == ["loop"]
    assert [each["name"] for each in owner.get(f"{RUNS}?state=open").json()["data"]] == ["other"]
    (record,) = owner.get("/admin/v1/audit?action=run.kill").json()["data"]
    assert (record["subject"], record["org"], record["team"]) == ("run:acme/loop", "acme", "support")
    assert record["after"]["reason"] == "it loops"
    assert record["before"]["calls"] == 3
    assert owner.post(f"{RUNS}/loop/kill", json={}).status_code == 200
    assert owner.get(f"{RUNS}/{killed['id']}").json()["run"]["state"] == "killed"
    assert _next_call(port, who, "loop") == "killed"


def _next_call(port: Port, who: Principal, name: str) -> str:
    async def hold() -> Any:
        ledger = SqliteLedger(port.rooms.state, clock=port.clock)
        ticket = RunTicket(org=who.org, key_id=who.key_id, name=name)
        now_ns = port.clock.now_ns()
        request = HoldRequest(
            operation=f"op_{9:032x}",
            worker="w0",
            lines=(),
            amount=Nano(0),
            charged_at_ns=now_ns,
            lease_until_ns=now_ns,
            start_record=b"",
            run=ticket,
        )
        verdict = await ledger.hold(request)
        await ledger.close()
        return verdict

    return str(asyncio.run(hold()).why)


def test_a_name_of_two_keys_wants_to_know_whose(port: Port, owner: httpx.Client) -> None:
    support, sales = principal(port), principal(port, team="sales")
    port.reader.run_totals = [
        run("loop", key_id=support.key_id),
        run("loop", key_id=sales.key_id, team="sales"),
        run("loop", "beta", "key_9"),
    ]
    refused = owner.post(f"{RUNS}/loop/kill", json={})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "key")
    assert "acme/sales/bot, acme/support/bot, beta/support/bot" in refused.json()["error"]["message"]
    killed = owner.post(f"{RUNS}/loop/kill?org=acme&team=sales&key=bot", json={}).json()
    assert killed["key_id"] == sales.key_id
    assert owner.get(f"{RUNS}/loop?key={support.key_id}").json()["run"]["state"] == "open"


def test_a_name_that_no_path_holds_is_reached_by_its_id(port: Port, owner: httpx.Client) -> None:
    who = use(port, "a b/ü", cost=1, tools=0)
    (listed,) = owner.get(RUNS, params={"name": "a b/ü"}).json()["data"]
    killed = owner.post(f"{RUNS}/{listed['id']}/kill", json={}).json()
    assert (killed["name"], killed["key_id"]) == ("a b/ü", who.key_id)
    port.reader.run_totals = [run("c d")]
    (listed,) = owner.get(RUNS, params={"name": "c d"}).json()["data"]
    assert owner.get(f"{RUNS}/{listed['id']}").json()["run"]["name"] == "c d"


def test_a_run_without_any_call_is_stopped_by_its_whole_name(port: Port, owner: httpx.Client) -> None:
    assert owner.post(f"{RUNS}/soon/kill", json={}).status_code == 404
    whose = "org=acme&team=support&key=bot"
    killed = owner.post(f"{RUNS}/soon/kill?{whose}", json={}).json()
    assert killed["key_id"] == principal(port).key_id
    assert owner.post(f"{RUNS}/soon/kill?org=acme&team=support&key=nobody", json={}).status_code == 404
    assert owner.post(f"{RUNS}/run_{0:032x}/kill?{whose}", json={}).status_code == 404


def test_a_run_is_stopped_while_the_store_of_rows_is_away(port: Port, owner: httpx.Client) -> None:
    port.reader.fails = TelemetryUnavailable("ClickHouse is away")
    assert owner.get(RUNS).status_code == 503
    assert owner.post(f"{RUNS}/loop/kill?org=acme&team=support&key=bot", json={}).status_code == 200


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_whoever_only_looks_stops_nothing(port: Port, role: str) -> None:
    port.reader.run_totals = [run("loop")]
    person = port.person("eve", role)
    assert person.get(f"{RUNS}/loop").status_code == 200
    assert person.post(f"{RUNS}/loop/kill", json={}).status_code == 403


def test_a_bound_token_reaches_its_own_runs_only(port: Port) -> None:
    support, sales = principal(port), principal(port, team="sales")
    ours, theirs = run("loop", key_id=support.key_id), run("loop", key_id=sales.key_id, team="sales")
    port.reader.run_totals = [ours, theirs, run("loop", "beta", "key_9"), run("far", "beta", "key_9")]
    bound = port.person("eve", "owner", "acme", "support")
    assert [each["key_id"] for each in bound.get(RUNS).json()["data"]] == [support.key_id]
    assert bound.post(f"{RUNS}/loop/kill", json={}).json()["key_id"] == support.key_id
    assert bound.post(f"{RUNS}/far/kill", json={}).status_code == 404
    assert bound.post(f"{RUNS}/run_{theirs.identity.digest}/kill", json={}).status_code == 404
    assert bound.post(f"{RUNS}/loop/kill?org=beta&team=support&key=bot", json={}).status_code == 403
    assert bound.post(f"{RUNS}/new/kill?org=acme&team=sales&key=bot", json={}).status_code == 403


def test_pages_go_on_where_the_last_one_ended(port: Port, owner: httpx.Client) -> None:
    port.reader.run_totals = [run(f"r{n}", last_at=f"2026-11-20 10:00:{59 - n:02d}.000") for n in range(5)]
    first = owner.get(f"{RUNS}?limit=2").json()
    assert ([each["name"] for each in first["data"]], first["has_more"]) == (["r0", "r1"], True)
    owner.get(f"{RUNS}?limit=2&page={first['next_page']}")
    assert port.reader.runs_asked[-1].before == "\x1f".join(("2026-11-20 10:00:58.000", "acme", "key_1", "r1"))
    assert owner.get(f"{RUNS}?limit=2&page=nonsense").status_code == 400


def test_what_is_asked_for_is_asked_of_the_store(port: Port, owner: httpx.Client) -> None:
    port.reader.run_totals = [replace(run("loop"), last_code="run_stopped"), run("fine")]
    asked = "org=acme&team=support&key=bot&agent=triage&name=loop&state=stopped&days=7"
    assert [each["state"] for each in owner.get(f"{RUNS}?{asked}").json()["data"]] == ["stopped"]
    question = port.reader.runs_asked[-1]
    assert (question.org, question.team, question.key, question.agent) == ("acme", "support", "bot", "triage")
    assert (question.run, question.end, question.limit) == ("loop", "stopped", 101)
    assert question.since is not None and question.since.isoformat() == "2026-11-13T12:00:00+00:00"


def test_the_routes_are_in_the_table() -> None:
    assert [each for each in ROUTES if each in RUN_ROUTES] == list(RUN_ROUTES)
