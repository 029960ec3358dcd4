"""A real Flyball whose calls a real OPA decides: yes, no, and nothing once it is gone."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from proxy.policy import Bundle
from proxy.policy.bundle import shipped_base
from tests.contract.policy.real_opa import real_opa
from tests.harness.flyball import Flyball

pytestmark = pytest.mark.timeout(120)
RULE = """package flyball.request

deny contains {"code": "only_small", "msg": sprintf("Not %s.", [input.model])} if not input.model in data.allowed

obligations contains {"type": "cap_tokens", "max": 3}
"""
BUNDLE = Bundle.of({"flyball/base.rego": shipped_base(), "rule.rego": RULE}, {"allowed": ["sim-small"]})


def asked(flyball: Flyball, model: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {flyball.secret('first-key')}"}
    body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "Count to ten."}]}
    return httpx.post(f"{flyball.data}/v1/chat/completions", json=body, headers=headers, timeout=30)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_opa_server_decides_and_without_it_nothing_passes(tmp_path: Path) -> None:
    with ExitStack() as opa:
        url = opa.enter_context(real_opa(BUNDLE, tmp_path / "opa"))
        server = '{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}'
        with Flyball(tmp_path, f'server: {server}\npolicy: {{url: "{url}", deadline_ms: 5000}}\n') as flyball:
            allowed = asked(flyball, "sim-small")
            assert allowed.status_code == 200
            assert allowed.json()["usage"]["completion_tokens"] <= 3
            denied = asked(flyball, "sim-large").json()["error"]
            assert (denied["code"], denied["flyball"]["rule"]) == ("policy_denied", "only_small")
            assert denied["flyball"]["revision"] == url

            opa.close()
            until(lambda: httpx.get(f"{flyball.data}/readyz", timeout=5).status_code == 503)
            told = httpx.get(f"{flyball.data}/readyz", timeout=5).json()["dependencies"]
            assert told["policy"] == "unavailable"
            refused = asked(flyball, "sim-small")
            assert (refused.status_code, refused.json()["error"]["flyball"]["dependency"]) == (503, "policy")
            assert "no policy decides, so no call passes" in flyball.log.read_text()
