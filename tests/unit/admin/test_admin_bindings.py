"""A bound token reaches its org or team and nothing else, at every endpoint."""

import json

import httpx
import pytest

from proxy.admin.roles import PERMISSIONS, Permission
from proxy.admin.route import Route
from proxy.admin.routes import ROUTES
from proxy.identity import AdminTokens
from proxy.policy import Wanted
from tests.unit.admin.admin_port import Port
from tests.unit.admin.asked_approvals import asked
from tests.unit.admin.telemetry_rows import decision, operation, run, spend

OTHERS = {"org": "beta", "team": "support", "key": "bot", "budget": "beta-support", "token": "of-beta"}
OTHERS |= {"decision": "dec_beta", "limit": "beta-rpm", "raise_id": "rai_none", "period": "2026-11", "number": "1"}
OPERATION = "op_019a9f3c8e007b4c8000000000000009"


@pytest.fixture
def two_orgs(port: Port) -> Port:
    port.tenants("acme", "beta")
    port.rooms.tokens.create("of-beta", AdminTokens.Role.VIEWER, org="beta")
    port.rooms.tokens.create("of-acme", AdminTokens.Role.VIEWER, org="acme")
    port.rooms.tokens.create("of-all", AdminTokens.Role.VIEWER)
    port.reader.operations = [operation(OPERATION, org="beta")]
    port.reader.decided = [decision("dec_beta", OPERATION, org="beta")]
    port.reader.run_totals = [run("of-beta", "beta")]
    assert port.rooms.approvals is not None
    asked(port.rooms.approvals, port.clock.now_ns(), org="beta")
    with port.as_owner() as owner:
        assert owner.post("/admin/v1/kill-switches", json={"target": "org:beta", "reason": "r"}).is_success
        line = {"org": "beta", "team": "support", "kind": "credit", "amount_usd": "-1"}
        for period in ("2026-10", "2026-11"):
            assert owner.post("/admin/v1/adjustments", json={**line, "period": period}).is_success
        assert owner.post("/admin/v1/periods/beta/2026-10/close", json={}).json()["statements"]
    return port


def others(port: Port) -> dict[str, str]:
    key = port.rooms.key_store.named_key("beta", "support", "bot")
    assert port.rooms.approvals is not None
    (waiting,) = port.rooms.approvals.list(Wanted(org="beta"), port.clock.now_ns(), 2)
    with port.as_owner() as owner:
        switch = owner.get("/admin/v1/kill-switches").json()["data"][0]["id"]
    found = {"key_id": key.key_id, "operation": OPERATION, "run": "of-beta", "approval": waiting.id, "switch": switch}
    found["adjustment"] = port.rooms.adjustments.list(org="beta")[-1].id
    return OTHERS | found


TAKEN: dict[str, dict[str, object]] = {
    "put_budget": {"scope": "team:acme/support", "limit_usd": "1"},
    "put_limit": {"scope": "team:acme/support", "limit_requests": 1},
}
"""A budget or limit of ours under the name of one of theirs."""
NAMED = [route for route in ROUTES if "{" in route.path]
UNNAMED = [route for route in ROUTES if "{" not in route.path]


@pytest.mark.parametrize("route", NAMED, ids=lambda route: route.name)
@pytest.mark.parametrize("team", [None, "support"])
def test_a_named_thing_of_another_org_is_out_of_reach(two_orgs: Port, route: Route, team: str | None) -> None:
    generation = two_orgs.rooms.state.generation
    bound = two_orgs.person("eve", "owner", "acme", team)
    path = "/admin/v1" + route.path.format(**others(two_orgs))
    body = route.example.body
    if route.name in TAKEN:
        body = TAKEN[route.name]
    before = generation()
    response = bound.request(route.method, path, json=body) if body is not None else bound.request(route.method, path)
    assert response.status_code in (403, 404, 409), response.text
    assert generation() == before
    # It is answered the same way when there is no such thing; a budget's name alone is known to be taken.
    if route.name not in TAKEN:
        nothing = "/admin/v1" + route.path.format(**{name: "gamma" for name in others(two_orgs)})
        assert bound.request(route.method, nothing, json=body).status_code in (400, response.status_code)


def _answer(client: httpx.Client, path: str, **query: str) -> tuple[int, str]:
    response = client.get(f"/admin/v1{path}", params=query)
    return response.status_code, response.text


@pytest.mark.parametrize(
    ("path", "of_org", "of_team"),
    [
        ("/orgs", ["acme"], ["acme"]),
        ("/teams", ["sales", "support"], ["support"]),
        ("/keys", ["sales", "support"], ["support"]),
        ("/budgets", ["org:acme", "team:acme/sales", "team:acme/support"], ["team:acme/support"]),
        ("/limits", ["org:acme"], []),
        ("/tokens", ["eve", "of-acme"], ["eve"]),
    ],
)
def test_lists_hold_only_what_is_in_reach(two_orgs: Port, path: str, of_org: list[str], of_team: list[str]) -> None:
    word = {
        "/orgs": "org",
        "/teams": "team",
        "/keys": "team",
        "/budgets": "scope",
        "/limits": "scope",
        "/tokens": "name",
    }[path]
    for team, wanted in ((None, of_org), ("support", of_team)):
        bound = two_orgs.person("eve", "owner", "acme", team)
        status, text = _answer(bound, path)
        assert (status, [each[word] for each in json.loads(text)["data"]]) == (200, wanted)
        assert "beta" not in text and "of-all" not in text
        assert _answer(bound, path, org="beta")[0] == (400 if path == "/orgs" else 403)
        if path not in ("/orgs", "/tokens"):
            assert _answer(bound, path, org="acme", team="sales")[0] == (200 if team is None else 403)
        two_orgs.rooms.tokens.delete("eve")


def test_spend_is_asked_within_reach_only(two_orgs: Port) -> None:
    two_orgs.reader.rows = [spend("gpt-5", 1)]
    bound = two_orgs.person("eve", "viewer", "acme", "support")
    assert _answer(bound, "/spend", start_time="1793491200")[0] == 200
    asked = two_orgs.reader.asked[-1]
    assert asked.org == "acme" and asked.filters["team"] == ("support",)
    before = len(two_orgs.reader.asked)
    assert _answer(bound, "/spend", start_time="1793491200", org="beta")[0] == 403
    assert _answer(bound, "/spend", start_time="1793491200", team="sales")[0] == 403
    assert len(two_orgs.reader.asked) == before


def test_operations_are_asked_within_reach_only(two_orgs: Port) -> None:
    bound = two_orgs.person("eve", "viewer", "acme", "support")
    assert _answer(bound, "/operations")[0] == 200
    assert two_orgs.reader.recently[-1]["org"] == "acme"
    assert two_orgs.reader.recently[-1]["filters"] == {"team": ("support",)}
    assert _answer(bound, "/operations", org="beta")[0] == 403
    two_orgs.reader.operations = [operation(OPERATION, org="acme", team="sales")]
    assert _answer(bound, f"/operations/{OPERATION}")[0] == 404
    two_orgs.reader.operations = [operation(OPERATION, org="acme", team="support")]
    assert _answer(bound, f"/operations/{OPERATION}")[0] == 200


def test_runs_are_asked_within_reach_only(two_orgs: Port) -> None:
    bound = two_orgs.person("eve", "owner", "acme", "support")
    assert _answer(bound, "/runs")[0] == 200
    assert (two_orgs.reader.runs_asked[-1].org, two_orgs.reader.runs_asked[-1].team) == ("acme", "support")
    assert _answer(bound, "/runs", org="beta")[0] == 403
    assert _answer(bound, "/runs", team="sales")[0] == 403


def test_the_trail_is_read_within_reach_only(two_orgs: Port) -> None:
    with two_orgs.as_owner() as owner:
        assert "org:beta" in owner.get("/admin/v1/audit").text
    bound = two_orgs.person("eve", "auditor", "acme")
    found = bound.get("/admin/v1/audit").json()["data"]
    assert {each["org"] for each in found} == {"acme"}
    bound = two_orgs.person("eva", "auditor", "acme", "sales")
    assert {each["team"] for each in bound.get("/admin/v1/audit").json()["data"]} == {"sales"}


@pytest.mark.parametrize(
    "body",
    [
        {"role": "viewer"},
        {"role": "viewer", "org": "beta"},
        {"role": "owner", "org": "beta", "team": "support"},
    ],
)
def test_a_bound_owner_makes_no_one_mightier(two_orgs: Port, body: dict[str, str]) -> None:
    bound = two_orgs.person("eve", "owner", "acme")
    assert bound.post("/admin/v1/tokens", json=body | {"name": "mate"}).status_code == 403
    made = bound.post("/admin/v1/tokens", json={"name": "mate", "role": "owner", "org": "acme"})
    assert made.status_code == 201
    teams = two_orgs.person("ted", "owner", "acme", "support")
    assert teams.post("/admin/v1/tokens", json={"name": "m2", "role": "viewer", "org": "acme"}).status_code == 403


def test_a_bound_owner_makes_keys_and_budgets_at_home_only(two_orgs: Port) -> None:
    bound = two_orgs.person("eve", "owner", "acme", "support")
    key = {"org": "acme", "team": "support", "name": "mine"}
    assert bound.post("/admin/v1/keys", json=key).status_code == 201
    for place in ({"org": "beta"}, {"team": "sales"}):
        assert bound.post("/admin/v1/keys", json=key | place).status_code == 403
    budget = "/admin/v1/budgets/mine"
    for scope, status in (("team:acme/support", 201), ("key:acme/support/bot", 200), ("org:acme", 403)):
        body = {"scope": scope, "limit_usd": "1"}
        assert bound.put(budget, json=body).status_code == status
    assert bound.put(budget, json={"scope": "team:beta/support", "limit_usd": "1"}).status_code == 403
    assert bound.put("/admin/v1/orgs/acme", json={}).status_code == 403
    assert bound.get("/admin/v1/orgs/acme").status_code == 200


def test_whoever_is_bound_compares_their_own_requests_only(two_orgs: Port) -> None:
    bound = two_orgs.person("eve", "owner", "acme", "support")
    assert bound.get("/admin/v1/variants").status_code == 200
    asked = two_orgs.reader.variants_asked[-1]
    assert (asked.org, asked.team) == ("acme", "support")
    for other in ("org=beta", "team=sales"):
        assert bound.get(f"/admin/v1/variants?{other}").status_code == 403


def test_these_endpoints_have_been_thought_of() -> None:
    """A new endpoint without a name in its path needs a test above; then it is added here."""
    assert {f"{route.method} {route.path}" for route in UNNAMED} == {
        "GET /self",
        "GET /adjustments",  # test_admin_statements
        "POST /adjustments",
        "GET /statements",
        "GET /orgs",
        "GET /teams",
        "GET /keys",
        "POST /keys",
        "GET /budgets",
        "GET /limits",
        "GET /spend",
        "GET /spend/compare",  # in tests/contract/telemetry/test_spend_bindings.py, as are all of /spend
        "GET /operations",
        "GET /decisions",  # in test_admin_decisions.py
        "GET /runs",
        "GET /approvals",  # in test_admin_approvals.py
        "GET /policies",  # in test_admin_policies.py
        "PUT /policies/candidate",  # in test_admin_policies.py
        "GET /policies/candidate",  # in test_admin_policies.py
        "DELETE /policies/candidate",  # in test_admin_policies.py
        "POST /policies/promote",  # in test_admin_policies.py
        "POST /policies/rollback",  # in test_admin_policies.py
        "GET /providers/health",  # in test_provider_health.py
        "GET /policies/inputs",  # in test_admin_policies.py
        "POST /kill-switches",  # in test_admin_switches.py
        "GET /kill-switches",  # in test_admin_switches.py
        "POST /cache/purges",  # in test_admin_purges.py
        "GET /cache/purges",  # in test_admin_purges.py
        "GET /variants",
        "GET /alerts",  # these three in test_admin_alerts.py
        "POST /alerts/test",
        "GET /observe",
        "GET /tokens",
        "POST /tokens",
        "GET /audit",
        "POST /console/links",
    }


@pytest.mark.parametrize("role", list(AdminTokens.Role), ids=str)
def test_every_role_gets_what_the_table_says_at_every_route(port: Port, role: AdminTokens.Role) -> None:
    person = port.person("eve", role.value)
    for route in ROUTES:
        path = "/admin/v1" + route.path.format(**dict.fromkeys(route.pattern.groupindex, "nothing"))
        refused = person.request(route.method, path).status_code == 403
        assert refused == (route.permission not in PERMISSIONS[role]), f"{role} {route.method} {path}"


def test_only_owners_change_tenants_and_people() -> None:
    mighty = {Permission.CHANGE_TENANTS, Permission.CHANGE_TOKENS}
    for role, permissions in PERMISSIONS.items():
        assert (mighty <= permissions) == (role is AdminTokens.Role.OWNER)
        assert role is AdminTokens.Role.OWNER or not mighty & permissions
    assert PERMISSIONS.keys() == set(AdminTokens.Role)
