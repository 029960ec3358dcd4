"""Kill switches on the admin port: who may set and lift which, what is warned of, what the trail says."""

from typing import Any

import httpx
import pytest

from tests.unit.admin.admin_port import Port

PATH = "/admin/v1/kill-switches"


def set_off(client: httpx.Client, target: str, **more: Any) -> httpx.Response:
    return client.post(PATH, json={"target": target, "reason": "loops", **more})


def test_one_is_set_shown_and_lifted(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    made = set_off(owner, "key:acme/support/bot", expires_at="2026-11-20T13:00:00Z").json()
    assert made == {
        "id": made["id"],
        "target": "key:acme/support/bot",
        "kind": "key",
        "org": "acme",
        "team": "support",
        "reason": "loops",
        "by": "bootstrap",
        "since": "2026-11-20T12:00:00Z",
        "expires_at": "2026-11-20T13:00:00Z",
        "state": "on",
        "lifted_at": None,
        "lifted_by": None,
        "warnings": [],
        "object": "kill_switch",
    }
    assert made["id"].startswith("kil_")
    assert owner.get(f"{PATH}/{made['id']}").json() == made
    assert owner.get(f"{PATH}?state=on").json()["data"] == [made]
    lifted = owner.post(f"{PATH}/{made['id']}/lift").json()
    assert (lifted["state"], lifted["lifted_by"]) == ("lifted", "bootstrap")
    assert owner.get(f"{PATH}?state=on").json()["data"] == []
    assert owner.post(f"{PATH}/{made['id']}/lift").status_code == 409
    trail = owner.get("/admin/v1/audit?subject=key:acme/support/bot").json()["data"]
    assert [(each["action"], each["org"]) for each in trail[:2]] == [
        ("kill_switch.lift", "acme"),
        ("kill_switch.set", "acme"),
    ]
    assert trail[1]["after"]["reason"] == "loops"


def test_those_that_have_ended_are_listed_page_by_page(port: Port, owner: httpx.Client) -> None:
    ids = [set_off(owner, f"provider:p{number}").json()["id"] for number in range(5)]
    set_off(owner, "model:x", expires_at="2026-11-20T12:00:30Z")
    port.clock.move(60)
    page = owner.get(f"{PATH}?limit=3").json()
    assert [each["state"] for each in page["data"]] == ["expired", "on", "on"]
    rest = owner.get(f"{PATH}?limit=3&page={page['next_page']}").json()
    assert [each["id"] for each in rest["data"]] == ids[2::-1] and not rest["has_more"]
    assert [each["target"] for each in owner.get(f"{PATH}?state=ended").json()["data"]] == ["model:x"]


@pytest.mark.parametrize(
    ("role", "may_set", "may_lift"),
    [
        ("owner", True, True),
        ("policy_admin", True, True),
        ("approver", True, False),
        ("billing", False, False),
        ("auditor", False, False),
        ("viewer", False, False),
    ],
)
def test_who_may_stop_may_not_always_let_go_on(
    port: Port, owner: httpx.Client, role: str, may_set: bool, may_lift: bool
) -> None:
    made = set_off(owner, "tool:*").json()
    with port.person("anna", role) as person:
        assert set_off(person, "writes").status_code == (201 if may_set else 403)
        assert person.get(PATH).status_code == 200
        assert person.post(f"{PATH}/{made['id']}/lift").status_code == (200 if may_lift else 403)


def test_a_bound_token_turns_off_what_is_its_own(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme", "beta")
    foreign = set_off(owner, "org:beta").json()
    everybodys = set_off(owner, "model:gpt-*").json()
    with (
        port.person("anna", "policy_admin", "acme") as anna,
        port.person("ben", "policy_admin", "acme", "sales") as ben,
    ):
        for target in ("org:acme", "agent:acme/triage", "run:acme/r", "writes:acme", "key:acme/sales/bot"):
            assert set_off(anna, target).status_code == 201, target
        for target in ("org:beta", "run:beta/r", "writes:beta", "writes", "model:x", "provider:x", "tool:x"):
            answer = set_off(anna, target)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "outside_binding"), target
        assert [set_off(ben, target).status_code for target in ("key:acme/sales/bot", "team:acme/sales")] == [201, 201]
        assert [set_off(ben, target).status_code for target in ("org:acme", "team:acme/support")] == [403, 403]
        assert anna.get(f"{PATH}/{foreign['id']}").status_code == 404
        assert anna.post(f"{PATH}/{foreign['id']}/lift").status_code == 404
        assert anna.get(f"{PATH}/{everybodys['id']}").status_code == 200
        assert anna.post(f"{PATH}/{everybodys['id']}/lift").status_code == 403
        seen = {each["target"] for each in anna.get(PATH).json()["data"]}
        assert "org:beta" not in seen and {"model:gpt-*", "org:acme"} <= seen


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"target": "org:acme"}, "reason"),
        ({"target": "org:acme", "reason": ""}, "reason"),
        ({"target": "orgs:acme", "reason": "r"}, "target"),
        ({"target": "team:acme", "reason": "r"}, "target"),
        ({"target": "org:acme", "reason": "r", "expires_at": "2026-11-20T11:00:00Z"}, "expires_at"),
        ({"target": "org:acme", "reason": "r", "until": 1}, "until"),
    ],
)
def test_what_cannot_be_meant_so(port: Port, owner: httpx.Client, body: dict[str, Any], param: str) -> None:
    answer = owner.post(PATH, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert owner.get(PATH).json()["data"] == []


def test_what_nobody_knows_is_turned_off_with_a_warning(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    known = ("org:acme", "team:acme/support", "key:acme/support/bot", "run:acme/r", "tool:x", "writes")
    assert all(set_off(owner, target).json()["warnings"] == [] for target in known)
    for target in ("org:acne", "team:acme/x", "key:acme/support/x", "agent:acne/x", "provider:x", "model:gtp-*"):
        (warning,) = set_off(owner, target).json()["warnings"]
        assert "is known here" in warning, target
    owner.put("/admin/v1/orgs/acme", json={"enforcement": "observe"})
    (warning,) = set_off(owner, "org:acme").json()["warnings"]
    assert "enforcement is observe" in warning


def test_the_same_request_again_sets_it_once(port: Port, owner: httpx.Client) -> None:
    headers = {"idempotency-key": "9f4cbb47-6a63-4bb1-a7f4-5f60cf2d1a35"}
    body = {"target": "tool:x", "reason": "r"}
    first, second = (owner.post(PATH, json=body, headers=headers) for _ in range(2))
    assert first.json() == second.json() and len(owner.get(PATH).json()["data"]) == 1
