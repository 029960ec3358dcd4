"""Decisions by the admin API: what is asked of the store, what is shown, and to whom."""

import httpx

from tests.unit.admin.admin_port import Port
from tests.unit.admin.telemetry_rows import decision, operation


def test_a_list_asks_for_what_its_parameters_say(port: Port, owner: httpx.Client) -> None:
    port.reader.decided = [decision("dec_1", "op_1"), decision("dec_2", "op_2")]
    query = "org=acme&team=support&key=bot&agent=triage&point=request&code=x&allow=false&shadow=true&differs=true"
    times = "start_time=2026-11-20T00:00:00Z&end_time=2026-11-21T00:00:00Z"
    answer = owner.get(f"/admin/v1/decisions?{query}&{times}&limit=1").json()
    (asked,) = port.reader.decisions_asked
    assert asked.org == "acme" and asked.flags == {"allow": False, "shadow": True, "differs": True}
    assert asked.filters == {
        "key": ("bot",),
        "agent": ("triage",),
        "point": ("request",),
        "code": ("x",),
        "team": ("support",),
    }
    assert asked.start is not None and asked.end is not None and (asked.end - asked.start).days == 1
    assert not asked.whole and answer["has_more"]
    (shown,) = answer["data"]
    assert (shown["id"], shown["decided_at"], shown["code"]) == (
        "dec_1",
        "2026-11-20T11:00:00.001Z",
        "model_not_listed",
    )
    owner.get("/admin/v1/decisions", params={"page": answer["next_page"]})
    assert port.reader.decisions_asked[-1].before == "2026-11-20 11:00:00.001/dec_1"


def test_a_parameter_that_is_none_is_refused(owner: httpx.Client) -> None:
    for query in ("point=nowhere", "allow=perhaps", "page=x", "worker=w"):
        assert owner.get(f"/admin/v1/decisions?{query}").status_code == 400, query


def test_one_is_explained_with_its_input(port: Port, owner: httpx.Client) -> None:
    port.reader.decided = [decision("dec_1", "op_1", obligations='[{"type":"cap_tokens","max":7}]')]
    told = owner.get("/admin/v1/decisions/dec_1").json()
    assert told["input"]["model"] == "gpt-5" and told["unread"] == ["messages.text", "budgets"]
    assert told["decision"]["obligations"] == [{"type": "cap_tokens", "max": 7}]
    assert port.reader.decisions_asked[-1].whole
    assert owner.get("/admin/v1/decisions/dec_2").status_code == 404


def test_one_without_an_input_says_null(port: Port, owner: httpx.Client) -> None:
    port.reader.decided = [decision("dec_1", "op_1", input="", unread=["*"], engine="flyball")]
    assert owner.get("/admin/v1/decisions/dec_1").json()["input"] is None


def test_nobody_sees_beyond_their_org_and_team(port: Port) -> None:
    port.tenants("acme", "globex")
    port.reader.decided = [decision("dec_1", "op_1"), decision("dec_2", "op_2", org="globex")]
    with port.person("linus", "viewer", "acme", "sales") as sales:
        sales.get("/admin/v1/decisions")
        assert port.reader.decisions_asked[-1].org == "acme"
        assert port.reader.decisions_asked[-1].filters == {"team": ("sales",)}
        assert sales.get("/admin/v1/decisions/dec_1").status_code == 404
        assert sales.get("/admin/v1/decisions?org=globex").status_code == 403
    with port.person("grace", "auditor", "globex") as auditor:
        assert auditor.get("/admin/v1/decisions/dec_2").status_code == 200
        assert auditor.get("/admin/v1/decisions/dec_1").status_code == 404


def test_an_operation_is_explained_with_what_was_decided_on_it(port: Port, owner: httpx.Client) -> None:
    port.reader.operations = [operation("op_1")]
    route = decision("dec_2", "op_1", point="route", decided_at="2026-11-20 11:00:00.003")
    port.reader.decided = [route, decision("dec_1", "op_1"), decision("dec_3", "op_9")]
    told = owner.get("/admin/v1/operations/op_1").json()
    assert [each["id"] for each in told["decisions"]] == ["dec_1", "dec_2"]
