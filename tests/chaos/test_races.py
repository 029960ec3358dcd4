"""Many calls at once over four workers: no limit lets one too many pass, and none refuses what it has room for."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import pytest

from proxy.core.money import exact_usd
from proxy.sim import SimServer
from tests.chaos.crowd import Ask, Crowd, CrowdedProvider, Told
from tests.chaos.scene import started
from tests.harness.flyball import Flyball

KEYS: Final = {f"KEY_{number}": f"fb-test-key-of-the-races-{number}-0123456789" for number in range(8)}
SLOW_S: Final = 2.5
"""Longer than it takes until all have asked: no call ends, and makes room, before."""
PRICES: Final = """
models:
  sim-small: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
  sim-large: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
"""
CONFIG: Final = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 4}
providers: {sim: {base_url: "SIM", profile: sim}}
routes: [{model: "*", targets: [{provider: sim}]}]
prices: {overlay: prices.yaml}
tenants:
  - {org: acme, teams: [{team: t, keys: [{name: bot, key_env: BOT_KEY, agents: [a, b, c]}]}]}
  - {org: other, teams: [{team: t, keys: [
      {name: edited, key_env: KEY_0}, {name: users, key_env: KEY_1}, {name: slots, key_env: KEY_2},
      {name: fast, key_env: KEY_3}, {name: minute, key_env: KEY_4}, {name: cold, key_env: KEY_5}]}]}
budgets:
  - {name: of-org, scope: "org:acme", window: total, limit_requests: 118}
  - {name: of-team, scope: "team:acme/t", window: month, limit_usd: 0.4}
  - {name: of-key, scope: "key:acme/t/bot", window: day, limit_tokens: 13000}
  - {name: of-user, scope: "user:acme/*", window: total, limit_requests: 23}
  - {name: of-agent, scope: "agent:acme/*", window: week, limit_requests: 41}
  - {name: of-run, scope: "run:acme/*", window: hour, limit_requests: 13}
  - {name: of-tag, scope: "tag:acme/env=prod", window: rolling, length: 2h, limit_requests: 37}
  - {name: of-large, scope: "org:acme", window: year, limit_requests: 29, models: ["*-large"]}
  - {name: each-user, scope: "user:other/*", window: total, limit_requests: 3}
  - {name: cold, scope: "key:other/t/cold", window: minute, limit_requests: 60}
rate_limits:
  - {name: quick, scope: "team:acme/t", limit_requests: 135, window: hour}
  - {name: under-way, scope: "key:acme/t/bot", limit_concurrent: 120}
  - {name: slots, scope: "key:other/t/slots", limit_concurrent: 8}
  - {name: fast, scope: "key:other/t/fast", limit_requests: 100}
  - {name: minute, scope: "key:other/t/minute", limit_requests: 300}
"""


@pytest.fixture(scope="module")
def provider() -> CrowdedProvider:
    return CrowdedProvider()


@pytest.fixture(scope="module")
def flyball(tmp_path_factory: pytest.TempPathFactory, provider: CrowdedProvider) -> Iterator[Flyball]:
    folder = tmp_path_factory.mktemp("races")
    (folder / "prices.yaml").write_text(PRICES)
    with SimServer(provider) as sim, started(folder, CONFIG.replace("SIM", sim.url), **KEYS) as running:
        yield running


@pytest.fixture
async def crowd(flyball: Flyball) -> AsyncIterator[Crowd]:
    crowd = Crowd(flyball.data)
    yield crowd
    await crowd.close()


def statuses(told: Sequence[Told]) -> Counter[int]:
    return Counter(each.status for each in told)


def scopes_of(ask: Ask) -> set[str]:
    """The budgets and limits that a call of acme falls under, with the scope that each counts it under."""
    claims = ask.claims
    found = {"of-org", "of-team", "of-key", "quick", "under-way"}
    found |= {f"of-user {claims['user']}", f"of-agent {claims['agent']}", f"of-run {claims['run']}"}
    found |= {"of-tag"} if claims["tags"] == "env=prod" else set()
    return found | ({"of-large"} if ask.model == "sim-large" else set())


def limit_named(told: Told) -> str:
    """The one that refused a call, as `scopes_of` names it."""
    name, scope = told.facts["budget"], told.facts["scope"]
    return f"{name} {scope.partition('/')[2]}" if name in ("of-user", "of-agent", "of-run") else str(name)


LIMITS: Final = {"of-org": 118, "of-tag": 37, "of-large": 29, "quick": 135, "under-way": 120}
EACH: Final = {"of-user": 23, "of-agent": 41, "of-run": 13}


async def test_ten_scopes_at_once(flyball: Flyball, crowd: Crowd) -> None:
    """Ten budgets and limits of ten scopes in one hold: none is passed, and who was refused met a full one."""
    asks = [
        Ask(
            slow_s=SLOW_S,
            model="sim-large" if number % 3 == 0 else "sim-small",
            claims={
                "user": f"u{number % 7}",
                "agent": "abc"[number % 3 if number % 11 else 0],
                "run": f"r{number % 13}",
                "tags": "env=prod" if number % 2 else "env=test",
            },
        )
        for number in range(400)
    ]
    told = await crowd.all_at_once(asks)
    assert statuses(told).keys() <= {200, 402, 429}
    admitted = Counter(scope for each in told if each.status == 200 for scope in scopes_of(each.ask))
    for scope, count in admitted.items():
        assert count <= LIMITS.get(scope, EACH.get(scope.partition(" ")[0], 400)), scope
    for refused in (each for each in told if each.status != 200):
        name, facts = limit_named(refused), refused.facts
        if "limit_requests" in facts:
            assert admitted[name] == facts["limit_requests"], (name, facts)
        elif "limit_usd" in facts:
            taken = exact_usd(facts["spent_usd"]) + exact_usd(facts["held_usd"])
            assert taken + exact_usd(facts["wanted_usd"]) > exact_usd(facts["limit_usd"]) >= taken
        elif "limit_tokens" in facts:
            taken = facts["spent_tokens"] + facts["held_tokens"]
            assert taken + facts["wanted_tokens"] > facts["limit_tokens"] >= taken
    named = {limit_named(each).partition(" ")[0] for each in told if each.status != 200}
    # Which of the others are full first depends on the order in which the calls came.
    assert len(named) >= 3 and {"of-tag", "of-large"} <= named, named
    rows = flyball.wait_for_rows(len(told), where="org = 'acme'")
    assert Counter(row["code"] or "ok" for row in rows) == Counter(each.error.get("code", "ok") for each in told)
    spent = sum(exact_usd(row["cost_usd"] or "0") for row in rows)
    for budget in flyball.admin("GET", "/admin/v1/budgets?org=acme")["data"]:
        if "limit_usd" in budget:
            assert (budget["held_nano"], budget["spent_nano"]) == (0, spent)


async def test_the_first_calls_of_many_unknown_users(crowd: Crowd) -> None:
    """Each worker sees each of them for the first time: exactly three calls of each pass."""
    users = [f"new-{number}" for number in range(25)]
    asks = [Ask(slow_s=SLOW_S, key=KEYS["KEY_1"], claims={"user": user}) for _ in range(8) for user in users]
    told = await crowd.all_at_once(asks)
    assert statuses(told) == {200: 3 * len(users), 402: 5 * len(users)}
    assert Counter(each.ask.claims["user"] for each in told if each.status == 200) == dict.fromkeys(users, 3)


async def test_a_limit_that_is_changed_while_calls_flow(flyball: Flyball, crowd: Crowd) -> None:
    """Lowered and raised by a person: never more pass than the highest limit in force so far, and at last all of it."""
    ask = Ask(key=KEYS["KEY_0"])
    first = {"scope": "key:other/t/edited", "window": "total", "limit_requests": 5}
    flyball.admin("PUT", "/admin/v1/budgets/edited", first)
    await asyncio.sleep(2)  # a budget that is new is known to all workers within half a second
    passed = 0
    for limit in (20, 35, 10, 50, 30, 60):
        body = {"scope": "key:other/t/edited", "window": "total", "limit_requests": limit}
        edit = asyncio.to_thread(flyball.admin, "PUT", "/admin/v1/budgets/edited", body)
        told, _ = await asyncio.gather(crowd.steadily(ask, per_s=50, seconds=3), edit)
        passed += statuses(told)[200]
        assert passed <= 60
        if limit == 10:
            assert passed == 35
    assert passed == 60


async def test_as_many_at_once_as_there_are_places(provider: CrowdedProvider, crowd: Crowd) -> None:
    # Longer than a busy machine takes to bring them all in.
    ask = Ask(slow_s=5, key=KEYS["KEY_2"])
    for _ in range(2):
        told = await crowd.all_at_once([ask] * 100)
        assert statuses(told) == {200: 8, 429: 92}
        refused = next(each for each in told if each.status == 429)
        assert refused.error["code"] == "rate_limited"
        assert 0 < int(refused.headers["retry-after"]) <= 60
    provider.most = 0
    told = await crowd.steadily(Ask(slow_s=0.1, key=KEYS["KEY_2"]), per_s=120, seconds=3)
    assert provider.most == 8
    passed = statuses(told)[200]
    assert passed > 8 * 3 / 0.5, passed


async def test_as_many_a_minute_as_the_limit_says(crowd: Crowd) -> None:
    """All at once, within one minute of the clock: exactly as many; a refusal has taken nothing."""
    if 60 - time.time() % 60 < 8:
        await asyncio.sleep(60 - time.time() % 60 + 0.5)
    told = await crowd.all_at_once([Ask(key=KEYS["KEY_3"])] * 300)
    assert statuses(told) == {200: 100, 429: 200}
    refused = next(each for each in told if each.status == 429)
    assert 0 < int(refused.headers["retry-after"]) <= 60


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_a_rate_over_minutes(crowd: Crowd) -> None:
    """Three times what the limit allows is offered for minutes: each whole one admits the limit, ± 1 %."""
    told = await crowd.steadily(Ask(key=KEYS["KEY_4"]), per_s=15, seconds=150)
    assert statuses(told).keys() == {200, 429}
    minutes = Counter(int(each.at // 60) for each in told if each.status == 200)
    first, last = int(told[0].at // 60), int(told[-1].at // 60)
    whole = [minute for minute in range(first + 1, last)]
    assert whole
    for minute in whole:
        assert abs(minutes[minute] - 300) <= 3, minutes
    assert max(minutes.values()) <= 303


@pytest.mark.long
@pytest.mark.timeout(200)
async def test_the_beginning_of_a_window(flyball: Flyball, crowd: Crowd) -> None:
    """All workers race for a counter that nobody has touched: calls that straddle the minute count in their own."""
    ask = Ask(key=KEYS["KEY_5"])
    await crowd.all_at_once([ask] * 40)  # connections are there
    await asyncio.sleep(60 - time.time() % 60 - 0.25)
    told = await crowd.steadily(ask, per_s=400, seconds=1.5)
    assert statuses(told).keys() == {200, 402}
    rows = flyball.wait_for_rows(len(told) + 40, where="key_name = 'cold'")
    admitted = Counter(row["charged_at"][:16] for row in rows if row["outcome"] == "ok")
    assert max(admitted.values()) == 60, admitted
    assert admitted[max(row["charged_at"][:16] for row in rows)] == 60
