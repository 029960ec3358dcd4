"""Kill switches over a running Flyball with two workers: in force on both within two seconds, on open streams too."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx
import openai
import pytest

from proxy.cli import main
from proxy.core.money import exact_usd
from proxy.sim import SimProvider, SimServer, SimSettings
from tests.harness.flyball import Flyball

pytestmark = pytest.mark.timeout(180)
IN_FORCE_S: Final = 2.0
KEYS: Final = {"A_KEY": "switched-a-key-0123456789abcdef", "B_KEY": "switched-b-key-0123456789abcdef"}
CONFIG: Final = """
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 2}}
providers: {{sim: {{base_url: "{url}", profile: sim}}}}
routes: [{{model: "*", targets: [{{provider: sim}}]}}]
prices: {{overlay: prices.yaml}}
tenants:
  - {{org: acme, teams: [{{team: t, keys: [{{name: a, key_env: A_KEY}}, {{name: b, key_env: B_KEY}}]}}]}}
budgets: [{{name: all, scope: "org:acme", window: total, hard: true, limit_usd: 1000}}]
"""
PRICES: Final = """
models:
  sim-small: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
"""
LONG: Final[dict[str, Any]] = {"max_tokens": 4000, "extra_body": {"metadata": {"sim_output_tokens": "4000"}}}


@pytest.fixture(scope="module")
def flyball(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    folder = tmp_path_factory.mktemp("switched")
    (folder / "prices.yaml").write_text(PRICES)
    # At the pace of a real model: a stream of 4,000 tokens takes half a minute.
    with (
        SimServer(SimProvider(settings=SimSettings(speed=1))) as sim,
        Flyball(folder, CONFIG.format(url=sim.url), KEYS) as made,
    ):
        yield made


def client(flyball: Flyball, key: str, **headers: str) -> openai.OpenAI:
    # A connection of its own each time: the kernel gives them to either worker.
    return openai.OpenAI(base_url=f"{flyball.data}/v1", api_key=KEYS[key], max_retries=0, default_headers=headers)


def ask(flyball: Flyball, key: str, **more: Any) -> Any:
    given: Any = {"model": "sim-small", "messages": [{"role": "user", "content": "Talk."}], **more}
    with client(flyball, key) as made:
        return made.chat.completions.create(**given)


def refused(flyball: Flyball, key: str) -> str:
    """The code that a short call is refused with; empty when it is served."""
    try:
        ask(flyball, key, max_tokens=1)
    except openai.PermissionDeniedError as error:
        return str(error.code)
    return ""


def test_all_streams_of_both_workers_end_and_no_call_passes(flyball: Flyball) -> None:
    def talk(number: int) -> tuple[int, Any]:
        made = client(flyball, "A_KEY", **{"x-flyball-run": f"talk-{number}"})
        given: Any = {"model": "sim-small", "messages": [{"role": "user", "content": "Talk."}], "stream": True, **LONG}
        stream = made.chat.completions.create(**given)
        next(stream)
        started.append(number)
        *_, last = stream
        return time.time_ns(), last

    started: list[int] = []
    with ThreadPoolExecutor(12) as pool:
        going = [pool.submit(talk, number) for number in range(12)]
        while len(started) < 12:
            assert not [each.exception() for each in going if each.done()]
            time.sleep(0.02)
        made = flyball.admin("POST", "/admin/v1/kill-switches", {"target": "key:acme/t/a", "reason": "It never stops"})
        set_ns = time.time_ns()
        ends = [each.result(60) for each in going]
    for ended_ns, last in ends:
        assert last.choices[0].finish_reason == "length"
        assert last.model_extra["flyball"]["switch"] == made["id"]
        assert ended_ns - set_ns < IN_FORCE_S * 1e9
    assert {refused(flyball, "A_KEY") for _ in range(16)} == {"policy_denied"}
    assert refused(flyball, "B_KEY") == ""
    rows = flyball.wait_for_rows(12, where="code = 'policy_denied' AND outcome = 'truncated'")
    assert len({row["worker"] for row in rows}) == 2, "all streams were of one worker"
    assert {row["refused_by"] for row in rows} == {"key:acme/t/a/kill_switch"}
    flyball.wait_for_rows(16, where="code = 'policy_denied' AND outcome = 'refused'")
    budget = flyball.admin("GET", "/admin/v1/budgets/all")
    booked = sum(exact_usd(row["cost_usd"] or "0") for row in flyball.wait_for_rows(29))
    assert (budget["held_nano"], budget["spent_nano"]) == (0, booked)
    flyball.admin("POST", f"/admin/v1/kill-switches/{made['id']}/lift")
    lifted = time.monotonic()
    while {refused(flyball, "A_KEY") for _ in range(8)} != {""}:
        assert time.monotonic() - lifted < 30
    assert time.monotonic() - lifted < IN_FORCE_S + 10


def test_the_command_turns_off_lists_and_lifts(
    flyball: Flyball, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(flyball.folder)
    monkeypatch.setenv("FLYBALL_HOME", str(flyball.home))
    assert main(["kill", "provider:simm", "--reason", "down", "--for", "2h"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("off: provider:simm until 20") and "nothing of the name simm is known here" in told
    switch = told.partition("flyball kill lift ")[2].split()[0]
    assert main(["kill", "list"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(switch))
    assert "provider:simm" in line and "bootstrap" in line and line.endswith("down")
    assert main(["kill", "provider:simm", "--reason", "still", "--json"]) == 0
    other = json.loads(capsys.readouterr().out)["id"]
    assert main(["kill", "lift", switch]) == 0
    assert capsys.readouterr().out == f"lifted: provider:simm\nbut: {other} turns it off too\n"
    assert main(["kill", "lift", other]) == 0
    assert main(["kill", "list"]) == 0
    assert capsys.readouterr().out.endswith("Nothing is turned off.\n")
    assert main(["kill", "list", "--all"]) == 0
    assert capsys.readouterr().out.count("lifted") >= 2
    metrics = httpx.get(flyball.admin_url + "/metrics", timeout=10).text
    assert 'flyball_kill_switches{kind="provider"} 0' in metrics
    with pytest.raises(SystemExit, match="a target begins with one of"):
        main(["kill", "everything", "--reason", "why not"])
    for wrong in (["kill", "org:acme"], ["kill", "lift"], ["kill", "list", "x"]):
        with pytest.raises(SystemExit, match="2"):
            main(wrong)
