"""Ladders, clamps, rate limits, run limits and observing, over the wire: the answer, the row and the numbers agree."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from proxy.core.money import exact_usd
from proxy.sim import SimProvider, SimServer, SimSettings
from tests.harness.flyball import Flyball

TEAM = "team:acme/t"
KEYS = {
    name.upper(): f"fb-test-key-of-{name}-0123456789"
    for name in ("stepped", "blocked", "clamped", "rated", "placed", "runner", "watched", "talker")
}
PRICES = """
models:
  sim-small: {input_usd_per_mtok: 1, output_usd_per_mtok: 10, since: 2026-01-01, source: test}
  sim-large: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
"""


def config(sim_url: str) -> str:
    keys = [{"name": name.lower(), "key_env": name} for name in KEYS if name != "WATCHED"]
    own = {"window": "total", "hard": True}
    return json.dumps(
        {
            "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": 2},
            "holds": {"first_hold_output_tokens": 256},
            "metering": {"margin_percent": 0},
            "providers": {"sim": {"base_url": sim_url, "profile": "sim"}},
            "routes": [{"model": "*", "targets": [{"provider": "sim"}]}],
            "prices": {"overlay": "prices.yaml"},
            "tenants": [
                {"org": "acme", "teams": [{"team": "t", "keys": keys}]},
                {
                    "org": "beta",
                    "enforcement": "observe",
                    "teams": [{"team": "t", "keys": [{"name": "watched", "key_env": "WATCHED", "models": ["x"]}]}],
                },
            ],
            "budgets": [
                {
                    **own,
                    "name": "steps",
                    "scope": "key:acme/t/stepped",
                    "limit_usd": 1,
                    "ladder": [
                        {"at": 0.002, "do": "downgrade", "to": {"sim-large": "sim-small"}},
                        {"at": 0.003, "do": "throttle", "delay_ms": 300},
                    ],
                },
                {
                    **own,
                    "name": "memory",
                    "scope": "key:acme/t/blocked",
                    "limit_usd": 1,
                    "ladder": [{"at": 0.001, "do": "cache_only"}],
                },
                {**own, "name": "short", "scope": "key:acme/t/clamped", "limit_usd": "0.05", "clamp": True},
                {**own, "name": "talk", "scope": "key:acme/t/talker", "limit_tokens": 700},
                {**own, "name": "seen", "scope": "org:beta", "limit_usd": "0.0001"},
            ],
            "rate_limits": [
                {"name": "pace", "scope": "key:acme/t/rated", "limit_requests": 3, "window": "hour"},
                {"name": "places", "scope": "key:acme/t/placed", "limit_concurrent": 2},
            ],
            "runs": {"limits": [{"scope": "key:acme/t/runner", "calls": 2, "depth": 1, "usd": 1}]},
        }
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flyball, SimProvider]]:
    folder: Path = tmp_path_factory.mktemp("enforcement")
    (folder / "prices.yaml").write_text(PRICES)
    provider = SimProvider(settings=SimSettings(speed=10))
    with SimServer(provider) as sim, Flyball(folder, config(sim.url), KEYS) as running:
        yield running, provider


@pytest.fixture(scope="module")
def flyball(house: tuple[Flyball, SimProvider]) -> Flyball:
    return house[0]


def ask(flyball: Flyball, key: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    body = {"model": "sim-small", "max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}], **more}
    sent = {"authorization": f"Bearer {KEYS[key.upper()]}", **(headers or {})}
    return httpx.post(flyball.data + "/v1/chat/completions", json=body, headers=sent, timeout=60)


def row_of(flyball: Flyball, answer: httpx.Response) -> dict[str, Any]:
    (row,) = flyball.wait_for_rows(1, where=f"operation_id = '{answer.headers['x-flyball-operation']}'")
    return row


def own(flyball: Flyball, key: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {KEYS[key.upper()]}"}
    told: dict[str, Any] = httpx.get(flyball.data + "/v1/flyball/key", headers=headers).json()
    return told


def test_a_call_past_a_downgrade_gets_the_other_model_and_says_so(flyball: Flyball) -> None:
    plain = ask(flyball, "stepped", model="sim-large", max_tokens=5)
    assert (plain.headers["x-flyball-model"], plain.headers.get("x-flyball-reason")) == ("sim-large", None)
    answer = ask(flyball, "stepped", model="sim-large", max_tokens=20)
    assert answer.status_code == 200
    assert answer.headers["x-flyball-model"] == answer.json()["model"] == "sim-small"
    row = row_of(flyball, answer)
    assert (row["requested_model"], row["model"], row["ladder"]) == ("sim-large", "sim-small", ["downgrade:steps"])
    assert row["reason"] == answer.headers["x-flyball-reason"]
    assert exact_usd(row["held_usd"]) < 1_000_000


def test_a_throttled_call_takes_its_time_and_is_served(flyball: Flyball) -> None:
    begun = time.monotonic()
    answer = ask(flyball, "stepped", model="sim-small", max_tokens=400)
    assert (answer.status_code, time.monotonic() - begun > 0.3) == (200, True)
    row = row_of(flyball, answer)
    assert row["ladder"] == ["throttle:steps"]
    assert row["stages_us"]["throttle"] >= 299_000


def test_where_only_memory_answers_the_call_is_refused(flyball: Flyball) -> None:
    refused = ask(flyball, "blocked", max_tokens=400)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["flyball"]["step"]) == (402, "budget_exceeded", "cache_only")
    row = row_of(flyball, refused)
    assert (row["ladder"], row["refused_by"]) == (["cache_only:memory"], "key:acme/t/blocked/memory")


def test_a_clamped_call_ends_where_its_money_does(house: tuple[Flyball, SimProvider]) -> None:
    flyball, provider = house
    answer = ask(flyball, "clamped", model="sim-large", max_tokens=1500, metadata={"sim_output_tokens": "1500"})
    assert answer.status_code == 200, answer.text
    row = row_of(flyball, answer)
    sent = json.loads(provider.seen.requests[-1].body)
    assert 256 < row["clamped_to"] == sent["max_tokens"] < 500
    assert answer.headers["x-flyball-reason"] == f"clamped to {row['clamped_to']} output tokens: budget short"
    assert answer.json()["choices"][0]["finish_reason"] == "length"
    assert exact_usd(row["overrun_usd"]) == 0
    form = {"response_format": {"type": "json_object"}}
    assert ask(flyball, "clamped", model="sim-large", max_tokens=1500, **form).status_code == 402


def test_a_rate_is_kept_and_told(flyball: Flyball) -> None:
    answers = [ask(flyball, "rated") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert [each.headers["ratelimit"].partition(";t=")[0] for each in answers] == [
        f'"pace";r={left}' for left in (2, 1, 0, 0)
    ]
    assert {each.headers["ratelimit-policy"] for each in answers} == {'"pace";q=3;w=3600'}
    facts = answers[3].json()["error"]["flyball"]
    (limit,) = own(flyball, "rated")["limits"]
    shared = ("limit_requests", "spent_requests", "held_requests", "resets_at", "scope")
    assert {name: facts[name] for name in shared} == {name: limit[name] for name in shared}
    assert limit["remaining_requests"] == 0
    told = flyball.admin("GET", "/admin/v1/limits/pace")
    assert (told["limit_requests"], told["spent_requests"], told["remaining_requests"]) == (3, 3, 0)
    assert row_of(flyball, answers[3])["code"] == "rate_limited"


def test_a_refused_call_is_repeated_by_the_sdk_only_after_the_time_it_is_told(flyball: Flyball) -> None:
    client = openai.OpenAI(base_url=flyball.data + "/v1", api_key=KEYS["RATED"], max_retries=0)
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model="sim-small", messages=[{"role": "user", "content": "Hello"}])
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60


async def test_places_are_counted_exactly(flyball: Flyball) -> None:
    """Ten at once through two workers, each for half a second: two are served, and two more when those are done."""
    body = {
        "model": "sim-small",
        "stream": True,
        "max_tokens": 300,
        "messages": [{"role": "user", "content": "Hello"}],
        "metadata": {"sim_output_tokens": "300"},
    }
    headers = {"authorization": f"Bearer {KEYS['PLACED']}"}

    async with httpx.AsyncClient(timeout=60, headers=headers) as client:

        async def one() -> int:
            return (await client.post(flyball.data + "/v1/chat/completions", json=body)).status_code

        first = await asyncio.gather(*(one() for _ in range(10)))
        second = await asyncio.gather(*(one() for _ in range(2)))
    assert sorted(first) == [200] * 2 + [429] * 8
    assert second == [200, 200]


def test_a_run_ends_at_its_limit_and_stays_ended(flyball: Flyball) -> None:
    run = {"x-flyball-run": "r1"}
    answers = [ask(flyball, "runner", headers=run) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 403]
    assert "x-flyball-budget-remaining-usd" in answers[0].headers
    error = answers[2].json()["error"]
    assert (error["code"], error["flyball"]["run"], error["flyball"]["limit_requests"]) == ("run_stopped", "r1", 2)
    assert ask(flyball, "runner", headers={"x-flyball-run": "r2"}).status_code == 200
    deep = ask(flyball, "runner", headers={"x-flyball-run": "r3", "x-flyball-parent-run": "r2"})
    assert (deep.status_code, deep.json()["error"]["flyball"]["why"]) == (403, "depth")
    assert own(flyball, "runner")["runs"] == {"limit_requests": 2, "limit_usd": "1.00", "limit_depth": 1}


def test_an_org_that_only_observes_is_never_refused(flyball: Flyball) -> None:
    answer = ask(flyball, "watched", max_tokens=400)
    assert answer.status_code == 200
    row = row_of(flyball, answer)
    assert (row["would_code"], row["would_by"]) == ("model_not_allowed", "key:beta/t/watched/models")
    assert (row["code"], row["outcome"]) == ("", "ok")


async def test_a_stream_under_tokens_alone_ends_with_them(flyball: Flyball) -> None:
    """It names no maximum: 700 tokens in steps of 256, and then no more."""
    body = {
        "model": "sim-small",
        "stream": True,
        "messages": [{"role": "user", "content": "Hello"}],
        "metadata": {"sim_output_tokens": "3000"},
    }
    headers = {"authorization": f"Bearer {KEYS['TALKER']}"}
    async with httpx.AsyncClient(timeout=60, headers=headers) as client:
        answer = await client.post(flyball.data + "/v1/chat/completions", json=body)
    *events, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    last = json.loads(events[-1].removeprefix("data: "))
    assert last["choices"][0]["finish_reason"] == "length"
    facts = last["flyball"]
    assert (facts["code"], facts["budget"], facts["limit_tokens"]) == ("budget_exceeded", "talk", 700)
    assert not [name for name in facts if name.endswith("_usd")]
    row = row_of(flyball, answer)
    assert (row["outcome"], row["code"]) == ("truncated", "budget_exceeded")
    told = flyball.admin("GET", "/admin/v1/budgets/talk")
    assert 600 < told["spent_tokens"] <= 700
    assert told["held_tokens"] == 0
