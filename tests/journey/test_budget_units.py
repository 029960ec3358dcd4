"""Budgets that count tokens or requests, over the wire: what is counted, what is refused, and the same numbers told."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from proxy.sim import Script, SimProvider, SimServer
from tests.harness.flyball import Flyball

CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
providers:
  gone: {base_url: "http://127.0.0.1:9/v1", profile: openai-compatible}
  sim: {base_url: "SIM", profile: sim}
routes: [{model: "gone", targets: [{provider: gone}]}, {model: "*", targets: [{provider: sim}]}]
tenants:
  - org: acme
    teams:
      - team: t
        keys:
          - {name: talker, key_env: TALKER}
          - {name: caller, key_env: CALLER}
          - {name: loose, key_env: LOOSE}
budgets:
  - {name: talked, scope: "key:acme/t/talker", window: total, limit_tokens: 200}
  - {name: called, scope: "key:acme/t/caller", window: total, limit_requests: 2}
  - {name: wanted, scope: "key:acme/t/loose", window: rolling, length: 24h, tokens: output, limit_tokens: 1,
     hard: false}
"""
KEYS = {name.upper(): f"fb-test-key-of-{name}-0123456789" for name in ("talker", "caller", "loose")}


@pytest.fixture(scope="module")
def flyball(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    with (
        SimServer(SimProvider(Script())) as sim,
        Flyball(tmp_path_factory.mktemp("units"), CONFIG.replace("SIM", sim.url), KEYS) as running,
    ):
        yield running


def ask(flyball: Flyball, key: str, *, model: str = "sim-small", max_tokens: int = 20) -> httpx.Response:
    body = {"model": model, "max_tokens": max_tokens, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": f"Bearer {KEYS[key.upper()]}"}
    return httpx.post(flyball.data + "/v1/chat/completions", json=body, headers=headers, timeout=30)


def told(flyball: Flyball, name: str) -> dict[str, Any]:
    shown = flyball.admin("GET", f"/admin/v1/budgets/{name}")
    assert isinstance(shown, dict)
    return shown


def test_tokens_are_held_by_the_estimate_and_booked_by_the_usage(flyball: Flyball) -> None:
    used = ask(flyball, "talker").json()["usage"]["total_tokens"]
    assert (told(flyball, "talked")["spent_tokens"], told(flyball, "talked")["held_tokens"]) == (used, 0)
    refused = ask(flyball, "talker", max_tokens=200)
    error = refused.json()["error"]
    facts = error["flyball"]
    assert (refused.status_code, error["code"]) == (402, "budget_exceeded")
    assert (facts["limit_tokens"], facts["spent_tokens"], facts["held_tokens"]) == (200, used, 0)
    assert not [name for name in facts if name.endswith("_usd")]
    assert "tokens left in total" in error["message"]
    fits = facts["fits"]["max_tokens"]
    assert ask(flyball, "talker", max_tokens=fits + 1).status_code == 402
    assert ask(flyball, "talker", max_tokens=fits).status_code == 200


def test_requests_are_counted_when_they_reach_a_provider(flyball: Flyball) -> None:
    assert ask(flyball, "caller", model="gone").status_code == 502
    assert told(flyball, "called")["spent_requests"] == 0
    assert [ask(flyball, "caller").status_code for _ in range(3)] == [200, 200, 402]
    facts = ask(flyball, "caller").json()["error"]["flyball"]
    assert (facts["limit_requests"], facts["spent_requests"], facts["wanted_requests"]) == (2, 2, 1)
    assert told(flyball, "called")["remaining_requests"] == 0
    own = httpx.get(flyball.data + "/v1/flyball/key", headers={"authorization": f"Bearer {KEYS['CALLER']}"}).json()
    assert [(each["name"], each["remaining_requests"]) for each in own["budgets"]] == [("called", 0)]


def test_a_soft_budget_counts_and_refuses_nothing(flyball: Flyball) -> None:
    used = sum(ask(flyball, "loose").json()["usage"]["completion_tokens"] for _ in range(2))
    shown = told(flyball, "wanted")
    assert used > 1
    assert (shown["spent_tokens"], shown["remaining_tokens"], shown["tokens"]) == (used, 0, "output")
    assert (shown["hard"], shown["exceeded"], told(flyball, "called")["exceeded"]) == (False, True, False)
    assert "x-flyball-budget-remaining-usd" not in ask(flyball, "loose").headers
