"""Alerts and the report on observing, over the wire."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from proxy.budget import AlertSettings, Answered, LineKind, NotPosted, Receiver, Unit
from proxy.core.money import Nano
from proxy.core.secret import Secret
from proxy.telemetry import VariantTotals
from tests.unit.admin.admin_port import Port
from tests.unit.admin.alert_rows import AT_NS, OPS, alert, raised
from tests.unit.admin.telemetry_rows import would_refuse

ALERTS = "/admin/v1/alerts"


def ids(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(each["id"][4:], 16) for each in answer.json()["data"]]


@pytest.fixture
def some(port: Port) -> None:
    raised(
        port.alerting,
        alert(1),
        alert(2, org="globex", scope="org:globex", budget="globex", kind="block", at_ns=AT_NS + 60 * 10**9),
        alert(3, scope="team:acme/support", budget="support", subject=LineKind.RATE, unit=Unit.TOKENS, spent=Nano(99)),
        alert(4, scope="key:acme/sales/bot", budget="sales"),
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [4, 3, 2, 1]),
        ("?org=acme", [4, 3, 1]),
        ("?org=acme&team=sales", [4]),
        ("?budget=support", [3]),
        ("?kind=block", [2]),
        ("?state=sent", [4, 3, 2, 1]),
        ("?state=failed", []),
        ("?start_time=2026-11-20T10:00:30Z", [2]),
        ("?end_time=2026-11-20T10:00:30Z&limit=2", [4, 3]),
    ],
)
def test_alerts_are_listed_as_they_are_asked_for(some: None, owner: httpx.Client, query: str, found: list[int]) -> None:
    assert ids(owner.get(ALERTS + query)) == found


def test_the_list_is_paged_to_its_end(some: None, owner: httpx.Client) -> None:
    answer = owner.get(f"{ALERTS}?limit=3")
    assert answer.json()["has_more"]
    assert ids(owner.get(f"{ALERTS}?limit=3&page={answer.json()['next_page']}")) == [1]


def test_amounts_are_told_in_what_is_counted(some: None, owner: httpx.Client) -> None:
    (limit,) = owner.get(f"{ALERTS}?budget=support").json()["data"]
    assert (limit["limit_kind"], limit["spent_tokens"]) == ("rate_limit", 99)
    assert "spent_usd" not in limit
    (budget,) = owner.get(f"{ALERTS}?budget=globex").json()["data"]
    assert (budget["limit_kind"], budget["spent_usd"]) == ("budget", "401.25")


@pytest.mark.parametrize("query", ["?kind=test", "?state=open", "?start_time=yesterday", "?page=x", "?where=1"])
def test_bad_questions_are_refused(owner: httpx.Client, query: str) -> None:
    assert owner.get(ALERTS + query).status_code == 400


def test_bound_tokens_see_their_own(some: None, port: Port) -> None:
    port.tenants("acme", "globex")
    assert ids(port.person("anna", "viewer", "acme").get(ALERTS)) == [4, 3, 1]
    assert ids(port.person("ben", "viewer", "acme", "sales").get(ALERTS)) == [4]
    assert port.person("cleo", "viewer", "globex").get(f"{ALERTS}?org=acme").status_code == 403


def test_a_receiver_is_tested_and_what_it_said_is_told(port: Port, owner: httpx.Client) -> None:
    port.alerting.use(AlertSettings(), [OPS])
    told = owner.post(f"{ALERTS}/test", json={"receiver": "ops"}).json()
    assert (told["delivered"], told["status"], told["answer"]) == (True, 200, "ok")
    port.post.answers = Answered(401, "no such hook")
    told = owner.post(f"{ALERTS}/test", json={"receiver": "ops"}).json()
    assert (told["delivered"], told["status"], told["answer"]) == (False, 401, "no such hook")
    port.post.answers = NotPosted("no answer within 10 s")
    told = owner.post(f"{ALERTS}/test", json={"receiver": "ops"}).json()
    assert (told["delivered"], told["status"], told["error"]) == (False, None, "no answer within 10 s")
    assert ids(owner.get(ALERTS)) == []
    assert owner.post(f"{ALERTS}/test", json={"receiver": "nobody"}).status_code == 404
    assert owner.post(f"{ALERTS}/test", json={}).status_code == 400


def test_bound_tokens_test_only_receivers_that_are_theirs_alone(port: Port) -> None:
    port.tenants("acme")
    theirs = Receiver(name="acme", url=Secret("https://acme.example/"), kind="webhook", orgs=frozenset({"acme"}))
    port.alerting.use(AlertSettings(), [OPS, theirs])
    anna = port.person("anna", "billing", "acme")
    assert anna.post(f"{ALERTS}/test", json={"receiver": "acme"}).status_code == 200
    assert anna.post(f"{ALERTS}/test", json={"receiver": "ops"}).status_code == 404
    ben = port.person("ben", "billing", "acme", "support")
    assert ben.post(f"{ALERTS}/test", json={"receiver": "acme"}).status_code == 404
    assert port.person("cleo", "viewer").post(f"{ALERTS}/test", json={"receiver": "acme"}).status_code == 403
    assert port.post.told == ["acme"]


def test_the_report_on_observing_says_what_is_observed(port: Port, owner: httpx.Client) -> None:
    port.reader.observations = would_refuse()
    port.tenants("acme", "globex")
    owner.put("/admin/v1/orgs/globex", json={"enforcement": "observe"})
    budget = {"scope": "team:acme/support", "limit_usd": "5", "enforcement": "observe"}
    owner.put("/admin/v1/budgets/acme-support", json=budget)
    told = owner.get("/admin/v1/observe").json()
    assert told["observing"] == {"everyone": False, "orgs": ["globex"], "budgets": ["acme-support"], "limits": []}
    assert (told["calls"], told["would_refuse"], told["cost_usd"]) == (3400, 12, "0.15")
    assert told["data"][0]["would_by"] == "org:acme/acme-month"
    asked = port.reader.observed_asked[-1]
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert (asked.org, asked.start, asked.end) == (None, now - timedelta(days=7), now)
    sales = port.person("anna", "viewer", "acme", "sales").get("/admin/v1/observe").json()
    assert sales["observing"] == {"everyone": False, "orgs": [], "budgets": [], "limits": []}
    assert (port.reader.observed_asked[-1].org, port.reader.observed_asked[-1].team) == ("acme", "sales")
    assert owner.get("/admin/v1/observe?start_time=2027-01-01T00:00:00Z").status_code == 400


def test_targets_stand_beside_each_other_and_one_that_was_rolled_back_says_why(port: Port, owner: httpx.Client) -> None:
    canary = VariantTotals("assistant", "canary", False, 4, 1, 90.0, 100.0, None, Nano(3_000), 3, 30, 0)
    copy = canary._replace(variant="next", is_copy=True, similarity=0.5, beside_cost=Nano(9_000))
    port.reader.beside = [canary, copy]
    told = owner.get("/admin/v1/variants?route=assistant&org=acme").json()
    first, second = told["data"]
    assert (first["calls"], first["failed"], first["cost_usd"], first["rolled_back"]) == (4, 1, "0.000003", "")
    assert (second["copy"], second["similarity"], second["copied_cost_usd"]) == (True, 0.5, "0.000009")
    asked = port.reader.variants_asked[-1]
    assert (asked.org, asked.route, asked.team, asked.end - asked.start) == (
        "acme",
        "assistant",
        None,
        timedelta(days=1),
    )
    body = {"target": "variant:assistant/canary", "reason": "worse"}
    made = owner.post("/admin/v1/kill-switches", json=body).json()
    first, second = owner.get("/admin/v1/variants").json()["data"]
    assert (first["rolled_back"], first["reason"], second["rolled_back"]) == (made["id"], "worse", "")
    end = told["start_time"]
    assert owner.get(f"/admin/v1/variants?start_time={end}&end_time={end}").status_code == 400
