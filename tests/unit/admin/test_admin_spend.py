"""Spend and operations over the wire, as the reader tells them."""

from datetime import UTC, datetime

import httpx
import pytest

from proxy.core.money import Nano
from proxy.core.refusal import Refusal, Refused
from proxy.telemetry import OperationSearch
from tests.unit.admin.admin_port import Port
from tests.unit.admin.telemetry_rows import operation, spend

START = 1_793_491_200
OPERATION = "op_019a9f3c8e007b4c8000000000000001"


def test_spend_asks_what_was_asked_and_shows_it_exactly(port: Port, owner: httpx.Client) -> None:
    port.reader.rows = [spend("gpt-5", 1_000_000_000_000_000_001), spend("o3", 5)]
    query = f"start_time={START}&end_time={START + 86400}&bucket_width=1h&timezone=Europe/Berlin"
    query += "&group_by[]=model&end_user=u1&tag=env%3Dprod&tag=env%3Ddev"
    found = owner.get(f"/admin/v1/spend?{query}").json()
    asked = port.reader.asked[-1]
    assert (asked.start, asked.end) == (datetime.fromtimestamp(START, UTC), datetime.fromtimestamp(START + 86400, UTC))
    assert (asked.bucket, asked.timezone, asked.group_by, asked.org) == ("hour", "Europe/Berlin", ("model",), None)
    assert asked.filters == {"user": ("u1",), "tag:env": ("prod", "dev")}
    assert found["data"][0] == {
        "object": "spend",
        "start_time": 1_795_046_400,
        "group": {"model": "gpt-5"},
        "cost_usd": "1000000000.000000001",
        "cost_nano": 1_000_000_000_000_000_001,
        "list_usd": "2000000000.000000002",
        "list_nano": 2_000_000_000_000_000_002,
        "calls": 2,
        "unpriced_calls": 1,
        "refused_calls": 1,
        "tokens": {"input": 10},
    }
    assert len(found["data"]) == 2 and found["has_more"] is False


def test_spend_is_paged_to_the_end(port: Port, owner: httpx.Client) -> None:
    port.reader.rows = [spend(f"m{number}", number) for number in range(5)]
    query = f"/admin/v1/spend?start_time={START}&group_by=model&limit=2"
    found = owner.get(query).json()
    seen = [each["group"]["model"] for each in found["data"]]
    while found["has_more"]:
        found = owner.get(f"{query}&page={found['next_page']}").json()
        seen += [each["group"]["model"] for each in found["data"]]
    assert seen == ["m0", "m1", "m2", "m3", "m4"]


def test_the_end_is_now_when_it_is_left_out(port: Port, owner: httpx.Client) -> None:
    assert owner.get(f"/admin/v1/spend?start_time={START}").status_code == 200
    assert port.reader.asked[-1].end == datetime(2026, 11, 20, 12, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("accept", "named", "kind"),
    [
        (None, "csv", "csv"),
        ("application/json", "parquet", "parquet"),
        ("text/csv", None, "csv"),
        ("text/html, application/vnd.apache.parquet;q=0.8, */*;q=0.1", None, "parquet"),
        ("text/csv;q=0.5, application/json", None, None),
        ("text/csv;q=0, */*", None, None),
        ("text/html", None, None),
        ("*/*", None, None),
        ("text/csv", "json", None),
    ],
)
def test_a_file_comes_by_name_or_by_accept(
    port: Port, owner: httpx.Client, accept: str | None, named: str | None, kind: str | None
) -> None:
    format_ = "" if named is None else f"&format={named}"
    headers = {} if accept is None else {"accept": accept}
    path = f"/admin/v1/spend?start_time={START}&group_by=end_user&group_by=tag:env{format_}"
    found = owner.get(path, headers=headers)
    if kind is None:
        assert found.json()["object"] == "list"
        return
    assert found.headers["content-type"] == {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}[kind]
    assert found.headers["content-disposition"] == f'attachment; filename="spend.{kind}"'
    assert (found.text, found.headers["x-content-type-options"]) == (f"{kind} of end_user,tag:env", "nosniff")
    assert (port.reader.asked[-1].group_by, port.reader.asked[-1].limit) == (("user", "tag:env"), 100_000)


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"start_time={START}&limit=0",
        f"start_time={START}&limit=10001",
        f"start_time={START}&limit=500001&format=csv",
        f"start_time={START}&page=WyIxIl0&format=csv",
        f"start_time={START}&format=xlsx",
        f"start_time={START}&format=focus&group_by=team",
        f"start_time={START}&format=focus&bucket_width=1h",
        f"start_time={START}&bucket_width=2h",
        "start_time=5&end_time=5",
        "start_time=0&bucket_width=1h",
        f"start_time={START}&group_by=model&group_by=model",
        f"start_time={START}&group_by=secret",
        f"start_time={START}&tag=env",
        f"start_time={START}&where=1",
        f"start_time={START}&org=a&org=" + "x" * 257,
    ],
)
def test_bad_questions_are_refused_before_the_store_is_asked(port: Port, owner: httpx.Client, query: str) -> None:
    assert owner.get(f"/admin/v1/spend?{query}").status_code == 400
    assert port.reader.asked == []


VS = f"start_time={START}&end_time={START + 86400}&vs_start_time={START - 86400}&vs_end_time={START}"


def test_a_comparison_is_asked_within_its_words_and_shown_exactly(port: Port, owner: httpx.Client) -> None:
    found = owner.get(f"/admin/v1/spend/compare?{VS}&by=end_user&model=gpt-5&tag=env%3Dprod&movers=7").json()
    asked = port.reader.compared[-1]
    assert [at.timestamp() for at in (*asked.now, *asked.before)] == [START, START + 86400, START - 86400, START]
    assert (asked.by, asked.movers, asked.org) == ("user", 7, None)
    assert asked.filters == {"model": ("gpt-5",), "tag:env": ("prod",)}
    assert (found["cost_usd"], found["vs_cost_usd"], found["delta_usd"]) == ("1.00", "0.50", "0.50")
    assert found["terms"][0] == {"name": "volume", "delta_usd": "0.50", "delta_nano": 500_000_000}
    assert sum(term["delta_nano"] for term in found["terms"]) == found["delta_nano"] == 500_000_000
    assert found["movers"][0]["data"][0]["first_call_at"] == "2026-11-19T09:30:00Z"


@pytest.mark.parametrize(
    "query",
    [
        "",
        VS.replace("vs_end_time", "end_time"),
        VS.replace(f"&end_time={START + 86400}", f"&end_time={START}"),
        VS.replace(f"vs_end_time={START}", f"vs_end_time={START - 86400}"),
        f"{VS}&by=nosuch",
        f"{VS}&movers=51",
        f"{VS}&tag=env",
    ],
)
def test_bad_comparisons_are_refused_before_the_store_is_asked(port: Port, owner: httpx.Client, query: str) -> None:
    assert owner.get(f"/admin/v1/spend/compare?{query}").status_code == 400
    assert port.reader.compared == []


def test_a_store_that_is_away_is_503_and_a_bad_zone_400(port: Port, owner: httpx.Client) -> None:
    port.reader.fails = Refused(Refusal.DEPENDENCY_UNAVAILABLE, "the telemetry store cannot answer", retry_after_s=5)
    response = owner.get(f"/admin/v1/spend?start_time={START}")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["error"]["code"] == "dependency_unavailable"
    port.reader.fails = Refused(Refusal.INVALID_REQUEST, "'Mars' is no IANA time zone", param="timezone")
    response = owner.get(f"/admin/v1/spend?start_time={START}&timezone=Mars")
    assert (response.status_code, response.json()["error"]["param"]) == (400, "timezone")


def test_an_operation_is_explained(port: Port, owner: httpx.Client) -> None:
    port.reader.operations = [operation(OPERATION)]
    found = owner.get(f"/admin/v1/operations/{OPERATION}").json()
    assert found["operation"]["id"] == OPERATION
    assert (found["operation"]["cost_usd"], found["operation"]["cost_nano"]) == ("0.0125", 12_500_000)
    assert found["operation"]["charged_at"] == "2026-11-20T11:00:00.000Z"
    assert found["operation"]["tokens"] == {"input": 1000, "output": 7}
    assert found["stages"] == [
        {"name": "identity", "duration_ms": 0.01},
        {"name": "upstream", "duration_ms": 812.5},
    ]
    (attempt,) = found["attempts"]
    assert attempt["price_lines"] == [{"bucket": "input", "quantity": 1000, "usd_per_mtok": "12.5", "usd": "0.0125"}]
    assert found["operation"]["asked_usd"] == "0.02"
    assert found["routing"] == {
        "strategy": "cheapest",
        "candidates": [
            {"provider": "openai", "model": "gpt-5", "why": "expected to cost 0.0125 USD", "score": 12_500_000}
        ],
        "left_out": [{"provider": "local", "model": "small", "why": "does not take tools", "score": None}],
    }
    port.reader.operations[0].operation.routing = ""
    assert owner.get(f"/admin/v1/operations/{OPERATION}").json()["routing"] is None
    assert owner.get("/admin/v1/operations/op_unknown").status_code == 404


def test_recent_operations_are_filtered_and_paged(port: Port, owner: httpx.Client) -> None:
    port.reader.operations = [operation(f"op_{number}") for number in range(3)]
    found = owner.get("/admin/v1/operations?limit=2&org=acme&model=gpt-5&end_user=u1").json()
    assert [each["id"] for each in found["data"]] == ["op_0", "op_1"]
    owner.get(f"/admin/v1/operations?page={found['next_page']}")
    first, second = port.reader.recently
    assert first == {"org": "acme", "filters": {"user": ("u1",), "model": ("gpt-5",)}, "limit": 3, "before": None}
    assert second["before"] == "2026-11-20 11:00:00.000/op_1"


def test_an_unknown_price_is_null(port: Port, owner: httpx.Client) -> None:
    found = operation(OPERATION)
    found.operation.cost_usd = None
    port.reader.operations = [found]
    shown = owner.get(f"/admin/v1/operations/{OPERATION}").json()["operation"]
    assert (shown["cost_usd"], shown["cost_nano"]) == (None, None)


def test_an_operation_says_what_was_done_to_it_and_what_was_only_observed(port: Port, owner: httpx.Client) -> None:
    found = operation(OPERATION)
    found.operation.would_code, found.operation.would_by = "budget_exceeded", "org:acme/acme-month"
    found.operation.ladder, found.operation.clamped_to = ["downgrade:acme-month"], 807
    found.operation.run_source, found.operation.run_depth = "header", 2
    port.reader.operations = [found]
    shown = owner.get(f"/admin/v1/operations/{OPERATION}").json()["operation"]
    assert (shown["would_code"], shown["would_by"]) == ("budget_exceeded", "org:acme/acme-month")
    assert (shown["ladder"], shown["clamped_to"]) == (["downgrade:acme-month"], 807)
    assert (shown["run_source"], shown["run_depth"], shown["parent_run"]) == ("header", 2, "")
    owner.get("/admin/v1/operations?would_code=budget_exceeded")
    assert port.reader.recently[-1]["filters"] == {"would_code": ("budget_exceeded",)}


def test_operations_are_searched_by_time_cost_tag_and_how_their_ids_begin(port: Port, owner: httpx.Client) -> None:
    query = f"start_time={START}&end_time={START + 60}&id=op_019a&min_cost_usd=0.01&max_cost_usd=2"
    query += "&tag=env%3Dprod&owner=anna"
    assert owner.get(f"/admin/v1/operations?{query}").status_code == 200
    assert port.reader.searches[-1] == OperationSearch(
        start=datetime.fromtimestamp(START, UTC),
        end=datetime.fromtimestamp(START + 60, UTC),
        prefix="op_019a",
        least=Nano(10_000_000),
        most=Nano(2_000_000_000),
    )
    assert port.reader.recently[-1]["filters"] == {"owner": ("anna",), "tag:env": ("prod",)}
    before = len(port.reader.searches)
    for wrong in (f"start_time={START}&end_time={START}", "tag=env", "min_cost_usd=0.0000000001", "max_cost_usd=cheap"):
        assert owner.get(f"/admin/v1/operations?{wrong}").status_code == 400
    assert len(port.reader.searches) == before
