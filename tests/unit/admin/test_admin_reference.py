"""The OpenAPI document and docs/admin-api.md say what the server does."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from proxy.admin.approval_routes import ASKED
from proxy.admin.budget_routes import MADE_RAISE
from proxy.admin.decision_routes import EXAMPLE_DECISION
from proxy.admin.openapi import openapi_document
from proxy.admin.route import ROOT, Route
from proxy.admin.routes import EXAMPLE_OPERATION, MADE_KEY, ROUTES
from proxy.admin.run_routes import EXAMPLE_RUN
from proxy.admin.statement_routes import MADE_ADJUSTMENT
from proxy.admin.switch_routes import MADE_SWITCH
from proxy.policy import AskedCall, of_upload
from tests.unit.admin.admin_port import Port
from tests.unit.admin.alert_rows import raised
from tests.unit.admin.asked_approvals import asked
from tests.unit.admin.reference import render
from tests.unit.admin.telemetry_rows import decision, operation, run, spend, would_refuse

PLACE = {
    **{"model": "gpt-5", "team": "support", "cost_center": "4711", "key": "bot", "provider": "openai"},
    "price_version": "ab12cd34ef56",
}
PAGE = Path(__file__).parents[3] / "docs" / "admin-api.md"
ALL = (*ROUTES, openapi_document(ROUTES, ""))


@pytest.fixture
def answers(port: Port, owner: httpx.Client) -> list[tuple[Route, httpx.Response]]:
    """What a running server answers to every example, in the order of the table."""
    port.reader.operations = [operation(EXAMPLE_OPERATION)]
    port.reader.decided = [decision(EXAMPLE_DECISION, EXAMPLE_OPERATION)]
    port.reader.observations = would_refuse()
    raised(port.alerting)
    port.reader.run_totals = [run(EXAMPLE_RUN)]
    port.reader.rows = [replace(spend("gpt-5", 12_500_000), group={**PLACE, "tag:env": "prod"})]
    given: list[tuple[Route, httpx.Response]] = []
    assert port.rooms.approvals is not None
    call = AskedCall("delete_file", '{"path":"/etc/motd"}')
    asked_for = []
    for number, calls in enumerate(((call,), ())):
        asked_for.append(
            asked(port.rooms.approvals, port.clock.now_ns(), calls=calls, said=str(number), key_name="writer")
        )
        time.sleep(0.002)  # ids sort by milliseconds, and lists by ids
    made: dict[str, str] = {example: each.id for example, each in zip(ASKED, asked_for, strict=True)}
    for route in ALL:
        path = {name: made.get(value, value) for name, value in route.example.path.items()}
        target = ROOT + route.path.format(**path) + (f"?{route.example.query}" if route.example.query else "")
        headers = dict(route.example.headers)
        if route.name == "promote_candidate":
            headers["if-match"] = proposed(port)
        response = owner.request(route.method, target, json=route.example.body, headers=headers)
        if route.name == "create_key":
            made[MADE_KEY] = response.json()["key"]["id"]
        if route.name in ("raise_budget", "raise_limit"):
            made[MADE_RAISE] = response.json()["id"]
        if route.name == "set_switch":
            made[MADE_SWITCH] = response.json()["id"]
        if route.name == "add_adjustment":
            made[MADE_ADJUSTMENT] = response.json()["id"]
        given.append((route, response))
    return given


def proposed(port: Port) -> str:
    """The ETag of a candidate that somebody else has proposed."""
    assert port.rooms.proposals is not None
    bundle = of_upload({"rules/models.rego": "package flyball.request\n"}, {}, base=True)
    return f'"{port.rooms.proposals.propose(bundle, by="linus").bundle.revision}"'


def test_every_example_is_accepted_and_answered_in_the_shape_that_is_promised(
    answers: list[tuple[Route, httpx.Response]],
) -> None:
    for route, response in answers:
        assert response.status_code == route.status, f"{route.name}: {response.text}"
        decoded = msgspec.json.decode(response.content, type=route.answer)
        assert msgspec.json.decode(msgspec.json.encode(decoded)) == response.json(), route.name
        if route.row is not None:
            assert response.json()["data"], f"{route.name} shows an empty list"


def test_the_page_is_what_the_server_answers(answers: list[tuple[Route, httpx.Response]]) -> None:
    page = render(ALL, answers)
    if os.environ.get("FLYBALL_WRITE_DOCS"):
        PAGE.write_text(page, "utf-8")
    assert page == PAGE.read_text("utf-8"), "run this test with FLYBALL_WRITE_DOCS=1 and look at what changed"


def test_every_route_says_what_it_is() -> None:
    assert len({route.name for route in ALL}) == len(ALL)
    assert len({(route.method, route.path) for route in ALL}) == len(ALL)
    for route in ALL:
        assert 5 < len(route.summary) < 120, route.name
        assert (route.body is None) == (route.example.body is None), route.name
        assert set(route.example.path) == set(route.pattern.groupindex), route.name
        assert route.pattern.fullmatch(ROOT + route.path.format(**route.example.path)), route.name


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(_references, node.values()))
    return set().union(*map(_references, node)) if isinstance(node, list) else set()


def test_the_document_knows_every_route_and_every_schema(owner: httpx.Client) -> None:
    document = owner.get("/admin/v1/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert listed == {(route.method, ROOT + route.path) for route in ALL}
    schemas = document["components"]["schemas"]
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    for route in ALL:
        said = document["paths"][ROOT + route.path][route.method.lower()]
        assert said["summary"] and said["description"]
        content = said["responses"][str(route.status)]["content"]["application/json"]
        assert content["schema"]
        if route.body is not None:
            assert said["requestBody"]["content"]["application/json"]["example"] == route.example.body
            name = said["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert schemas[name]["additionalProperties"] is False, f"{name} lets unknown fields pass"
        named = [each["name"] for each in said["parameters"] if each["in"] == "query"]
        assert named == [each.encode_name for each in msgspec.structs.fields(route.query)]


def test_the_document_describes_refusals(owner: httpx.Client) -> None:
    document = owner.get("/admin/v1/openapi.json").json()
    assert set(document["components"]["schemas"]["ErrorDetails"]["required"]) == {"message", "type", "param", "code"}
    refused = owner.get("/admin/v1/orgs/nothing").json()
    assert set(refused["error"]) == {"message", "type", "param", "code"}
    assert json.dumps(document).count('components/schemas/Error"') >= len(ALL)
