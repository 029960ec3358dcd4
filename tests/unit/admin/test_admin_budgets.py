"""Budgets over the wire: put, read with live state, deleted."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from proxy.budget import BudgetEntry, HoldRequest, LedgerUnavailable, SqliteCounterBook, SqliteLedger, Stretch
from proxy.core.money import Nano
from tests.unit.admin.admin_port import Port, serving

MONTH = "/admin/v1/budgets/acme-month"
BODY = {"scope": "org:acme", "limit_usd": 500, "timezone": "Europe/Berlin"}


async def _spend_and_hold(port: Port, scope: str = "org:acme") -> None:
    """One call that cost 2.000000001 dollars, and one under way that holds a quarter."""
    ledger = SqliteLedger(port.rooms.state, clock=port.clock)
    now = port.clock.now_ns()
    lines = port.rooms.budget_store.load().lines_for([scope], now)
    for operation, amount in ((f"op_{1:032x}", 2_000_000_001), (f"op_{2:032x}", 250_000_000)):
        await ledger.hold(
            HoldRequest(
                operation=operation,
                worker="wrk_1",
                lines=lines,
                amount=Nano(amount),
                charged_at_ns=now,
                lease_until_ns=now + 10**12,
                start_record=b"{}",
            )
        )
    await ledger.settle(f"op_{1:032x}", Nano(2_000_000_001), now)
    await ledger.close()


def test_a_budget_shows_what_a_refusal_shows(port: Port, owner: httpx.Client) -> None:
    made = owner.put(MONTH, json=BODY | {"opening_spent_usd": "12.5"})
    assert made.status_code == 201
    asyncio.run(_spend_and_hold(port))
    shown = owner.get(MONTH).json()
    assert {name: shown[name] for name in shown if name.endswith(("_usd", "_nano"))} == {
        "limit_usd": "500.00",
        "limit_nano": 500_000_000_000,
        "base_limit_usd": "500.00",
        "base_limit_nano": 500_000_000_000,
        "spent_usd": "14.500000001",
        "spent_nano": 14_500_000_001,
        "held_usd": "0.25",
        "held_nano": 250_000_000,
        "overrun_usd": "0.00",
        "overrun_nano": 0,
        "remaining_usd": "485.249999999",
        "remaining_nano": 485_249_999_999,
        "opening_spent_usd": "12.50",
        "opening_spent_nano": 12_500_000_000,
    }
    assert (shown["current_window"], shown["resets_at"]) == ("2026-11", "2026-11-30T23:00:00Z")
    assert (shown["scope"], shown["hard"], shown["managed_by"]) == ("org:acme", True, "api")


def test_a_total_never_resets(owner: httpx.Client) -> None:
    made = owner.put(MONTH, json=BODY | {"window": "total", "hard": False}).json()
    assert (made["resets_at"], made["current_window"], made["hard"]) == (None, "total", False)


def test_conditions_hold_for_what_is_said_not_for_what_is_spent(port: Port, owner: httpx.Client) -> None:
    first = owner.put(MONTH, json=BODY, headers={"if-none-match": "*"})
    tag = first.headers["etag"]
    assert owner.get(MONTH).headers["etag"] == tag
    second = owner.put(MONTH, json=BODY | {"limit_usd": "501"}, headers={"if-match": tag})
    assert second.status_code == 200 and second.headers["etag"] != tag
    for headers in ({"if-match": tag}, {"if-none-match": "*"}):
        stale = owner.put(MONTH, json=BODY, headers=headers)
        assert (stale.status_code, stale.json()["error"]["code"]) == (412, "precondition_failed")
    assert owner.delete(MONTH, headers={"if-match": tag}).status_code == 412
    assert owner.delete(MONTH, headers={"if-match": second.headers["etag"]}).status_code == 200
    assert owner.get(MONTH).status_code == 404


@pytest.mark.parametrize(
    ("change", "params"),
    [
        ({"limit_usd": "0.0000000001"}, ["limit_usd"]),
        ({"limit_usd": "-1"}, ["limit_usd"]),
        ({"limit_usd": "many"}, ["limit_usd"]),
        ({"limit_usd": None}, ["limit_usd"]),
        ({"limit_usd": "NaN"}, ["limit_usd"]),
        ({"limit_usd": "1e999999"}, ["limit_usd"]),
        ({"limit_usd": "12.3000000000000000000000000000000000001"}, ["limit_usd"]),
        ({"scope": "org:"}, ["scope"]),
        ({"window": "decade", "timezone": 5}, ["window", "timezone"]),
        ({"timezone": "Mars/Olympus"}, ["timezone"]),
        ({"limit_usd": "0.0000000001", "timezone": "Mars/Olympus"}, ["limit_usd", "timezone"]),
        ({"ladders": []}, ["ladders"]),
        ({"ladder": [{"at": 0.8}]}, ["ladder[0]"]),
        ({"ladder": [{"at": "0.8000001", "do": "alert"}], "limit_usd": "-1"}, ["ladder[0].at", "limit_usd"]),
        ({"ladder": [{"at": 0.8, "do": "block"}, {"at": 0.7, "do": "alert"}]}, ["ladder[1].at"]),
        ({"ladder": [{"at": 0.8, "do": "throttle"}]}, ["ladder[0].delay_ms"]),
        ({"enforcement": "watch"}, ["enforcement"]),
        ({"limit_concurrent": 5}, ["limit_concurrent"]),
        ({"window": "rolling"}, ["length"]),
        ({"length": "24h"}, ["length"]),
        ({"window": "rolling", "length": "59s"}, ["length"]),
    ],
)
def test_bad_budgets_are_named_all_at_once(owner: httpx.Client, change: dict[str, Any], params: list[str]) -> None:
    response = owner.put(MONTH, json=BODY | change)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    found = [each["param"] for each in error.get("flyball", {"problems": [error]})["problems"]]
    assert found == params
    assert owner.get(MONTH).status_code == 404


def test_what_the_file_says_is_not_changed(port: Port, owner: httpx.Client) -> None:
    port.rooms.budget_store.sync_from_file([BudgetEntry(name="acme-month", scope="org:acme", limit_usd=Decimal(1))])
    for response in (owner.put(MONTH, json=BODY), owner.delete(MONTH)):
        assert (response.status_code, response.json()["error"]["code"]) == (409, "managed_by_file")
    assert owner.get(MONTH).json()["managed_by"] == "file"


def test_lists_are_paged_and_narrowed(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme", "beta")
    page = owner.get("/admin/v1/budgets", params={"limit": 4}).json()
    rest = owner.get("/admin/v1/budgets", params={"page": page["next_page"]}).json()
    assert [each["name"] for each in page["data"]] == ["acme", "acme-sales", "acme-support", "beta"]
    assert [each["name"] for each in rest["data"]] == ["beta-sales", "beta-support"]
    sales = owner.get("/admin/v1/budgets", params={"org": "acme", "team": "sales"}).json()
    assert [each["name"] for each in sales["data"]] == ["acme-sales"]


def test_a_budget_shows_the_amounts_of_what_it_counts(owner: httpx.Client) -> None:
    body = {"scope": "org:acme", "limit_tokens": 1000, "tokens": "output", "window": "rolling", "length": "60m"}
    shown = owner.put("/admin/v1/budgets/out", json=body).json()
    assert {name: shown[name] for name in shown if name.endswith(("_usd", "_nano", "_tokens", "_requests"))} == {
        "limit_tokens": 1000,
        "base_limit_tokens": 1000,
        "spent_tokens": 0,
        "held_tokens": 0,
        "overrun_tokens": 0,
        "remaining_tokens": 1000,
    }
    assert (shown["tokens"], shown["window"], shown["length"]) == ("output", "rolling", "1h")
    assert shown["resets_at"] is not None
    calls = owner.put("/admin/v1/budgets/calls", json={"scope": "org:acme", "limit_requests": 5}).json()
    assert (calls["limit_requests"], calls["remaining_requests"]) == (5, 5) and "tokens" not in calls


@pytest.mark.parametrize(
    ("stated", "params"),
    [
        ({}, ["limit_usd"]),
        ({"limit_usd": "1", "limit_tokens": 1}, ["limit_usd"]),
        ({"limit_tokens": -1}, ["limit_tokens"]),
        ({"limit_requests": 1.5}, ["limit_requests"]),
        ({"limit_requests": 1, "tokens": "output"}, ["tokens"]),
        ({"limit_requests": 1, "opening_spent_usd": "1"}, ["opening_spent_usd"]),
    ],
)
def test_a_budget_states_one_limit(owner: httpx.Client, stated: dict[str, Any], params: list[str]) -> None:
    error = owner.put(MONTH, json={"scope": "org:acme"} | stated).json()["error"]
    assert [each["param"] for each in error.get("flyball", {"problems": [error]})["problems"]] == params


def test_a_budget_for_each_is_told_by_its_fullest_and_by_each(port: Port, owner: httpx.Client) -> None:
    default = "/admin/v1/budgets/each"
    made = owner.put(default, json={"scope": "user:acme/*", "limit_usd": "500", "models": ["gpt-*"]}).json()
    assert (made["scope"], made["counted_scopes"], made["models"]) == ("user:acme/*", 0, ["gpt-*"])
    asyncio.run(_spend_and_hold(port, "user:acme/u/1"))
    shown = owner.get(default).json()
    assert (shown["counted_scope"], shown["counted_scopes"], shown["held_usd"]) == ("user:acme/u/1", 1, "0.25")
    one = owner.get(default, params={"scope": "user:acme/u/1"}).json()
    assert one == shown
    assert owner.get(default, params={"scope": "user:acme/u2"}).json()["spent_usd"] == "0.00"
    assert owner.get(default, params={"scope": "user:beta/u2"}).status_code == 404
    each = owner.get(f"{default}/each", params={"limit": 1}).json()
    assert [(one["counted_scope"], one["spent_usd"]) for one in each["data"]] == [("user:acme/u/1", "2.000000001")]
    assert "counted_scope" not in owner.put(MONTH, json=BODY).json()
    alone = owner.get(MONTH).json()
    assert owner.get(f"{MONTH}/each").json()["data"] == [{name: alone[name] for name in alone if name != "forecast"}]


class BookAway(SqliteCounterBook):
    """Counters in a store that does not answer."""

    def counted(self, asked: Sequence[Stretch]) -> Any:
        raise LedgerUnavailable("no answer within 50 ms")


def test_numbers_that_cannot_be_had_are_a_503(port: Port, owner: httpx.Client) -> None:
    owner.put(MONTH, json=BODY)
    port.rooms.budget_store._book = BookAway(port.rooms.state)
    for response in (owner.get(MONTH), owner.get("/admin/v1/budgets")):
        assert (response.status_code, response.json()["error"]["code"]) == (503, "dependency_unavailable")
        assert response.headers["retry-after"] == "1"
        assert "ledger" in response.json()["error"]["message"]


def test_a_ladder_shows_which_of_its_steps_are_reached(port: Port, owner: httpx.Client) -> None:
    ladder = [
        {"at": 0.02, "do": "alert"},
        {"at": "0.029", "do": "downgrade", "to": {"gpt-*": "fast"}},
        {"at": 0.95, "do": "throttle", "delay_ms": 250},
        {"at": 0.975, "do": "block"},
    ]
    made = owner.put(MONTH, json=BODY | {"limit_usd": 80, "ladder": ladder, "hard": False, "clamp": True}).json()
    assert (made["limit_usd"], made["blocks_at_usd"], made["clamp"], made["hard"]) == ("80.00", "78.00", True, False)
    asyncio.run(_spend_and_hold(port))
    shown = owner.get(MONTH).json()
    assert [(each["at"], each["do"]) for each in shown["rungs_reached"]] == [("0.02", "alert")]
    assert shown["ladder"][1:3] == [
        {"at": "0.029", "do": "downgrade", "to": {"gpt-*": "fast"}},
        {"at": "0.95", "do": "throttle", "delay_ms": 250},
    ]
    assert (shown["fraction"], shown["remaining_usd"]) == ("0.0281", "75.749999999")
    stated = {"scope": "org:acme", "limit_usd": 0, "enforcement": "observe"}
    nothing = owner.put("/admin/v1/budgets/none", json=stated).json()
    assert (nothing["fraction"], nothing["enforcement"], nothing["exceeded"]) == (None, "observe", False)


def test_budgets_that_promise_too_much_say_so(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    (warning,) = owner.get("/admin/v1/budgets/acme").json()["warnings"]
    assert "2 teams" in warning and "10.00 USD" in warning and "9.00 USD" in warning
    listed = owner.get("/admin/v1/budgets").json()["data"]
    assert {each["name"]: len(each["warnings"]) for each in listed} == {"acme": 1, "acme-sales": 0, "acme-support": 0}
    assert owner.put("/admin/v1/budgets/acme", json={"scope": "org:acme", "limit_usd": 10}).json()["warnings"] == []
    assert owner.put("/admin/v1/budgets/acme", json={"scope": "org:acme", "limit_usd": 8}).json()["warnings"] != []


def test_an_org_is_observed_through_the_api(port: Port, owner: httpx.Client) -> None:
    made = owner.put("/admin/v1/orgs/acme", json={"enforcement": "observe"}).json()
    assert made["enforcement"] == "observe" == owner.get("/admin/v1/orgs/acme").json()["enforcement"]
    assert port.rooms.key_store.observing() == {"acme"}
    assert owner.put("/admin/v1/orgs/acme", json={}).json()["enforcement"] == "enforce"


def test_of_many_changes_on_one_condition_one_is_made(port: Port, owner: httpx.Client) -> None:
    """Through two stores on one file, as two admin processes have them."""
    tag = owner.put(MONTH, json=BODY).headers["etag"]
    with serving(port.rooms.state.path.parent, port.clock) as other, ThreadPoolExecutor(8) as pool:

        def change(number: int) -> int:
            with (port if number % 2 else other).as_owner() as client:
                return client.put(MONTH, json=BODY | {"limit_usd": number}, headers={"if-match": tag}).status_code

        answers = sorted(pool.map(change, range(16)))
    assert answers == [200] + [412] * 15
    history = owner.get(f"{MONTH}/history").json()["data"]
    assert [each["before"]["limit_usd"] for each in history if each["before"]] == ["500.00"]


def test_of_many_deletions_one_deletes(port: Port, owner: httpx.Client) -> None:
    owner.put(MONTH, json=BODY)
    with ThreadPoolExecutor(8) as pool:

        def delete(_: int) -> int:
            with port.as_owner() as client:
                return client.delete(MONTH).status_code

        assert sorted(pool.map(delete, range(8))) == [200] + [404] * 7


def test_a_change_that_is_refused_moves_nothing(port: Port, owner: httpx.Client) -> None:
    owner.put(MONTH, json=BODY)
    generation = port.rooms.state.generation()
    assert owner.put(MONTH, json=BODY, headers={"if-match": '"stale"'}).status_code == 412
    assert owner.delete(MONTH, headers={"if-match": '"stale"'}).status_code == 412
    assert owner.delete("/admin/v1/budgets/none").status_code == 404
    assert port.rooms.state.generation() == generation
