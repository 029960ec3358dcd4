"""The API from inside: what it answers over the wire, refuses there, and puts into the trail, it does here too."""

import asyncio

import httpx
import msgspec
import pytest

from proxy.admin.faults import Refusal
from proxy.admin.inside import Inside, Person
from proxy.admin.roles import Permission
from tests.unit.admin.admin_port import Port

OWNER = Person("ada", "owner", None, None)
VIEWER = Person("grace", "viewer", "acme", None)


@pytest.fixture
def inside(port: Port) -> Inside:
    return Inside(port.rooms)


async def test_it_answers_what_the_port_answers(port: Port, owner: httpx.Client, inside: Inside) -> None:
    port.tenants("acme", "beta")
    for path in ("/budgets", "/budgets/acme", "/budgets/acme-support/course"):
        told = await inside.ask(OWNER, "GET", path)
        answered = await asyncio.to_thread(owner.get, f"/admin/v1{path}")
        assert msgspec.json.decode(msgspec.json.encode(told.shape)) == answered.json()
        assert answered.headers.get("etag") == (told.tag and f'"{told.tag}"')
    narrowed = await inside.ask(OWNER, "GET", "/budgets", query={"org": "beta", "limit": "1"})
    assert [one.name for one in narrowed.shape.data] == ["beta"]


async def test_roles_and_bindings_hold(port: Port, inside: Inside) -> None:
    port.tenants("acme", "beta")
    assert inside.may(OWNER, Permission.CHANGE_BUDGETS) and not inside.may(VIEWER, Permission.CHANGE_BUDGETS)
    for method, path, code in (
        ("PUT", "/budgets/acme", "permission_denied"),
        ("GET", "/budgets/beta", "not_found"),
        ("GET", "/budgets/%2e", "path_not_found"),
        ("GET", "/budgets/acme?scope=x", "path_not_found"),
    ):
        with pytest.raises(Refusal) as refused:
            await inside.ask(VIEWER, method, path)
        assert refused.value.fault.code == code


async def test_a_change_is_checked_by_its_tag_and_stands_in_the_trail(
    port: Port, owner: httpx.Client, inside: Inside
) -> None:
    port.tenants("acme")
    body = {"scope": "org:acme", "limit_usd": "11.5"}
    seen = await inside.ask(OWNER, "GET", "/budgets/acme")
    changed = await inside.ask(OWNER, "PUT", "/budgets/acme", body=body, tag=seen.tag)
    assert changed.shape.limit_nano == 11_500_000_000
    with pytest.raises(Refusal) as stale:
        await inside.ask(OWNER, "PUT", "/budgets/acme", body=body, tag=seen.tag)
    assert stale.value.fault.code == "precondition_failed"
    with pytest.raises(Refusal) as wrong:
        await inside.ask(OWNER, "PUT", "/budgets/acme", body=body | {"limit_usd": "1e-12"})
    assert wrong.value.param == "limit_usd"
    trail = await asyncio.to_thread(owner.get, "/admin/v1/audit?subject=budget:acme")
    newest = trail.json()["data"][0]
    assert (newest["actor"], newest["role"], newest["after"]["limit_usd"]) == ("ada", "owner", "11.50")
