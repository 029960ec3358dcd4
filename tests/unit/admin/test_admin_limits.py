"""Rate limits over the wire: budgets' siblings under /admin/v1/limits."""

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest

from proxy.budget import BudgetEntry, HoldRequest, RateLimitEntry, SqliteLedger
from proxy.core.money import Nano
from tests.unit.admin.admin_port import Port

RPM = "/admin/v1/limits/rpm"
BODY = {"scope": "org:acme", "limit_requests": 60}


async def _two_calls(port: Port, scope: str = "org:acme") -> None:
    """One call that ended and one that is under way."""
    ledger = SqliteLedger(port.rooms.state, clock=port.clock)
    now = port.clock.now_ns()
    lines = port.rooms.budget_store.load().lines_for([scope], now)
    for operation in (f"op_{1:032x}", f"op_{2:032x}"):
        await ledger.hold(
            HoldRequest(
                operation=operation,
                worker="wrk_1",
                lines=lines,
                amount=Nano(0),
                charged_at_ns=now,
                lease_until_ns=now + 10**12,
                start_record=b"{}",
            )
        )
    await ledger.settle(f"op_{1:032x}", Nano(0), now)
    await ledger.close()


def test_a_limit_is_made_read_changed_and_deleted(port: Port, owner: httpx.Client) -> None:
    made = owner.put(RPM, json=BODY, headers={"if-none-match": "*"})
    assert made.status_code == 201
    asyncio.run(_two_calls(port))
    shown = owner.get(RPM)
    assert shown.headers["etag"] == made.headers["etag"]
    told = shown.json()
    assert {name: told[name] for name in told if name.endswith("_requests")} == {
        "limit_requests": 60,
        "base_limit_requests": 60,
        "spent_requests": 1,
        "held_requests": 1,
        "overrun_requests": 0,
        "remaining_requests": 58,
    }
    assert (told["window"], told["current_window"], told["resets_at"]) == (
        "minute",
        "2026-11-20T12:00Z",
        "2026-11-20T12:01:00Z",
    )
    assert (told["object"], told["fraction"], told["exceeded"]) == ("limit", "0.0333", False)
    changed = owner.put(RPM, json=BODY | {"limit_requests": 2}, headers={"if-match": made.headers["etag"]})
    assert (changed.status_code, changed.json()["remaining_requests"], changed.json()["fraction"]) == (200, 0, "1")
    assert owner.delete(RPM, headers={"if-match": made.headers["etag"]}).status_code == 412
    assert owner.delete(RPM).json() == {"id": "rpm", "object": "limit", "deleted": True}
    assert owner.get(RPM).status_code == 404


def test_calls_at_once_have_no_window(owner: httpx.Client) -> None:
    told = owner.put(RPM, json={"scope": "org:acme", "limit_concurrent": 4}).json()
    assert (told["window"], told["resets_at"], told["remaining_concurrent"]) == ("total", None, 4)


@pytest.mark.parametrize(
    ("change", "params"),
    [
        ({"limit_usd": 5}, ["limit_usd"]),
        ({"hard": False}, ["hard"]),
        ({"limit_tokens": 5}, ["limit_requests"]),
        ({"window": "month"}, ["window"]),
        ({"window": "rolling"}, ["length"]),
        ({"limit_requests": None, "limit_concurrent": 5, "window": "hour"}, ["window"]),
        ({"ladder": [{"at": 2, "do": "block"}]}, ["ladder[0].at"]),
    ],
)
def test_bad_limits_are_named(owner: httpx.Client, change: dict[str, Any], params: list[str]) -> None:
    response = owner.put(RPM, json=BODY | change)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert [each["param"] for each in error.get("flyball", {"problems": [error]})["problems"]] == params
    assert owner.get(RPM).status_code == 404


def test_each_is_only_where_it_belongs_and_names_are_shared(owner: httpx.Client) -> None:
    assert owner.put(RPM, json=BODY).status_code == 201
    assert owner.put("/admin/v1/budgets/month", json={"scope": "org:acme", "limit_usd": 5}).status_code == 201
    assert owner.get("/admin/v1/budgets/rpm").status_code == 404
    assert owner.delete("/admin/v1/budgets/rpm").status_code == 404
    assert [each["name"] for each in owner.get("/admin/v1/budgets").json()["data"]] == ["month"]
    assert [each["name"] for each in owner.get("/admin/v1/limits").json()["data"]] == ["rpm"]
    for path, body in (("/admin/v1/budgets/rpm", {"scope": "org:acme", "limit_usd": 5}), (RPM[:-3] + "month", BODY)):
        taken = owner.put(path, json=body)
        assert (taken.status_code, taken.json()["error"]["code"]) == (409, "already_exists")


def test_what_the_file_says_is_not_changed(port: Port, owner: httpx.Client) -> None:
    port.rooms.budget_store.sync_from_file([], [RateLimitEntry(name="rpm", scope="org:acme", limit_requests=5)])
    for response in (owner.put(RPM, json=BODY), owner.delete(RPM)):
        assert (response.status_code, response.json()["error"]["code"]) == (409, "managed_by_file")


def test_a_limit_for_each_is_told_by_each(port: Port, owner: httpx.Client) -> None:
    owner.put(RPM, json=BODY | {"scope": "user:acme/*"})
    asyncio.run(_two_calls(port, "user:acme/u1"))
    (each,) = owner.get(f"{RPM}/each").json()["data"]
    assert (each["counted_scope"], each["spent_requests"]) == ("user:acme/u1", 1)
    assert owner.get(RPM, params={"scope": "user:acme/u2"}).json()["spent_requests"] == 0
    assert owner.get(RPM).json()["counted_scopes"] == 1


def test_bindings_hold_for_limits(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme", "beta")
    owner.put(RPM, json=BODY)
    with port.person("b", "owner", "beta") as outside, port.person("a", "viewer", "acme") as reader:
        for response in (outside.get(RPM), outside.get(f"{RPM}/raises"), outside.get(f"{RPM}/history")):
            assert response.status_code == 404
        assert [each["name"] for each in outside.get("/admin/v1/limits").json()["data"]] == ["beta-rpm"]
        assert outside.put("/admin/v1/limits/mine", json=BODY).status_code == 403
        assert reader.get(RPM).status_code == 200
        assert reader.put(RPM, json=BODY).status_code == 403


def test_a_raise_of_the_files_limit_holds_until_it_ends(port: Port, owner: httpx.Client) -> None:
    entries = [BudgetEntry(name="month", scope="org:acme", limit_usd=Decimal(500))]
    port.rooms.budget_store.sync_from_file(entries, [RateLimitEntry(name="rpm", scope="org:acme", limit_requests=5)])
    until = {"until": "2026-11-20T13:00:00Z", "reason": "launch"}
    made = owner.post(f"{RPM}/raises", json={"by_requests": 7} | until)
    assert made.status_code == 201
    told = made.json()
    assert (told["by_requests"], told["made_by"], told["made_at"]) == (7, "bootstrap", "2026-11-20T12:00:00Z")
    shown = owner.get(RPM).json()
    assert (shown["limit_requests"], shown["base_limit_requests"], shown["raises"]) == (12, 5, [told])
    assert owner.get(f"{RPM}/raises").json()["data"] == [told]
    dollars = owner.post("/admin/v1/budgets/month/raises", json={"by_usd": "0.25"} | until).json()
    assert (dollars["by_usd"], dollars["by_nano"]) == ("0.25", 250_000_000)
    month = owner.get("/admin/v1/budgets/month").json()
    assert (month["limit_usd"], month["base_limit_usd"]) == ("500.25", "500.00")
    assert owner.delete(f"{RPM}/raises/{told['id']}").json()["deleted"] is True
    assert owner.delete(f"{RPM}/raises/{told['id']}").status_code == 404
    assert owner.get(RPM).json()["limit_requests"] == 5
    port.clock.move(3600)
    month = owner.get("/admin/v1/budgets/month").json()
    assert (month["limit_usd"], month["raises"]) == ("500.00", [])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"by_usd": 5}, "by_requests"),
        ({}, "by_requests"),
        ({"by_requests": 5, "by_tokens": 5}, "by_requests"),
        ({"by_requests": -5}, "by_requests"),
        ({"by_requests": 5, "until": "2026-11-20T12:00:00Z"}, "until"),
        ({"by_requests": 5, "until": "2400-11-20T12:00:00Z"}, "until"),
        ({"by_requests": 5, "reason": ""}, "reason"),
    ],
)
def test_bad_raises_are_named(owner: httpx.Client, body: dict[str, Any], param: str) -> None:
    owner.put(RPM, json=BODY)
    refused = owner.post(f"{RPM}/raises", json={"until": "2027-01-01T00:00:00Z", "reason": "x"} | body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert owner.get(RPM).json()["raises"] == []


def test_a_raise_does_not_stand_in_the_way_of_a_condition(owner: httpx.Client) -> None:
    tag = owner.put(RPM, json=BODY).headers["etag"]
    owner.post(f"{RPM}/raises", json={"until": "2027-01-01T00:00:00Z", "reason": "x", "by_requests": 1})
    assert owner.put(RPM, json=BODY | {"limit_requests": 9}, headers={"if-match": tag}).json()["limit_requests"] == 10


def test_the_history_says_who_changed_what(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme", "beta")
    owner.put(RPM, json=BODY)
    with port.person("anna", "billing", "acme") as anna:
        anna.put(RPM, json=BODY | {"limit_requests": 90})
        raised = anna.post(
            f"{RPM}/raises", json={"until": "2027-01-01T00:00:00Z", "reason": "launch", "by_requests": 1}
        ).json()
        anna.delete(f"{RPM}/raises/{raised['id']}")
        page = anna.get(f"{RPM}/history", params={"limit": 3}).json()
        assert [(each["actor"], each["action"]) for each in page["data"]] == [
            ("anna", "limit.end_raise"),
            ("anna", "limit.raise"),
            ("anna", "limit.put"),
        ]
        put = page["data"][2]
        assert (put["before"]["limit_requests"], put["after"]["limit_requests"]) == (60, 90)
        (first,) = anna.get(f"{RPM}/history", params={"page": page["next_page"]}).json()["data"]
        assert (first["actor"], first["before"], first["after"]["limit_requests"]) == ("bootstrap", None, 60)
    owner.delete(RPM)
    assert owner.get(f"{RPM}/history").json()["data"][0]["action"] == "limit.delete"
    with port.person("ben", "owner", "beta") as outside:
        assert outside.get(f"{RPM}/history").status_code == 404
    assert owner.get("/admin/v1/limits/never/history").status_code == 404
