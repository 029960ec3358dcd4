"""`flyball import litellm`: what is carried works, and every line that is not is told with its place."""

import hashlib
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.app.configuration import environment
from proxy.cli import main
from proxy.config import load_config
from proxy.routing import Candidate, Router

SECRET = "sk-litellm-virtual-key-0001"
CONFIG = """\
x-defaults: &defaults
  api_key: os.environ/OPENAI_API_KEY
model_list:
  - model_name: gpt-4o
    litellm_params:
      <<: *defaults
      model: openai/gpt-4o
      rpm: 600
  - model_name: fast
    litellm_params:
      model: groq/llama-3.3-70b-versatile
      api_key: os.environ/GROQ_API_KEY
      input_cost_per_token: 0.00000059
      output_cost_per_token: 0.00000079
  - model_name: fast
    litellm_params: {model: gpt-4o-mini, api_key: os.environ/OPENAI_API_KEY}
  - model_name: in-house
    litellm_params:
      model: hosted_vllm/our-model
      api_base: http://127.0.0.1:8000/v1
      api_key: sk-literal-secret-of-our-own
  - model_name: openai/*
    litellm_params: {model: openai/*, api_key: os.environ/OPENAI_API_KEY}
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-5, api_key: os.environ/ANTHROPIC_API_KEY}
  - model_name: exotic
    litellm_params: {model: nlp_cloud/chatdolphin}
router_settings:
  routing_strategy: least-busy
  model_group_alias: {default: gpt-4o}
litellm_settings:
  fallbacks: [{"gpt-4o": ["fast"]}]
  success_callback: ["langfuse"]
  request_timeout: 600
general_settings:
  master_key: sk-master-secret
  database_url: postgresql://x
"""
TEAMS = [
    {
        "team_id": "t1", "team_alias": "Support Team", "models": ["gpt-4o", "fast"], "max_budget": 100.0,
        "budget_duration": "30d", "spend": 12.5, "tpm_limit": 50000, "rpm_limit": None, "blocked": False,
        "members_with_roles": [{"role": "admin", "user_id": "u1"}],
    },
    {"team_id": "t2", "team_alias": "old", "models": [], "blocked": True, "spend": 0.0},
]  # fmt: skip
KEYS: list[dict[str, Any]] = [
    {
        "token": hashlib.sha256(SECRET.encode()).hexdigest(), "key_alias": "bot", "key_name": "sk-...0001",
        "team_id": "t1", "user_id": "u1", "spend": 1e-7, "max_budget": 5, "budget_duration": "1d",
        "models": ["all-team-models"], "metadata": {"tags": ["env:prod", "batch"]}, "expires": None,
        "model_max_budget": {"gpt-4o": {"budget_limit": "2.5", "time_period": "1h"}},
    },
    {"token": "0" * 64, "key_alias": "gone", "team_id": "t2", "models": []},
    {"token": "ab" * 32, "key_alias": None, "key_name": "sk-...9999", "team_id": None, "models": [], "rpm_limit": 3},
]  # fmt: skip


class LiteLlm(BaseHTTPRequestHandler):
    """The management API of a proxy without organizations, with one key a page."""

    def do_GET(self) -> None:
        """Answer as it does."""
        path, _, query = self.path.partition("?")
        if self.headers["authorization"] != "Bearer sk-master":
            self._answer(401, {"error": "no"})
        elif path == "/team/list":
            self._answer(200, TEAMS)
        elif path == "/key/list":
            page = int(query.partition("&page=")[2].partition("&")[0])
            self._answer(200, {"keys": KEYS[page - 1 : page], "current_page": page, "total_pages": len(KEYS)})
        else:
            self._answer(404, {"detail": "Not Found"})

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def running() -> Iterator[str]:
    """The address of such a proxy."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), LiteLlm)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a LiteLLM config lies, with what it needs in the environment."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    for name in ("OPENAI_API_KEY", "GROQ_API_KEY", "HOSTED_VLLM_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "provider-secret")
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-master")
    return tmp_path


def imported(folder: Path, *more: str) -> int:
    return main(["import", "litellm", str(folder / "config.yaml"), "--out", str(folder / "flyball.yaml"), *more])


def test_what_it_writes_is_a_good_configuration(folder: Path, running: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(folder, "--url", running) == 0
    said = capsys.readouterr().out
    config = load_config(folder / "flyball.yaml", environment())
    assert main(["check", "--config", str(folder / "flyball.yaml")]) == 0

    settings = config.settings
    router = Router(settings.routes)
    assert router.resolve("gpt-4o").candidates[0] == Candidate("openai", "gpt-4o")
    assert router.resolve("default").candidates[0] == Candidate("openai", "gpt-4o")
    assert router.resolve("fast").candidates == (
        Candidate("groq", "llama-3.3-70b-versatile"),
        Candidate("openai", "gpt-4o-mini"),
    )
    assert Candidate("groq", "llama-3.3-70b-versatile") in router.resolve("gpt-4o").candidates  # its fallback
    assert router.resolve("openai/o3-mini").candidates == (Candidate("openai", "o3-mini"),)
    assert router.resolve("in-house").candidates == (Candidate("hosted-vllm", "our-model"),)

    assert router.resolve("claude").candidates == (Candidate("anthropic", "claude-sonnet-5"),)
    assert settings.providers["anthropic"].dialect == "anthropic"

    (org,) = settings.tenants
    teams = {team.team: {key.name: key for key in team.keys} for team in org.teams}
    bot = teams["Support-Team"]["bot"]
    assert (bot.key_sha256, bot.models, bot.owner) == (KEYS[0]["token"], ("gpt-4o", "fast"), "u1")
    assert bot.tags == {"env": "prod", "batch": "true"}
    assert "old" in teams and not teams["old"] and set(teams["default"]) == {"key-abababab"}

    budgets = {budget.name: budget for budget in settings.budgets}
    team = budgets["team-Support-Team"]
    assert (team.scope, team.window) == ("team:default/Support-Team", "month")
    assert (team.limit_usd, team.opening_spent_usd) == (Decimal(100), Decimal("12.5"))
    key = budgets["key-Support-Team-bot"]
    assert (key.limit_usd, key.opening_spent_usd, key.window) == (Decimal(5), Decimal("0.0000001"), "day")
    per_model = budgets["key-Support-Team-bot-model-1"]
    assert (per_model.limit_usd, per_model.models, per_model.window) == (Decimal("2.5"), ("gpt-4o",), "hour")
    rates = {rate.scope: (rate.limit_tokens, rate.limit_requests) for rate in settings.rate_limits}
    assert rates == {"team:default/Support-Team": (50000, None), "key:default/default/key-abababab": (None, 3)}
    assert "sk-literal" not in said and "sk-master" not in said


def test_prices_are_carried_to_the_last_digit(folder: Path) -> None:
    assert imported(folder) == 0
    prices = yaml.load((folder / "prices.litellm.yaml").read_text(), Loader=yaml.BaseLoader)
    rates = prices["models"]["llama-3.3-70b-versatile"]
    assert Decimal(rates["input_usd_per_mtok"]) == Decimal("0.59")
    assert Decimal(rates["output_usd_per_mtok"]) == Decimal("0.79")


def test_every_line_that_is_not_carried_is_told_with_its_place(
    folder: Path, running: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(folder, "--url", running, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    left = {note["what"]: note["place"] for note in told["not_carried"]}
    lines = CONFIG.splitlines()

    def line_of(words: str) -> str:
        return f"config.yaml:{next(at for at, line in enumerate(lines, 1) if words in line)}"

    assert left["model_list[0].litellm_params.rpm"] == line_of("rpm: 600")
    assert left["router_settings.routing_strategy"] == line_of("routing_strategy")
    assert left["litellm_settings.success_callback"] == line_of("success_callback")
    assert left["litellm_settings.request_timeout"] == line_of("request_timeout")
    assert left["general_settings.master_key"] == line_of("master_key")
    assert "model_list[6]" in left and "key gone" in left and "team old" in left
    assert told["variables"] == {"HOSTED_VLLM_API_KEY": line_of("sk-literal-secret")}
    for name in ("flyball.yaml", "prices.litellm.yaml"):
        assert "sk-literal" not in (folder / name).read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--url", "http://127.0.0.1:1"], "does not answer"),
        (["--state", "missing.json"], "cannot be read"),
        (["--url", "http://127.0.0.1:1", "--master-key-env", "UNSET_NAME"], "UNSET_NAME is not set"),
    ],
)
def test_what_cannot_be_had_is_said_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert imported(folder, *more) == 1
    assert said in capsys.readouterr().err and not (folder / "flyball.yaml").exists()


def test_a_wrong_master_key_is_said(
    folder: Path, running: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", "wrong")
    assert imported(folder, "--url", running) == 1
    assert "is the master key right?" in capsys.readouterr().err


def test_what_is_there_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "flyball.yaml").write_text("mine: true\n")
    assert imported(folder) == 1 and "--force" in capsys.readouterr().err
    assert (folder / "flyball.yaml").read_text() == "mine: true\n"
    assert imported(folder, "--force") == 0
