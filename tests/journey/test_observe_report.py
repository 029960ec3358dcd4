"""`flyball observe report` over calls that an org only observes and others that are refused: who, by what, how many."""

import json
from collections.abc import Iterator

import httpx
import pytest

from proxy.cli import main
from proxy.sim import Script, SimProvider, SimServer
from tests.harness.flyball import Flyball

CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
providers: {sim: {base_url: "SIM", profile: sim}}
routes: [{model: "*", targets: [{provider: sim}]}]
tenants:
  - {org: seen, enforcement: observe, teams: [{team: t, keys: [{name: bot, key_env: SEEN}]}]}
  - {org: held, teams: [{team: t, keys: [{name: bot, key_env: HELD}]}]}
budgets:
  - {name: seen-two, scope: "org:seen", window: total, limit_requests: 2}
  - {name: held-two, scope: "org:held", window: total, limit_requests: 2}
"""
KEYS = {name: f"fb-test-key-of-{name}-0123456789" for name in ("SEEN", "HELD")}


@pytest.fixture(scope="module")
def flyball(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    with (
        SimServer(SimProvider(Script())) as sim,
        Flyball(tmp_path_factory.mktemp("observed"), CONFIG.replace("SIM", sim.url), KEYS) as running,
    ):
        yield running


@pytest.fixture(autouse=True)
def beside_it(flyball: Flyball, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(flyball.folder)
    monkeypatch.setenv("FLYBALL_HOME", str(flyball.home))


def ask(flyball: Flyball, key: str) -> int:
    body = {"model": "sim-small", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": f"Bearer {KEYS[key]}"}
    answer = httpx.post(flyball.data + "/v1/chat/completions", json=body, headers=headers, timeout=30)
    return answer.status_code


def test_who_would_have_been_refused_is_told(flyball: Flyball, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["observe", "report", "--days", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Only observed now: orgs seen.\nNothing would have been refused in the last day, of 0 calls")
    assert [ask(flyball, "SEEN") for _ in range(5)] == [200] * 5
    assert [ask(flyball, "HELD") for _ in range(3)] == [200, 200, 402]
    flyball.wait_for_rows(8)
    assert main(["observe", "report"]) == 0
    first, second, _, head, row = capsys.readouterr().out.splitlines()
    assert first == "Only observed now: orgs seen."
    assert second.startswith("3 of 8 calls in the last 7 days would have been refused; they cost 0.00")
    assert head.split() == ["WHO", "WOULD", "BE", "BY", "CALLS", "DOLLARS", "FIRST", "LAST"]
    assert row.split()[:5] == ["seen/t/bot", "(bot)", "budget_exceeded", "org:seen/seen-two", "3"]
    assert main(["observe", "report", "--org", "held", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["calls"], told["would_refuse"], told["data"]) == (3, 0, [])
    assert main(["observe", "report", "--org", "held"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Nothing is only observed now: enforcement is on everywhere.",
        "Nothing would have been refused in the last 7 days, of 3 calls recorded.",
    ]
