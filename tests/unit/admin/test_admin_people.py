"""Tokens, the trail of changes, repeated requests, and secrets that show nowhere."""

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from proxy.admin.idempotency import Answers, Asking, Begun
from proxy.admin.tables import Tables
from proxy.core.clock import SetClock
from proxy.core.secret import Secret
from tests.unit.admin.admin_port import BOOTSTRAP, HASH_KEY, Port, serving

BODY = {"org": "acme", "team": "support", "name": "fresh"}
SAME = {"idempotency-key": "one-and-the-same"}


def test_a_person_gets_a_token_and_loses_it(port: Port, owner: httpx.Client) -> None:
    made = owner.post("/admin/v1/tokens", json={"name": "anna@x.org", "role": "billing"})
    assert made.status_code == 201
    with port.client(made.json()["secret"]) as anna:
        said = anna.get("/admin/v1/self").json()
        assert (said["name"], said["role"], said["org"]) == ("anna@x.org", "billing", None)
        assert "change budgets" in said["permissions"] and "change tokens" not in said["permissions"]
        shown = owner.get("/admin/v1/tokens/anna@x.org")
        assert shown.json() == made.json()["token"] and made.json()["secret"] not in shown.text
        assert owner.delete("/admin/v1/tokens/anna@x.org").status_code == 200
        assert anna.get("/admin/v1/self").status_code == 401
    assert port.signed_out == ["anna@x.org"]


def test_a_link_into_the_console_is_for_who_asks(port: Port, owner: httpx.Client) -> None:
    assert owner.post("/admin/v1/console/links").json()["path"] == "/console/open?code=for-bootstrap"
    anna = port.person("anna", "viewer")
    assert anna.post("/admin/v1/console/links").json()["path"] == "/console/open?code=for-anna"


def test_sessions_are_touched_on_the_event_loop_only(tmp_path: Path, clock: SetClock) -> None:
    threads = []

    def link(person: object) -> str:
        threads.append(asyncio.get_running_loop())
        return "/console/open?code=x"

    with serving(tmp_path, clock, console_link=link) as port, port.as_owner() as owner:
        assert owner.post("/admin/v1/console/links").status_code == 201
    assert len(threads) == 1


def test_every_change_is_in_the_trail_with_before_and_after(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    key = "/admin/v1/keys/acme/support/bot"
    owner.put(key, json={"owner": "anna"})
    owner.post(f"{key}/rotate")
    owner.post(f"{key}/revoke")
    owner.delete(key)
    owner.delete("/admin/v1/budgets/acme")
    owner.post("/admin/v1/tokens", json={"name": "anna", "role": "viewer"})
    owner.delete("/admin/v1/tokens/anna")
    owner.delete("/admin/v1/teams/acme/support")
    found = owner.get("/admin/v1/audit?limit=100").json()["data"]
    assert [each["action"] for each in found[:8]] == [
        "team.delete",
        "token.delete",
        "token.create",
        "budget.delete",
        "key.delete",
        "key.revoke",
        "key.rotate",
        "key.change",
    ]
    assert {each["actor"] for each in found} == {"bootstrap"}
    change = found[7]
    assert (change["subject"], change["before"]["owner"], change["after"]["owner"]) == (
        "key:acme/support/bot",
        "",
        "anna",
    )
    assert found[4]["after"] is None and found[4]["before"]["status"] == "revoked"
    some = owner.get("/admin/v1/audit?action=key.rotate&subject=key:acme/support/bot").json()["data"]
    assert [each["id"] for each in some] == [found[6]["id"]]
    page = owner.get("/admin/v1/audit?limit=1").json()
    rest = owner.get(f"/admin/v1/audit?limit=1&page={page['next_page']}").json()
    assert [each["action"] for each in page["data"] + rest["data"]] == ["team.delete", "token.delete"]


def test_what_was_refused_is_not_in_the_trail(owner: httpx.Client) -> None:
    owner.delete("/admin/v1/orgs/nothing")
    owner.post("/admin/v1/keys", json=BODY)
    assert owner.get("/admin/v1/audit").json()["data"] == []


def test_a_repeated_post_gets_the_same_answer_and_secret(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    first = owner.post("/admin/v1/keys", json=BODY, headers=SAME)
    again = owner.post("/admin/v1/keys", json=BODY, headers=SAME)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true" and "idempotent-replayed" not in first.headers
    assert len(port.rooms.key_store.keys(org="acme", team="support", limit=9)) == 2
    principal = port.rooms.key_store.load().authenticate(first.json()["secret"], port.clock.now_ns())
    assert principal.key_name == "fresh"


def test_another_request_under_the_same_key_is_refused(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    owner.post("/admin/v1/keys", json=BODY, headers=SAME)
    other = owner.post("/admin/v1/keys", json=BODY | {"name": "other"}, headers=SAME)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    # Another person's keys are another person's.
    with port.person("anna", "owner") as anna:
        assert anna.post("/admin/v1/keys", json=BODY | {"name": "other"}, headers=SAME).status_code == 201


def test_a_refused_post_can_be_tried_again(port: Port, owner: httpx.Client) -> None:
    assert owner.post("/admin/v1/keys", json=BODY, headers=SAME).status_code == 404
    port.tenants("acme")
    assert owner.post("/admin/v1/keys", json=BODY, headers=SAME).status_code == 201


def test_repeats_at_the_same_time_make_one_key(port: Port) -> None:
    port.tenants("acme")

    def post(_: int) -> httpx.Response:
        with port.as_owner() as client:
            return client.post("/admin/v1/keys", json=BODY, headers=SAME)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(16)))
    made = {each.json()["secret"] for each in answers if each.status_code == 201}
    assert len(made) == 1
    assert {each.status_code for each in answers} <= {201, 409}
    assert len(port.rooms.key_store.keys(org="acme", team="support", limit=9)) == 2


def test_an_answer_is_forgotten_after_a_day_and_its_secret_never_comes_back(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    first = owner.post("/admin/v1/keys", json=BODY, headers=SAME).json()
    owner.delete("/admin/v1/keys/acme/support/fresh")
    port.clock.move(25 * 3600)
    second = owner.post("/admin/v1/keys", json=BODY, headers=SAME).json()
    assert second["key"]["id"] != first["key"]["id"] and second["secret"] != first["secret"]


def test_a_place_taken_by_who_died_is_free_after_a_minute(port: Port, clock: SetClock) -> None:
    answers = Answers(Tables(port.rooms.state), HASH_KEY, clock)
    asking = Asking(Secret("x" * 30), b"k", b"r")
    assert isinstance(answers.begin(asking), Begun)
    with pytest.raises(Exception, match="still being answered"):
        answers.begin(asking)
    clock.move(61)
    assert isinstance(answers.begin(asking), Begun)
    assert "xxx" not in repr(asking)


def test_secrets_show_in_their_one_answer_and_nowhere_else(
    port: Port, owner: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    port.tenants("acme")
    brought = "sk-canary-0123456789-canary"
    key = owner.post("/admin/v1/keys", json=BODY, headers=SAME).json()["secret"]
    owner.post("/admin/v1/keys", json=BODY | {"name": "b", "secret": brought}, headers={"idempotency-key": "k2"})
    owner.post("/admin/v1/keys", json=BODY | {"name": "c", "secret": brought})
    rotated = owner.post("/admin/v1/keys/acme/support/fresh/rotate", headers=SAME | {"idempotency-key": "k3"}).json()
    token = owner.post("/admin/v1/tokens", json={"name": "anna", "role": "viewer"}, headers={"idempotency-key": "k4"})
    canaries = [key, brought, rotated["secret"], token.json()["secret"], BOOTSTRAP, SAME["idempotency-key"]]
    assert all(canaries)
    seen = [
        owner.get(f"/admin/v1/{path}").text for path in ("keys", "audit?limit=500", "tokens", "orgs", "budgets", "self")
    ]
    with port.rooms.state.read() as connection:
        seen.append("\n".join(connection.iterdump()))
    files = b"".join(each.read_bytes() for each in port.rooms.state.path.parent.iterdir())
    text = "\n".join([*seen, caplog.text, repr(port.rooms)])
    for canary in canaries:
        assert canary not in text and canary.encode() not in files
    assert json.loads(seen[1])["data"]
