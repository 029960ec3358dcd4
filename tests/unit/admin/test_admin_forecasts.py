"""Forecasts over the wire: the store's rows of the right scope, in the right unit, and a reason where there is none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from proxy.admin.forecasts import place_of
from proxy.core.money import Nano
from proxy.core.usage import Bucket
from proxy.telemetry import SpendRow, TelemetryUnavailable
from tests.unit.admin.admin_port import Port

MONTH = "/admin/v1/budgets/acme-month"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENDS = datetime(2026, 12, 1, tzinfo=UTC)


def an_hour(back: int, *, nano: int = 0, calls: int = 2, model: str = "") -> SpendRow:
    """What was spent in the hour that began so many hours ago."""
    return SpendRow(
        bucket_start=NOW - timedelta(hours=back),
        group={"requested_model": model} if model else {},
        calls=calls,
        unpriced=0,
        refused=1,
        cost=Nano(nano),
        list_cost=Nano(nano),
        tokens={Bucket.INPUT: 10, Bucket.CACHE_READ: 5, Bucket.OUTPUT: 1},
    )


def steady(days: int, **told: Any) -> list[SpendRow]:
    return [an_hour(back, **told) for back in range(1, 24 * days + 1)]


@pytest.fixture
def budget(port: Port, owner: httpx.Client) -> httpx.Client:
    owner.put(MONTH, json={"scope": "org:acme", "limit_usd": 500, "opening_spent_usd": 12})
    return owner


def test_a_month_ends_as_the_last_weeks_went(port: Port, budget: httpx.Client) -> None:
    port.reader.rows = steady(28, nano=2_000_000_001)
    shown = budget.get(MONTH).json()
    hours = int((ENDS - NOW).total_seconds()) // 3600
    expected = 12_000_000_000 + hours * 2_000_000_001
    forecast = shown["forecast"]
    assert forecast["expected_nano"] == expected
    assert forecast["expected_usd"] == f"{expected // 10**9}.{expected % 10**9:09d}"
    assert forecast["low_nano"] <= expected <= forecast["high_nano"] <= expected + 2
    assert (forecast["days"], forecast["confidence"]) == (28, "0.8")
    assert (forecast["exceeds_limit"], forecast["exhausted_at"][:13]) == (True, "2026-11-30T15")
    (asked,) = port.reader.asked
    assert (asked.org, asked.filters, asked.bucket, asked.group_by) == ("acme", {}, "hour", ())
    assert (asked.start, asked.end) == (NOW - timedelta(days=28), NOW)


def test_the_past_is_asked_for_once_in_five_minutes(port: Port, budget: httpx.Client) -> None:
    port.reader.rows = steady(28, nano=1)
    for _ in range(3):
        budget.get(MONTH)
    assert len(port.reader.asked) == 1
    port.clock.move(301)
    budget.get(MONTH)
    assert len(port.reader.asked) == 2


@pytest.mark.parametrize(
    ("limit", "an_hours_use"),
    [
        ({"limit_tokens": 10**6}, ("tokens", 16)),
        ({"limit_tokens": 10**6, "tokens": "input"}, ("tokens", 15)),
        ({"limit_tokens": 10**6, "tokens": "output"}, ("tokens", 1)),
        ({"limit_requests": 10**6}, ("requests", 1)),
    ],
)
def test_tokens_and_requests_are_counted_as_the_budget_counts_them(
    port: Port, owner: httpx.Client, limit: dict[str, Any], an_hours_use: tuple[str, int]
) -> None:
    port.reader.rows = steady(28)
    owner.put(MONTH, json={"scope": "org:acme", **limit})
    word, amount = an_hours_use
    assert owner.get(MONTH).json()["forecast"][f"expected_{word}"] == amount * 252


def test_only_the_models_that_the_budget_counts(port: Port, owner: httpx.Client) -> None:
    port.reader.rows = [*steady(28, nano=7, model="gpt-5"), *steady(28, nano=100, model="o4")]
    owner.put(MONTH, json={"scope": "org:acme", "limit_usd": 500, "models": ["gpt-*"]})
    assert owner.get(MONTH).json()["forecast"]["expected_nano"] == 7 * 252


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"window": "minute"}, "short_window"),
        ({"window": "rolling", "length": "24h"}, "rolling_window"),
        ({"scope": "user:acme/*"}, "not_counted"),
        ({}, "too_little_history"),
    ],
)
def test_where_there_is_none_it_says_why(port: Port, owner: httpx.Client, change: dict[str, Any], code: str) -> None:
    port.reader.rows = steady(2, nano=5)
    owner.put(MONTH, json={"scope": "org:acme", "limit_usd": 500, **change})
    forecast = owner.get(MONTH).json()["forecast"]
    assert forecast["none_code"] == code and forecast["none"]
    assert not any(name.startswith("expected") for name in forecast)


def test_a_store_that_is_away_costs_the_forecast_only(port: Port, budget: httpx.Client) -> None:
    port.reader.fails = TelemetryUnavailable("away")
    shown = budget.get(MONTH).json()
    assert (shown["spent_usd"], shown["forecast"]["none_code"]) == ("12.00", "unavailable")
    assert budget.get(f"{MONTH}/course").json()["error"]["code"] == "dependency_unavailable"


def test_a_total_has_a_day_on_which_it_is_used_up_and_no_end(port: Port, owner: httpx.Client) -> None:
    port.reader.rows = steady(28, nano=10**9)
    owner.put(MONTH, json={"scope": "org:acme", "limit_usd": 2400, "window": "total"})
    forecast = owner.get(MONTH).json()["forecast"]
    assert "expected_usd" not in forecast and forecast["exhausted_at"].startswith("2027-02-28")


def test_a_window_s_course_ends_now_with_what_the_ledger_says_and_goes_on_with_the_forecast(
    port: Port, budget: httpx.Client
) -> None:
    port.reader.rows = [an_hour(back, nano=10**9) for back in (30, 29, 5)]
    course = budget.get(f"{MONTH}/course").json()
    spent = [(step["at"], step["spent_nano"] // 10**9) for step in course["past"]]
    assert spent == [
        ("2026-11-01T00:00:00Z", 9),
        ("2026-11-19T06:00:00Z", 9),
        ("2026-11-19T07:00:00Z", 10),
        ("2026-11-19T08:00:00Z", 11),
        ("2026-11-20T07:00:00Z", 11),
        ("2026-11-20T08:00:00Z", 12),
        ("2026-11-20T12:00:00Z", 12),
    ]
    assert course["ahead"] == [] and course["forecast"]["none_code"] == "too_little_history"
    port.clock.move(301)
    port.reader.rows = steady(28, nano=10**9)
    ahead = budget.get(f"{MONTH}/course").json()["ahead"]
    assert (ahead[0]["expected_nano"], ahead[-1]["at"]) == (12 * 10**9, "2026-12-01T00:00:00Z")
    assert all(step["low_nano"] <= step["expected_nano"] <= step["high_nano"] for step in ahead)


@pytest.mark.parametrize(
    ("scope", "filters"),
    [
        ("org:acme", {}),
        ("team:acme/support", {"team": ["support"]}),
        ("key:acme/support/bot", {"team": ["support"], "key": ["bot"]}),
        ("user:acme/u/1", {"user": ["u/1"]}),
        ("agent:acme/a", {"agent": ["a"]}),
        ("run:acme/r", {"run": ["r"]}),
        ("tag:acme/env=a=b", {"tag:env": ["a=b"]}),
    ],
)
def test_a_scope_is_its_rows(scope: str, filters: dict[str, list[str]]) -> None:
    assert place_of(scope).filters == filters


def test_a_store_that_did_not_answer_is_left_alone_for_a_while(port: Port, budget: httpx.Client) -> None:
    port.reader.fails = TelemetryUnavailable("away")
    for _ in range(3):
        assert budget.get(MONTH).json()["forecast"]["none_code"] == "unavailable"
    assert len(port.reader.asked) == 1
    port.reader.fails, port.reader.rows = None, steady(28, nano=1)
    port.clock.move(10)
    assert budget.get(MONTH).json()["forecast"]["expected_nano"] > 0
