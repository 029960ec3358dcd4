"""The command against a running Flyball."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import proxy
from proxy.cli import main
from tests.harness.flyball import Flyball


@pytest.fixture(scope="module")
def flyball(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    with Flyball(tmp_path_factory.mktemp("verbs")) as running:
        yield running


@pytest.fixture(autouse=True)
def beside_it(flyball: Flyball, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(flyball.folder)
    monkeypatch.setenv("FLYBALL_HOME", str(flyball.home))
    monkeypatch.setenv("FLYBALL_TELEMETRY__LISTEN", "127.0.0.1:0")


def test_a_key_is_made_listed_and_revoked(flyball: Flyball, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list"]) == 0
    (first,) = capsys.readouterr().out.splitlines()
    org, team, _ = first.split()[1].split("/")
    assert main(["keys", "create", org, team, "second-key"]) == 0
    secret = capsys.readouterr().out.strip()
    assert secret.startswith("fb-")
    assert main(["keys", "list"]) == 0
    listed = capsys.readouterr().out
    (line,) = (line for line in listed.splitlines() if "second-key" in line)
    assert secret not in listed
    key_id = line.split()[0]
    assert main(["keys", "revoke", key_id]) == 0
    assert capsys.readouterr().out == f"revoked {key_id}\n"
    assert main(["keys", "list"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "second-key" in line)
    assert line.endswith("revoked")


def test_more_keys_than_a_page_are_all_listed(flyball: Flyball, capsys: pytest.CaptureFixture[str]) -> None:
    flyball.admin("PUT", "/admin/v1/orgs/many", {})
    flyball.admin("PUT", "/admin/v1/teams/many/many", {})
    for number in range(105):
        flyball.admin("POST", "/admin/v1/keys", {"org": "many", "team": "many", "name": f"key-{number:03}"})
    assert main(["keys", "list"]) == 0
    names = re.findall(r"many/many/(key-\d+)", capsys.readouterr().out)
    assert names == [f"key-{number:03}" for number in range(105)]


def test_where_a_call_would_go_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["route", "explain", "sim-small"]) == 0
    told = capsys.readouterr().out
    assert "sim-small → route sim-* priority" in told and "sim/sim-small" in told and "at most" in told
    body = tmp_path / "body.json"
    body.write_text('{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 7}')
    assert main(["route", "explain", "sim-small", "--body", str(body), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["estimate"]["output_tokens"] == 7
    assert main(["route", "explain", "nowhere"]) == 1
    assert "refused: model_not_found" in capsys.readouterr().out
    key = tmp_path / "key"
    key.write_text("fb-nobodys-key-0123456789")
    with pytest.raises(SystemExit, match=r"\(401\)"):
        main(["route", "explain", "sim-small", "--key-file", str(key)])


def test_what_the_admin_api_refuses_is_told_in_its_words() -> None:
    with pytest.raises(SystemExit, match=r"flyball: .+ \(404\)"):
        main(["keys", "revoke", "key_none"])
    with pytest.raises(SystemExit, match=r"flyball: .+ \(4\d\d\)"):
        main(["keys", "create", "no-such-org", "x", "y"])


def test_answers_are_taken_out_of_the_caches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "purges"]) == 0
    assert capsys.readouterr().out == "Nothing was taken out of the caches.\n"
    assert main(["cache", "purge", "tag:env=prod", "--org", "default"]) == 0
    assert capsys.readouterr().out == "purged: tag:env=prod of default\n"
    assert main(["cache", "purges"]) == 0
    assert "tag:env=prod" in capsys.readouterr().out.splitlines()[-1]


def test_console_prints_a_link_that_opens_once(flyball: Flyball, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["console", "--print"]) == 0
    link = capsys.readouterr().out.strip()
    assert link.startswith(flyball.admin_url + "/console/open?code=")
    assert "httponly" in httpx.get(link).headers["set-cookie"].lower()
    assert "set-cookie" not in httpx.get(link).headers


def test_doctor_finds_everything_answering(flyball: Flyball, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "WRONG" not in told
    for name in ("data", "admin", "clickhouse"):
        assert f"{name} answers at {flyball.endpoints()[name]}" in told


def test_a_second_one_over_the_same_state_is_refused(flyball: Flyball) -> None:
    command = [sys.executable, "-m", "proxy", "serve", "--config", str(flyball.config)]
    environment = {**flyball.environment, "PYTHONPATH": str(Path(proxy.__file__).parent.parent)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert f"another flyball serves from {flyball.home}" in ended.stderr


def test_a_bad_new_file_keeps_the_old_one_and_a_good_one_is_taken(flyball: Flyball) -> None:
    old = flyball.config.read_text()
    generation = httpx.get(flyball.data + "/readyz").json()["config_generation"]
    flyball.config.write_text(old + "\nnonsense: 1\n")
    wait_for_log(flyball, "the changed configuration is not used")
    assert httpx.get(flyball.data + "/readyz").json()["config_generation"] == generation
    flyball.config.write_text(old + "\n# a comment\n")
    wait_for_log(flyball, "configuration taken")
    assert httpx.get(flyball.data + "/readyz").is_success


def wait_for_log(flyball: Flyball, words: str) -> None:
    deadline = time.monotonic() + 10
    while words not in flyball.log.read_text():
        assert time.monotonic() < deadline, words
        time.sleep(0.1)


def test_retention_is_planned_and_a_user_erased_and_audited(
    flyball: Flyball, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["retention", "plan", "--table", "operations"]) == 0
    assert "drops on" in capsys.readouterr().out
    assert main(["retention", "plan", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), list)
    assert main(["erase", "--org", "acme", "--user", "ann", "--dry-run"]) == 0
    assert "Would empty:" in capsys.readouterr().out
    assert main(["erase", "--org", "acme", "--user", "ann", "--reason", "she asked", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == {"attempts": 0, "tool_calls": 0, "decisions": 0, "corrections": 0, "operations": 0}
    assert told["not_reached"]
    (entry,) = flyball.admin("GET", "/admin/v1/audit?action=erase")["data"]
    assert entry["subject"].startswith("user:sha256:")
    assert "ann" not in str(entry)
