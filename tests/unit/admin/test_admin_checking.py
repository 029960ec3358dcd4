"""Bodies and query strings: strict, and all problems at once."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.binding import Binding, owner_of
from proxy.admin.checking import read_body, read_query
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import page_after, place_of
from proxy.admin.shapes.budgets import BudgetBody
from proxy.admin.shapes.spend import SpendQueryBody
from proxy.admin.shapes.tenants import KeyCreateBody

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)


def places(kind: Any, body: bytes) -> list[str]:
    with pytest.raises(Refusal) as caught:
        read_body(kind, body)
    assert caught.value.fault is Fault.INVALID_REQUEST
    return [each.param for each in caught.value.problems]


def test_all_problems_are_said_at_once_with_their_place() -> None:
    body = {"team": "a/b", "name": 5, "models": ["ok", 7], "tags": {"a": 1}, "colour": "red", "limit": 1}
    found = places(KeyCreateBody, json.dumps(body).encode())
    assert found == ["colour", "limit", "models[1]", "tags[...]", "org", "team", "name"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'{"a":1}x', b"\xff", b'{"org":"\xff"}', b'{"\xff":1}', b"1", b"[" * 100_000]
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    places(KeyCreateBody, body)


def test_a_deeply_nested_field_is_refused() -> None:
    places(KeyCreateBody, b'{"org":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


@given(st.dictionaries(st.sampled_from(["org", "team", "name", "models", "tags", "expires_at", "x"]), VALUES))
def test_any_object_is_read_or_refused(body: dict[str, Any]) -> None:
    try:
        read = read_body(KeyCreateBody, json.dumps(body).encode())
    except Refusal as refusal:
        assert refusal.problems
    else:
        assert body.keys() >= {"org", "team", "name"} and "x" not in body
        assert read.name == body["name"]


@given(st.binary(max_size=12), st.sampled_from([b'{"org":"a%s","team":"b","name":"c"}', b'{"%s":1}', b"%s"]))
def test_any_bytes_are_read_or_refused(piece: bytes, around: bytes) -> None:
    try:
        read_body(KeyCreateBody, around.replace(b"%s", piece))
    except Refusal as refusal:
        assert refusal.fault is Fault.INVALID_REQUEST


@pytest.mark.parametrize("text", ["0.1", '"0.1"', "500", "1e2", '"0.000000001"'])
def test_money_is_read_as_written(text: str) -> None:
    body = read_body(BudgetBody, f'{{"scope":"org:a","limit_usd":{text}}}'.encode())
    assert body.limit_usd == Decimal(text.strip('"'))


def test_a_query_string_is_typed_and_lists_repeat() -> None:
    read = read_query(SpendQueryBody, b"start_time=5&group_by[]=model&group_by=tag:env&org=a&org=b")
    assert (read.start_time, read.group_by, read.org) == (5, ("model", "tag:env"), ("a", "b"))


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"", ["start_time"]),
        (b"start_time=x&colour=red", ["colour", "start_time"]),
        (b"start_time=5&start_time=6", ["start_time"]),
        (b"start_time=5&bucket_width=1y&limit=0", ["bucket_width", "limit"]),
        (b"start_time=5&group_by=cost;drop", ["group_by[0]"]),
        (b"start_time=-1", ["start_time"]),
    ],
)
def test_query_problems(raw: bytes, wanted: list[str]) -> None:
    with pytest.raises(Refusal) as caught:
        read_query(SpendQueryBody, raw)
    assert [each.param for each in caught.value.problems] == wanted


@given(st.binary(max_size=60))
def test_any_query_string_is_read_or_refused(raw: bytes) -> None:
    with pytest.raises(Refusal):
        read_query(SpendQueryBody, raw)


@given(st.lists(st.text(), max_size=4))
def test_a_page_text_leads_back_to_its_place(place: list[str]) -> None:
    try:
        page = page_after(*place)
    except UnicodeEncodeError:
        return
    assert place_of(page, len(place)) == tuple(place)


@given(st.text(max_size=40))
def test_another_page_text_is_refused_or_a_place(page: str) -> None:
    try:
        assert len(place_of(page, 2)) == 2
    except Refusal as refusal:
        assert refusal.param == "page"


@pytest.mark.parametrize(
    ("scope", "owner"),
    [
        ("org:acme", ("acme", None)),
        ("team:acme/support", ("acme", "support")),
        ("key:acme/support/bot", ("acme", "support")),
        ("user:acme/u1", ("acme", None)),
    ],
)
def test_a_scope_belongs_to_an_org_and_team(scope: str, owner: tuple[str, str | None]) -> None:
    assert owner_of(scope) == owner


@pytest.mark.parametrize("scope", ["", "acme", "org:", "org:a/b", "team:acme", "key:acme/support", "key:a//b", "x:a"])
def test_other_texts_are_no_scope(scope: str) -> None:
    with pytest.raises(Refusal):
        owner_of(scope)


@pytest.mark.parametrize(
    ("binding", "org", "team", "sees", "rules"),
    [
        (Binding(None, None), "acme", "support", True, True),
        (Binding("acme", None), "acme", None, True, True),
        (Binding("acme", None), "beta", None, False, False),
        (Binding("acme", "support"), "acme", "support", True, True),
        (Binding("acme", "support"), "acme", None, True, False),
        (Binding("acme", "support"), "acme", "sales", False, False),
        (Binding("acme", "support"), "beta", "support", False, False),
    ],
)
def test_what_a_binding_reaches(binding: Binding, org: str, team: str | None, sees: bool, rules: bool) -> None:
    assert (binding.sees(org, team), binding.rules(org, team)) == (sees, rules)
