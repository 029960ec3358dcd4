"""One budget, many who tell of it: the refusal, the headers, both APIs, the console, the command and the rows agree."""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from html import unescape

import httpx
import pytest

from proxy.admin.console.figures import usd
from proxy.cli import main
from proxy.core.money import Nano, exact_usd
from proxy.sim import SimProvider, SimServer, SimSettings
from tests.harness.flyball import Flyball

SECRET = "fb-test-key-of-the-same-numbers"
RATED = "fb-test-key-that-has-a-rate-limit"
SCOPE = "key:acme/t/k"
KEYS = [{"name": "k", "key_env": "K"}, {"name": "r", "key_env": "R"}]
PRICES = """
models:
  sim-small: {input_usd_per_mtok: 1.000003, output_usd_per_mtok: 10.00007, since: 2026-01-01, source: test}
"""


def config(sim_url: str) -> str:
    return json.dumps(
        {
            "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": 1},
            "metering": {"margin_percent": 0},
            "providers": {"sim": {"base_url": sim_url, "profile": "sim"}},
            "routes": [{"model": "*", "targets": [{"provider": "sim"}]}],
            "prices": {"overlay": "prices.yaml"},
            "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": KEYS}]}],
            "budgets": [
                {"name": "k-month", "scope": SCOPE, "limit_usd": "0.003000001", "timezone": "Asia/Kathmandu"},
                {"name": "k-tokens", "scope": SCOPE, "limit_tokens": 100000, "window": "week"},
            ],
            "rate_limits": [{"name": "r-day", "scope": "key:acme/t/r", "limit_requests": 2, "window": "day"}],
        }
    )


@pytest.fixture(scope="module")
def flyball(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    folder = tmp_path_factory.mktemp("same-numbers")
    (folder / "prices.yaml").write_text(PRICES)
    provider = SimProvider(settings=SimSettings(speed=10))
    with SimServer(provider) as sim, Flyball(folder, config(sim.url), {"K": SECRET, "R": RATED}) as running:
        yield running


def call(flyball: Flyball, secret: str = SECRET) -> httpx.Response:
    headers = {"authorization": f"Bearer {secret}"}
    body = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello there"}], "max_tokens": 60}
    return httpx.post(flyball.data + "/v1/chat/completions", json=body, headers=headers, timeout=30)


def console(flyball: Flyball, path: str) -> str:
    """What a reader sees of a page."""
    link = flyball.admin("POST", "/admin/v1/console/links")["path"]
    with httpx.Client(base_url=flyball.admin_url, timeout=30) as browser:
        browser.get(link)
        page = browser.get(f"/console/{path}")
    assert page.status_code == 200
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", page.text)))


def rolled_up(flyball: Flyball, wanted: Nano) -> Nano:
    """What the rollup sums, which has a row a moment after its table has it."""
    deadline = time.monotonic() + 20
    while True:
        (rolled,) = flyball.query("SELECT sum(cost_usd) AS cost FROM spend_quarter_hours WHERE key_name = 'k'")
        told = exact_usd(rolled["cost"])
        if told == wanted or time.monotonic() > deadline:
            return told
        time.sleep(0.1)


def test_everybody_tells_the_same(
    flyball: Flyball, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = []
    while (answer := call(flyball)).status_code == 200:
        answers.append(answer)
        assert len(answers) < 40
    assert len(answers) >= 2 and answer.status_code == 402
    facts = answer.json()["error"]["flyball"]
    assert (facts["budget"], facts["scope"], facts["limit_usd"]) == ("k-month", SCOPE, "0.003000001")

    rows = flyball.wait_for_rows(len(answers) + 1, where="key_name = 'k'")
    refused = [row for row in rows if row["outcome"] == "refused"]
    assert [(row["refused_by"], row["code"]) for row in refused] == [(f"{SCOPE}/k-month", "budget_exceeded")]
    spent = Nano(sum(exact_usd(row["cost_usd"]) for row in rows if row["cost_usd"]))
    limit, held = exact_usd(facts["limit_usd"]), exact_usd(facts["held_usd"])
    assert (exact_usd(facts["spent_usd"]), held) == (spent, 0)
    assert exact_usd(facts["wanted_usd"]) > limit - spent
    left = answers[-1].headers["x-flyball-budget-remaining-usd"]
    assert exact_usd(left) == limit - spent
    assert sum(exact_usd(one.headers["x-flyball-cost-usd"]) for one in answers) == spent
    assert rolled_up(flyball, spent) == spent

    shown = flyball.admin("GET", "/admin/v1/budgets/k-month")
    for name in ("limit", "spent", "held"):
        assert shown[f"{name}_usd"] == facts[f"{name}_usd"] and shown[f"{name}_nano"] == exact_usd(facts[f"{name}_usd"])
    assert exact_usd(shown["remaining_usd"]) == limit - spent
    assert shown["current_window"] == facts["window"]
    assert datetime.fromisoformat(shown["resets_at"]) == datetime.fromisoformat(facts["resets_at"])
    listed = {one["name"]: one for one in flyball.admin("GET", "/admin/v1/budgets")["data"]}
    assert listed["k-month"] == {name: shown[name] for name in shown if name != "forecast"}

    monkeypatch.setenv("FLYBALL_HOME", str(flyball.home))
    assert main(["budgets", "show", "k-month", "--json"]) == 0
    commanded = json.loads(capsys.readouterr().out)
    assert {name: commanded[name] for name in commanded if name != "forecast"} == listed["k-month"]

    words = f"{usd(spent)} spent of {usd(limit)}"
    for path in ("budgets", "budgets/k-month"):
        page = console(flyball, path)
        assert words in page and f"{usd(Nano(limit - spent))} left" in page
    assert answer.json()["error"]["flyball"]["operation"] in {row["operation_id"] for row in refused}

    tokens = sum(row[name] for row in rows for name in row if name.endswith("_tokens"))
    assert listed["k-tokens"]["spent_tokens"] == tokens
    assert f"{tokens:,} tokens spent of 100,000 tokens" in console(flyball, "budgets/k-tokens")


def test_a_rate_limit_s_numbers_too(flyball: Flyball) -> None:
    first, _, refused = (call(flyball, RATED) for _ in range(3))
    assert (first.status_code, refused.status_code) == (200, 429)
    for answer, left in ((first, 1), (refused, 0)):
        assert answer.headers["ratelimit-policy"] == '"r-day";q=2;w=86400'
        assert answer.headers["ratelimit"].startswith(f'"r-day";r={left};t=')
    facts, shown = refused.json()["error"]["flyball"], flyball.admin("GET", "/admin/v1/limits/r-day")
    for name in ("limit", "spent", "held"):
        assert facts[f"{name}_requests"] == shown[f"{name}_requests"]
    assert (shown["spent_requests"], shown["remaining_requests"]) == (2, 0)
    assert datetime.fromisoformat(shown["resets_at"]) == datetime.fromisoformat(facts["resets_at"])
    (row,) = flyball.wait_for_rows(1, where="code = 'rate_limited'")
    assert row["refused_by"] == "key:acme/t/r/r-day"
    for path in ("limits/r-day", "budgets"):
        page = console(flyball, path)
        assert "2 requests spent of 2 requests" in page and "0 requests left" in page
    assert row["operation_id"] and "t/r" in console(flyball, "limits/r-day")


def test_counters_that_were_lost_are_rebuilt_from_the_rows(
    flyball: Flyball, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"FLYBALL_HOME": str(flyball.home), "K": SECRET, "R": RATED}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FLYBALL_TELEMETRY__LISTEN", "127.0.0.1:0")
    assert call(flyball, RATED).status_code == 429
    flyball.wait_for_rows(4, where="key_name = 'r'")
    before = [flyball.admin("GET", f"/admin/v1/{path}") for path in ("budgets", "limits")]
    forget = "UPDATE counters SET spent = 0"
    with sqlite3.connect(flyball.home / "ledger.sqlite", timeout=10) as ledger:
        ledger.execute(forget)
    assert flyball.admin("GET", "/admin/v1/limits")["data"][0]["spent_requests"] == 0
    for _ in range(2):
        assert main(["budgets", "rebuild", "--config", str(flyball.config)]) == 0
        assert "counters are at least what the rows say" in capsys.readouterr().out
        assert [flyball.admin("GET", f"/admin/v1/{path}") for path in ("budgets", "limits")] == before
    with sqlite3.connect(flyball.home / "ledger.sqlite", timeout=10) as ledger:
        ledger.execute("UPDATE counters SET spent = spent + 5")
    assert main(["budgets", "rebuild", "--exactly", "--json", "--config", str(flyball.config)]) == 0
    assert json.loads(capsys.readouterr().out)["exactly"] is True
    assert [flyball.admin("GET", f"/admin/v1/{path}") for path in ("budgets", "limits")] == before
