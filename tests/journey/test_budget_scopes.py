"""Budgets on what a call claims to belong to: the first calls of an unknown user, tags, agents, models, minutes."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from proxy.sim import Faults, Script, SimProvider, SimServer
from tests.harness.flyball import Flyball

CALLS = 50
FITTING = 7
KEY = "fb-test-key-for-scopes-0123456789"
CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 2}
providers: {sim: {base_url: "SIM", profile: sim}}
routes: [{model: "*", targets: [{provider: sim}]}]
tenants: [{org: acme, teams: [{team: t, keys: [{name: bot, key_env: BOT_KEY, agents: [triage, writer]}]}]}]
budgets:
  - {name: each-user, scope: "user:acme/*", window: total, limit_requests: 7}
  - {name: boss, scope: "user:acme/boss", window: total, limit_requests: 9}
  - {name: env, scope: "tag:acme/env=prod", window: day, timezone: Europe/Berlin, limit_tokens: 1}
  - {name: triage, scope: "agent:acme/triage", window: hour, limit_usd: 0}
  - {name: each-run, scope: "run:acme/*", window: day, limit_requests: 2}
  - {name: large, scope: "org:acme", window: total, limit_requests: 1, models: ["*-large"]}
  - {name: each-minute, scope: "key:acme/t/*", window: minute, limit_requests: 1000}
"""


@pytest.fixture(scope="module")
def flyball(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    slow = Script(always=Faults(slow_s=1.0))
    with (
        SimServer(SimProvider(slow)) as sim,
        Flyball(tmp_path_factory.mktemp("scopes"), CONFIG.replace("SIM", sim.url), {"BOT_KEY": KEY}) as running,
    ):
        yield running


def body(model: str = "sim-small", **more: object) -> dict[str, object]:
    return {"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}], **more}


def ask(flyball: Flyball, model: str = "sim-small", **headers: str) -> httpx.Response:
    sent = {"authorization": f"Bearer {KEY}"} | {f"x-flyball-{name}": value for name, value in headers.items()}
    return httpx.post(flyball.data + "/v1/chat/completions", json=body(model), headers=sent, timeout=30)


def refusal(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 402, answer.text
    facts = answer.json()["error"]["flyball"]
    assert isinstance(facts, dict)
    return facts


async def all_at_once(flyball: Flyball, user: str) -> Counter[int]:
    limits = httpx.Limits(max_connections=CALLS)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(limits=limits, timeout=60, headers=headers) as client:
        url = flyball.data + "/v1/chat/completions"
        answers = await asyncio.gather(*(client.post(url, json=body(user=user)) for _ in range(CALLS)))
    return Counter(answer.status_code for answer in answers)


async def test_of_the_first_calls_of_an_unknown_user_exactly_as_many_pass_as_fit(flyball: Flyball) -> None:
    first, second = await asyncio.gather(all_at_once(flyball, "nobody/knows me"), all_at_once(flyball, "boss"))
    assert first == {200: FITTING, 402: CALLS - FITTING}
    assert second == {200: 9, 402: CALLS - 9}
    shown = flyball.admin("GET", "/admin/v1/budgets/each-user?scope=user:acme/nobody/knows me")
    assert (shown["spent_requests"], shown["held_requests"], shown["counted_scopes"]) == (FITTING, 0, 1)
    assert flyball.admin("GET", "/admin/v1/budgets/each-user")["counted_scope"] == "user:acme/nobody/knows me"
    facts = refusal(ask(flyball, user="nobody/knows me"))
    assert (facts["scope"], facts["budget"]) == ("user:acme/nobody/knows me", "each-user")
    assert (facts["limit_requests"], facts["spent_requests"]) == (FITTING, FITTING)
    assert ask(flyball, user="somebody else").status_code == 200


def test_a_tag_and_an_agent_have_budgets(flyball: Flyball) -> None:
    facts = refusal(ask(flyball, tags="env=prod,feature=search"))
    assert (facts["scope"], facts["limit_tokens"], facts["spent_tokens"]) == ("tag:acme/env=prod", 1, 0)
    facts = refusal(ask(flyball, agent="triage"))
    assert (facts["scope"], facts["limit_usd"]) == ("agent:acme/triage", "0.00")
    assert ask(flyball, tags="env=test", agent="writer").status_code == 200


def test_each_run_has_its_own(flyball: Flyball) -> None:
    assert [ask(flyball, run="r1").status_code for _ in range(3)] == [200, 200, 402]
    assert ask(flyball, run="r2").status_code == 200


def test_a_budget_for_models_leaves_the_others_alone(flyball: Flyball) -> None:
    assert [ask(flyball, "sim-large").status_code for _ in range(2)] == [200, 402]
    assert ask(flyball, "sim-small").status_code == 200


def test_a_key_is_told_of_the_minute_that_each_key_has(flyball: Flyball) -> None:
    own = httpx.get(flyball.data + "/v1/flyball/key", headers={"authorization": f"Bearer {KEY}"}).json()
    (minute,) = own["budgets"]
    assert (minute["name"], minute["scope"], minute["limit_requests"]) == ("each-minute", "key:acme/t/bot", 1000)
    assert minute["window"].endswith("Z") and minute["resets_at"] is not None
