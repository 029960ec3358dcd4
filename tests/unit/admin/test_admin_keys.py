"""Orgs, teams and keys over the wire."""

import httpx
import pytest

from proxy.core.clock import SetClock
from proxy.core.refusal import Refused
from proxy.identity.settings import KeySettings, OrgSettings, TeamSettings
from tests.unit.admin.admin_port import Port

KEY = "/admin/v1/keys/acme/support/bot"


def code(response: httpx.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert error.keys() >= {"message", "type", "param", "code"}
    return response.status_code, error["code"]


def opens(port: Port, secret: str) -> bool:
    try:
        port.rooms.key_store.load().authenticate(secret, port.clock.now_ns())
    except Refused:
        return False
    return True


def test_a_key_is_made_used_rotated_revoked_and_deleted(port: Port, owner: httpx.Client) -> None:
    assert owner.put("/admin/v1/orgs/acme", json={"cost_center": "4711"}).status_code == 201
    assert owner.put("/admin/v1/teams/acme/support", json={}).status_code == 201
    body = {"org": "acme", "team": "support", "name": "bot", "models": ["gpt-*"], "tags": {"env": "prod"}}
    made = owner.post("/admin/v1/keys", json=body)
    assert made.status_code == 201 and made.headers["etag"] == '"1"'
    first = made.json()["secret"]
    assert opens(port, first)

    shown = owner.get(KEY)
    assert shown.json() == made.json()["key"] == owner.get(f"/admin/v1/keys/{shown.json()['id']}").json()
    assert first not in shown.text and shown.json()["secrets"][0]["prefix"] == first[:7]

    rotated = owner.post(f"{KEY}/rotate")
    second = rotated.json()["secret"]
    assert rotated.status_code == 200 and opens(port, first) and opens(port, second)
    assert code(owner.post(f"{KEY}/rotate")) == (409, "in_use")

    assert owner.post(f"{KEY}/revoke", json={"secret_number": 1}).json()["status"] == "active"
    assert not opens(port, first) and opens(port, second)
    assert owner.post(f"{KEY}/revoke").json()["status"] == "revoked"
    assert not opens(port, second)
    assert code(owner.post(f"{KEY}/rotate")) == (409, "revoked")

    assert owner.delete(KEY).json()["deleted"] is True
    assert code(owner.get(KEY)) == (404, "not_found")


def test_a_secret_can_be_brought_and_is_not_shown_back(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    secret = "sk-existing-0123456789abcdef"
    body = {"org": "acme", "team": "support", "name": "moved", "secret": secret}
    made = owner.post("/admin/v1/keys", json=body)
    assert made.status_code == 201 and made.json()["secret"] is None and secret not in made.text
    assert opens(port, secret)
    again = owner.post("/admin/v1/keys", json=body | {"name": "twice"})
    assert code(again) == (409, "already_exists") and secret not in again.text
    spaced = owner.post("/admin/v1/keys", json=body | {"name": "x", "secret": "has a space in it 0123456789"})
    assert code(spaced) == (400, "invalid_request") and "has a space" not in spaced.text


def test_an_expiring_key_says_so(port: Port, owner: httpx.Client, clock: SetClock) -> None:
    port.tenants("acme")
    body = {"org": "acme", "team": "support", "name": "short", "expires_at": "2026-11-20T12:01:00"}
    secret = owner.post("/admin/v1/keys", json=body).json()["secret"]
    shown = owner.get("/admin/v1/keys/acme/support/short").json()
    assert (shown["status"], shown["expires_at"]) == ("active", "2026-11-20T12:01:00Z")
    clock.move(60)
    assert owner.get("/admin/v1/keys/acme/support/short").json()["status"] == "expired"
    assert not opens(port, secret)


def test_if_match_keeps_two_people_from_undoing_each_other(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    assert owner.put(KEY, json={"owner": "anna"}, headers={"if-match": '"1"'}).headers["etag"] == '"2"'
    assert code(owner.put(KEY, json={"owner": "ben"}, headers={"if-match": '"1"'})) == (412, "precondition_failed")
    assert owner.get(KEY).json()["owner"] == "anna"
    org = "/admin/v1/orgs/acme"
    assert code(owner.put(org, json={}, headers={"if-none-match": "*"})) == (412, "precondition_failed")
    assert code(owner.put("/admin/v1/orgs/new", json={}, headers={"if-match": "*"})) == (412, "precondition_failed")
    assert code(owner.delete(KEY, headers={"if-match": '"1"'})) == (412, "precondition_failed")
    assert owner.put(org, json={"cost_center": "7"}, headers={"if-match": '"1"'}).status_code == 200


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])
def test_a_moment_beyond_our_clock_is_refused(port: Port, owner: httpx.Client, moment: str) -> None:
    port.tenants("acme")
    for path, field in ((KEY, "expires_at"), (f"{KEY}/rotate", "old_expires_at")):
        method = "PUT" if path == KEY else "POST"
        response = owner.request(method, path, json={field: moment})
        assert code(response) == (400, "invalid_request") and response.json()["error"]["param"] == field


def test_lists_are_paged_to_the_end(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme", "beta")
    seen, page = [], None
    while True:
        query = {"limit": "3"} | ({"page": page} if page else {})
        found = owner.get("/admin/v1/keys", params=query).json()
        assert found["object"] == "list" and len(found["data"]) <= 3
        seen += [f"{each['org']}/{each['team']}" for each in found["data"]]
        page = found["next_page"]
        assert found["has_more"] == (page is not None)
        if page is None:
            break
    assert seen == ["acme/sales", "acme/support", "beta/sales", "beta/support"]
    assert len(owner.get("/admin/v1/keys", params={"org": "beta", "team": "sales"}).json()["data"]) == 1
    assert code(owner.get("/admin/v1/keys", params={"limit": "501"})) == (400, "invalid_request")
    assert code(owner.get("/admin/v1/keys", params={"page": "xyz"})) == (400, "invalid_request")


def test_what_follows_the_file_is_not_changed(port: Port, owner: httpx.Client) -> None:
    key = KeySettings(name="bot", key_env="BOT")
    tenants = (OrgSettings(org="acme", teams=(TeamSettings(team="support", keys=(key,)),)),)
    port.rooms.key_store.sync_from_file(tenants, {"BOT": "the-secret-of-the-file-0123"})
    for response in (
        owner.put("/admin/v1/orgs/acme", json={}),
        owner.delete("/admin/v1/orgs/acme"),
        owner.put("/admin/v1/teams/acme/support", json={}),
        owner.delete("/admin/v1/teams/acme/support"),
        owner.put(KEY, json={}),
        owner.post(f"{KEY}/rotate"),
        owner.post(f"{KEY}/revoke"),
        owner.delete(KEY),
    ):
        assert code(response) == (409, "managed_by_file")
    assert owner.get(KEY).json()["managed_by"] == "file"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"org": "acme", "team": "support"}, "name"),
        ({"org": "acme", "team": "support", "name": "x", "secret": "short"}, "secret"),
        ({"org": "acme", "team": "support", "name": "x", "budget": 5}, "budget"),
        ({"org": "acme", "team": "support", "name": "../x"}, "name"),
        ({"org": "acme", "team": "support", "name": "x", "expires_at": "soon"}, "expires_at"),
        ({"org": "acme", "team": "support", "name": "x", "tags": {"k" * 65: "v"}}, "tags"),
    ],
)
def test_bad_bodies_are_named(port: Port, owner: httpx.Client, body: dict[str, object], param: str) -> None:
    port.tenants("acme")
    response = owner.post("/admin/v1/keys", json=body)
    assert code(response) == (400, "invalid_request")
    error = response.json()["error"]
    assert error["param"] == param
    assert [each["param"] for each in error["flyball"]["problems"]] == [param]
    assert "short" not in response.text
