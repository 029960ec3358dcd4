"""Approvals on the admin port: who sees what waits, who decides on it, and who never does."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proxy.budget import signed, signing_keys
from proxy.core.clock import SetClock
from proxy.policy import Approval, ApprovalBook, AskedCall
from tests.unit.admin.admin_port import Port, serving
from tests.unit.admin.asked_approvals import asked

PATH = "/admin/v1/approvals"
CALL = AskedCall("delete_file", '{"path":"/etc/passwd"}')


def book(port: Port) -> ApprovalBook:
    assert port.rooms.approvals is not None
    return port.rooms.approvals


def asking(port: Port, *calls: AskedCall, said: str = "a", **more: str) -> Approval:
    return asked(book(port), port.clock.now_ns(), calls=calls, said=said, **more)


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


@pytest.mark.parametrize(("action", "state"), [("approve", "approved"), ("deny", "denied")])
def test_an_approver_decides_once_and_the_trail_says_so(port: Port, action: str, state: str) -> None:
    approval = asking(port)
    with port.person("anna", "approver") as anna, port.as_owner() as owner:
        (listed,) = anna.get(PATH, params={"state": "pending"}).json()["data"]
        assert (listed["id"], listed["estimate_usd"], listed["owner"]) == (approval.id, "0.0125", approval.owner)
        decided = anna.post(f"{PATH}/{approval.id}/{action}", json={"note": "as agreed"}).json()
        assert (decided["state"], decided["decided_by"], decided["note"]) == (state, "anna", "as agreed")
        again = anna.post(f"{PATH}/{approval.id}/approve", json={})
        assert (again.status_code, code(again)) == (409, "already_decided")
        (change,) = owner.get("/admin/v1/audit", params={"action": f"approval.{action}"}).json()["data"]
        assert (change["actor"], change["subject"]) == ("anna", f"approval:{approval.id}")


@pytest.mark.parametrize("role", ["viewer", "auditor", "billing", "policy_admin"])
def test_who_may_not_decide_sees_no_arguments(port: Port, role: str) -> None:
    approval = asking(port, CALL)
    with port.person("eve", role) as eve, port.person("anna", "approver") as anna:
        told = eve.get(f"{PATH}/{approval.id}").json()
        assert (told["calls"], told["may_decide"], told["approval"]["tools"]) == (None, False, ["delete_file"])
        assert code(eve.post(f"{PATH}/{approval.id}/approve", json={})) == "permission_denied"
        told = anna.get(f"{PATH}/{approval.id}").json()
        assert told["calls"] == [{"name": "delete_file", "arguments": CALL.arguments}]
        assert (told["may_decide"], told["why_not"]) == (True, "")


@pytest.mark.parametrize("name", ["bob@example.com", "BOB@Example.com"])
def test_who_answers_for_the_key_does_not_decide(port: Port, name: str) -> None:
    approval = asking(port)
    with port.person(name, "approver") as bob, port.as_owner() as owner:
        assert not bob.get(f"{PATH}/{approval.id}").json()["may_decide"]
        for action in ("approve", "deny"):
            refused = bob.post(f"{PATH}/{approval.id}/{action}", json={})
            assert (refused.status_code, code(refused)) == (403, "own_request")
        changes = owner.get("/admin/v1/audit", params={"action": "approval.refused"}).json()["data"]
        assert [each["actor"] for each in changes] == [name, name]
    kept = book(port).find(approval.id)
    assert kept is not None and kept.state == "pending"


def test_who_made_or_rotated_a_secret_of_the_key_does_not_decide(port: Port) -> None:
    with port.as_owner() as owner, port.person("ann", "owner") as ann, port.person("dan", "owner") as dan:
        owner.put("/admin/v1/orgs/acme", json={})
        owner.put("/admin/v1/teams/acme/support", json={})
        made = ann.post("/admin/v1/keys", json={"org": "acme", "team": "support", "name": "bot"}).json()
        assert dan.post("/admin/v1/keys/acme/support/bot/rotate", json={}).is_success
        approval = asking(port, key_id=made["key"]["id"], owner="")
        for person in (ann, dan):
            assert code(person.post(f"{PATH}/{approval.id}/approve", json={})) == "own_request"
        assert owner.post(f"{PATH}/{approval.id}/approve", json={}).json()["state"] == "approved"


def test_the_keys_owner_of_today_does_not_decide_either(port: Port) -> None:
    port.tenants("acme")
    with port.as_owner() as owner, port.person("carl", "approver") as carl:
        key = owner.get("/admin/v1/keys/acme/support/bot").json()
        approval = asking(port, key_id=key["id"], owner="")
        changed = owner.put("/admin/v1/keys/acme/support/bot", json={"owner": "carl"})
        assert changed.is_success, changed.text
        assert code(carl.post(f"{PATH}/{approval.id}/approve", json={})) == "own_request"


def test_another_orgs_or_teams_approvals_are_not_there(port: Port) -> None:
    port.tenants("acme", "other")
    approval = asking(port)
    with (
        port.person("olga", "approver", "other") as olga,
        port.person("sam", "approver", "acme", "sales") as sam,
        port.person("tom", "approver", "acme", "support") as tom,
    ):
        for stranger in (olga, sam):
            assert stranger.get(PATH).json()["data"] == []
            assert stranger.get(f"{PATH}/{approval.id}").status_code == 404
            assert stranger.post(f"{PATH}/{approval.id}/approve", json={}).status_code == 404
        assert tom.post(f"{PATH}/{approval.id}/approve", json={}).status_code == 200


def test_what_has_expired_is_not_decided(port: Port) -> None:
    approval = asking(port)
    port.clock.move(3600)
    with port.person("anna", "approver") as anna:
        assert anna.get(PATH, params={"state": "expired"}).json()["data"][0]["id"] == approval.id
        assert anna.get(PATH, params={"state": "pending"}).json()["data"] == []
        refused = anna.post(f"{PATH}/{approval.id}/approve", json={})
        assert (refused.status_code, code(refused)) == (409, "already_decided")


def test_lists_are_paged_and_filtered(port: Port) -> None:
    made = [asking(port, said=str(number)) for number in range(3)]
    made.append(asking(port, CALL, said="call"))
    with port.person("anna", "viewer") as anna:
        first = anna.get(PATH, params={"limit": 2}).json()
        rest = anna.get(PATH, params={"limit": 2, "page": first["next_page"]}).json()
        assert [each["id"] for each in first["data"] + rest["data"]] == sorted((each.id for each in made), reverse=True)
        assert not rest["has_more"]
        (found,) = anna.get(PATH, params={"point": "tool_call"}).json()["data"]
        assert found["id"] == made[-1].id
        assert anna.get(PATH, params={"key": "else"}).json()["data"] == []


SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def deliver(
    port: Port,
    approval: Approval,
    *,
    id_: str = "msg_1",
    ago_s: int = 0,
    to: str = "",
    secret: str = SECRET,
    **body: str,
) -> httpx.Response:
    """A decision as a chat system would post it."""
    given = {"approval": approval.id, "decision": "approve", "decided_by": "anna@example.com", **body}
    raw = json.dumps(given).encode()
    at_s = port.clock.now_ns() // 1_000_000_000 - ago_s
    signature = signed(signing_keys(secret), id_, at_s, raw)
    headers = {"webhook-id": id_, "webhook-timestamp": str(at_s), "webhook-signature": signature}
    with port.client() as client:
        return client.post(f"{PATH}/{to or approval.id}/webhook", content=raw, headers=headers)


@pytest.fixture
def hooked(tmp_path: Path, clock: SetClock) -> Iterator[Port]:
    with serving(tmp_path / "hooked", clock, webhook_keys=lambda: signing_keys(SECRET)) as port:
        yield port


@pytest.mark.parametrize(("decision", "state"), [("approve", "approved"), ("deny", "denied")])
def test_a_signed_webhook_decides_once_however_often_it_comes(hooked: Port, decision: str, state: str) -> None:
    approval = asking(hooked, CALL)
    first = deliver(hooked, approval, decision=decision, note="in the chat")
    again = deliver(hooked, approval, decision=decision, note="in the chat", id_="msg_2")
    assert (first.status_code, again.status_code) == (200, 200) and first.json() == again.json()
    assert (first.json()["state"], first.json()["decided_by"]) == (state, "anna@example.com")
    other = deliver(hooked, approval, decision="deny" if decision == "approve" else "approve")
    assert (other.status_code, code(other)) == (409, "already_decided")
    assert code(deliver(hooked, approval, decision=decision, decided_by="eve")) == "already_decided"
    with hooked.as_owner() as owner:
        changes = owner.get("/admin/v1/audit").json()["data"]
        assert [each["action"] for each in changes] == ["approval.webhook", f"approval.{decision}"]
        assert {each["actor"] for each in changes} == {"anna@example.com"}


def test_a_webhook_that_is_not_signed_fresh_and_of_this_approval_decides_nothing(hooked: Port) -> None:
    approval, other = asking(hooked), asking(hooked, said="other")
    wrong = "whsec_" + base64.b64encode(bytes(32)).decode()
    for answer, said in (
        (deliver(hooked, approval, secret=wrong), "invalid_signature"),
        (deliver(hooked, approval, ago_s=301), "invalid_signature"),
        (deliver(hooked, approval, ago_s=-301), "invalid_signature"),
        (deliver(hooked, approval, to=other.id), "invalid_request"),
        (deliver(hooked, approval, decided_by=""), "invalid_request"),
        (deliver(hooked, approval, decision="maybe"), "invalid_request"),
        (deliver(hooked, approval, extra="x"), "invalid_request"),
        (deliver(hooked, approval, decided_by="Bob@Example.com"), "own_request"),
    ):
        assert code(answer) == said, answer.text
    with hooked.client() as client:
        assert code(client.post(f"{PATH}/{approval.id}/webhook", json={})) == "invalid_signature"
        assert client.get(f"{PATH}/{approval.id}/webhook").status_code == 405
        assert client.post(f"{PATH}/{approval.id}/webhook", content=b"x" * 20_000).status_code == 413
    kept = book(hooked).find(approval.id)
    assert kept is not None and kept.state == "pending"
    assert deliver(hooked, approval, ago_s=299).status_code == 200


def test_without_a_secret_there_is_no_webhook(port: Port) -> None:
    assert (answer := deliver(port, asking(port))).status_code == 404 and code(answer) == "path_not_found"
