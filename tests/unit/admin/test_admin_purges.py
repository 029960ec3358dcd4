"""Purges on the admin port: who may take what out of the caches, and what the trail says."""

import httpx

from tests.unit.admin.admin_port import Port

PATH = "/admin/v1/cache/purges"


def test_one_is_made_shown_and_audited(port: Port, owner: httpx.Client) -> None:
    made = owner.post(PATH, json={"target": "model:gpt-5", "org": "acme"})
    assert made.status_code == 201
    told = made.json()
    assert told == {
        "id": told["id"],
        "target": "model:gpt-5",
        "org": "acme",
        "by": "bootstrap",
        "at": "2026-11-20T12:00:00Z",
        "object": "cache_purge",
    }
    assert told["id"].startswith("pur_")
    (entry,) = owner.get("/admin/v1/audit?action=cache.purge").json()["data"]
    assert (entry["subject"], entry["org"], entry["after"]["id"]) == ("model:gpt-5", "acme", told["id"])


def test_the_newest_of_a_target_is_listed_page_by_page(port: Port, owner: httpx.Client) -> None:
    for target in ("all", "tag:env=prod", "revision:abc", "all"):
        assert owner.post(PATH, json={"target": target}).status_code == 201
    page = owner.get(f"{PATH}?limit=2").json()
    assert [each["target"] for each in page["data"]] == ["all", "revision:abc"] and page["has_more"]
    rest = owner.get(f"{PATH}?limit=2&page={page['next_page']}").json()
    assert [each["target"] for each in rest["data"]] == ["tag:env=prod"] and not rest["has_more"]


def test_what_is_no_target_is_told_how_one_is_written(port: Port, owner: httpx.Client) -> None:
    for target in ("", "gpt-5", "model:", "tag:env", "entry: ", "all:x", "model:a\nb"):
        refused = owner.post(PATH, json={"target": target})
        assert refused.status_code == 400 and "model:gpt-5" in refused.json()["error"]["message"], target


def test_a_token_of_one_org_takes_out_its_own(port: Port, owner: httpx.Client) -> None:
    port.tenants("acme")
    bound = port.person("linus", "policy_admin", org="acme")
    assert bound.post(PATH, json={"target": "all"}).json()["org"] == "acme"
    assert bound.post(PATH, json={"target": "all", "org": "beta"}).status_code == 403
    owner.post(PATH, json={"target": "all", "org": "beta"})
    assert [each["org"] for each in bound.get(PATH).json()["data"]] == ["acme"]
    for role in ("viewer", "billing", "approver", "auditor"):
        assert port.person(role, role).post(PATH, json={"target": "all"}).status_code == 403
