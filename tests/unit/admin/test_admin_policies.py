"""Policies by the admin API: proposed, looked at, promoted by somebody else, rolled back."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy.admin.rooms import PolicySource
from proxy.core.clock import SetClock
from proxy.telemetry import TelemetryUnavailable
from tests.unit.admin.admin_port import Port, serving

PATH = "/admin/v1/policies"
CANDIDATE = f"{PATH}/candidate"
RULE = 'package flyball.request\n\ndeny contains {"code": "%s", "msg": "No."} if input.model == data.bad\n'


def propose(client: httpx.Client, code: str = "one", **headers: str) -> httpx.Response:
    body = {"modules": {"rules/a.rego": RULE % code}, "data": {"bad": "gpt-5"}}
    return client.put(CANDIDATE, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def promote(client: httpx.Client, tag: str | None) -> httpx.Response:
    return client.post(f"{PATH}/promote", headers={} if tag is None else {"if-match": tag})


def standing(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get(PATH).json()
    return found


def test_a_candidate_is_promoted_by_somebody_else_only(port: Port, owner: httpx.Client) -> None:
    with port.person("mara", "policy_admin") as mara, port.person("Noah", "policy_admin") as noah:
        made = propose(mara)
        assert made.status_code == 200
        tag, shown = made.headers["etag"], made.json()
        assert shown["proposed_by"] == "mara" and shown["modules"] == ["flyball/base.rego", "rules/a.rego"]
        whole = noah.get(CANDIDATE)
        assert whole.headers["etag"] == tag and whole.json()["content"]["rules/a.rego"] == RULE % "one"
        assert whole.json()["data"] == {"bad": "gpt-5"}
        own = promote(mara, tag)
        assert (own.status_code, own.json()["error"]["code"]) == (403, "own_request")
        assert standing(owner)["active"] is None
        done = promote(noah, tag)
        assert done.status_code == 200 and done.json()["active"]["promoted_by"] == "Noah"
        assert done.json()["candidate"] is None and done.json()["managed_by"] == "api"
        assert promote(noah, tag).status_code == 404
    trail = owner.get("/admin/v1/audit?subject=policies/candidate").json()["data"]
    assert [(each["action"], each["actor"]) for each in trail] == [
        ("policy.promote", "Noah"),
        ("policy.propose", "mara"),
    ]
    assert trail[0]["after"]["revision"] == shown["revision"]


def test_a_candidates_shadow_decisions_are_counted(port: Port, owner: httpx.Client) -> None:
    assert standing(owner)["shadow"] is None
    port.reader.shadows[propose(owner).json()["revision"]] = (1200, 3)
    assert standing(owner)["shadow"] == {"decisions": 1200, "differ": 3}
    port.reader.fails = TelemetryUnavailable("gone")
    assert standing(owner)["shadow"] is None and standing(owner)["candidate"] is not None


def test_nothing_else_is_promoted_than_was_looked_at(port: Port, owner: httpx.Client) -> None:
    with port.person("mara", "policy_admin") as mara:
        seen = propose(mara).headers["etag"]
        propose(mara, "two")
        assert promote(owner, seen).status_code == 412
        assert promote(owner, None).status_code == promote(owner, "*").status_code == 400
        assert standing(owner)["active"] is None
        assert propose(mara, "three", if_match=seen).status_code == 412
        assert propose(mara, "three", if_none_match="*").status_code == 412
        assert mara.delete(CANDIDATE, headers={"if-match": seen}).status_code == 412
        assert mara.delete(CANDIDATE).status_code == 200
        assert mara.get(CANDIDATE).status_code == mara.delete(CANDIDATE).status_code == 404


def test_what_decided_before_can_decide_again(port: Port, owner: httpx.Client) -> None:
    with port.person("mara", "policy_admin") as mara:
        revisions = []
        for code in ("one", "two"):
            made = propose(mara, code)
            revisions.append(made.json()["revision"])
            assert promote(owner, made.headers["etag"]).status_code == 200
        found = standing(owner)
        assert (found["active"]["revision"], found["previous"]["revision"]) == (revisions[1], revisions[0])
        back = mara.post(f"{PATH}/rollback").json()
        assert (back["active"]["revision"], back["previous"]["revision"]) == (revisions[0], revisions[1])
        assert (back["active"]["promoted_by"], back["active"]["proposed_by"]) == ("mara", "mara")


def test_from_the_first_promotion_it_goes_back_to_the_starter_library(port: Port, owner: httpx.Client) -> None:
    assert owner.post(f"{PATH}/rollback").status_code == 404
    with port.person("mara", "policy_admin") as mara:
        tag = propose(mara).headers["etag"]
    promote(owner, tag)
    back = owner.post(f"{PATH}/rollback").json()
    assert back["active"] is None and f'"{back["previous"]["revision"]}"' == tag


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({"a.rego": "package a {"}, "a.rego:1"),
        ({"a.rego": 'package flyball.request\n\nallow if crypto.sha256("a") == "b"'}, "a.rego:3"),
        ({"../a.rego": "package a"}, "is no path"),
        ({"a.json": "{}"}, "is no path"),
        ({"a\n.rego": "package a"}, "is no path"),
        ({}, "modules"),
    ],
)
def test_what_cannot_be_loaded_is_no_candidate(owner: httpx.Client, modules: dict[str, str], said: str) -> None:
    refused = owner.put(CANDIDATE, json={"modules": modules})
    assert refused.status_code == 400 and said in refused.text
    assert owner.get(CANDIDATE).status_code == 404


def test_who_may_read_and_who_may_change(port: Port) -> None:
    may_read = {"policy_admin": 200, "auditor": 200, "viewer": 403, "billing": 403, "approver": 403}
    for role, status in may_read.items():
        with port.person(f"r-{role}", role) as person:
            assert person.get(PATH).status_code == status, role
            changes = 200 if role == "policy_admin" else 403
            assert propose(person).status_code == changes, role
    port.tenants("acme")
    with port.person("bound", "policy_admin", "acme") as bound:
        for answer in (propose(bound), bound.get(PATH), promote(bound, '"x"')):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "outside_binding")


def test_a_set_that_is_too_large_is_refused(owner: httpx.Client) -> None:
    modules = {"a.rego": "package a\n\n# " + "x" * 950_000}
    assert owner.put(CANDIDATE, json={"modules": modules}).status_code == 413


@pytest.mark.parametrize(
    ("by_file", "proposes"),
    [("policy.dir", 200), ("policy.bundle", 200), ("policy.settings", 200), ("policy.url", 409)],
)
def test_what_the_file_names_is_not_promoted_over(tmp_path: Path, by_file: str, proposes: int) -> None:
    clock = SetClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    source = PolicySource(by_file=by_file, source="rules", revision="abc", error="broken")
    serves = serving(tmp_path, clock, policy_source=lambda: source)
    with serves as port, port.as_owner() as owner, port.person("mara", "policy_admin") as mara:
        made = propose(mara)
        assert made.status_code == proposes
        refused = promote(owner, made.headers.get("etag", '"x"'))
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "managed_by_file")
        found = standing(owner)
        assert (found["managed_by"], found["source"], found["error"]) == ("file", "rules", "broken")
