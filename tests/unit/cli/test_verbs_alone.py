"""The command without a running Flyball: what it says, and with which exit status it ends."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import proxy
from proxy.admin.audit import StateAuditLog
from proxy.admin.tables import Tables
from proxy.app.audit_post import Noticed
from proxy.cli import main
from proxy.cli.running import AdminClient, NotRunning
from proxy.core.clock import SystemClock
from proxy.state import StateFile

GOOD = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
telemetry: {listen: "127.0.0.1:0"}
providers: {openai: {base_url: "https://api.openai.com/v1", api_key_env: SOME_KEY}}
routes: [{model: "gpt-*", targets: [{provider: openai}]}]
budgets: [{name: month, scope: "org:acme", window: month, limit_usd: 5, hard: true}]
"""
SECRET = "sk-a-secret-in-the-wrong-place-0123456789"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and an environment that names no other."""
    monkeypatch.setenv("PYTHONPATH", str(Path(proxy.__file__).parent.parent))
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("FLYBALL_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FLYBALL_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SOME_KEY", "k" * 30)


def write(text: str, name: str = "flyball.yaml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


HELP = {
    (): "governor for AI spend",
    ("serve",): "Start everything on this host",
    ("demo",): "demo",
    ("check",): "tell every mistake with its place",
    ("doctor",): "Check the configuration, the state folder and the running processes",
    ("console",): "opens the console of the running Flyball once",
    ("spend",): "What was spent, by whom and on what",
    ("grafana",): "Boards and alert rules in Grafana",
    ("grafana", "push"): "Done again, it changes nothing",
    ("grafana", "viewer"): "who reads one org's rows",
    ("route", "explain"): "Dry-run one chat of a key",
    ("why",): "Why a day cost more or less than another",
    ("telemetry", "backup"): "into one file, while it runs",
    ("telemetry", "export"): "into one Parquet file",
    ("keys",): "List, create and revoke the client keys",
    ("keys", "list"): "Every key with its org and team",
    ("keys", "create"): "Make a key; its secret is shown once",
    ("keys", "revoke"): "Stop a key from working",
    ("audit", "verify"): "Read the whole chain and name the first broken link",
}


@pytest.mark.parametrize("verb", HELP)
def test_every_verb_says_what_it_does(verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*verb, "--help"])
    assert ended.value.code == 0
    assert HELP[verb] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("wrong", [(), ("sevre",), ("serve", "--role", "king"), ("keys",), ("keys", "create", "acme")])
def test_wrong_usage_ends_with_2(wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(wrong))
    assert ended.value.code == 2
    assert "usage: flyball" in capsys.readouterr().err


def test_check_tells_what_is_configured(capsys: pytest.CaptureFixture[str]) -> None:
    write(GOOD)
    assert main(["check"]) == 0
    told = capsys.readouterr().out
    assert "providers:     openai" in told
    assert "budgets:       1" in told
    assert told.endswith("all good\n")
    assert "k" * 30 not in told


def test_check_tells_every_mistake_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    write(GOOD.replace("workers: 1", "workers: many").replace("hard: true", "hart: true"))
    assert main(["check"]) == 1
    told = capsys.readouterr().err
    assert "2 mistakes" in told
    assert "flyball.yaml:2" in told
    assert "flyball.yaml:6" in told
    assert "hard" in told


@pytest.mark.parametrize(
    "line",
    [
        f"providers: {{openai: {{base_url: 'https://api.openai.com/v1', api_key_env: {SECRET}}}}}",
        f"providers: {{openai: {{base_url: 'https://api.openai.com/v1', api_key: {SECRET}}}}}",
        f"tenants: [{{org: a, teams: [{{team: b, keys: [{{name: c, key_env: {SECRET}}}]}}]}}]",
        f"telemetry: {{password_env: {SECRET}}}",
    ],
)
def test_a_secret_written_where_a_name_belongs_is_not_repeated(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The mistake is told, and its telling may go into a log."""
    write(line)
    assert main(["check"]) == 1
    told = capsys.readouterr()
    assert "environment variable" in told.err or "must not stand in a file" in told.err
    assert SECRET not in told.err + told.out


def test_a_file_that_is_not_there_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("check", "serve", "doctor"):
        assert main([verb, "--config", "gone.yaml"]) == 1
        assert "gone.yaml: cannot be read" in capsys.readouterr().err


def test_audit_verify_names_what_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a running Flyball the state file is read alone, and that is no proof: it ends with 1, and says why."""
    assert main(["audit", "verify"]) == 1
    assert "no state file" in capsys.readouterr().out
    state = StateFile(Path("state") / "ledger.sqlite")
    noticed = Noticed(StateAuditLog(Tables(state)), SystemClock())
    for version in ("a", "b"):
        noticed.now_is("prices.take", "prices", {"version": version})
    assert main(["audit", "verify"]) == 1
    told = capsys.readouterr().out
    assert "The chain is whole: 2 entries, head 2:" in told and "ClickHouse was not compared" in told
    with state.change() as connection:
        connection.execute("UPDATE audit SET actor = 'anna' WHERE number = 1")
    assert main(["audit", "verify", "--json"]) == 1
    broken = json.loads(capsys.readouterr().out)["broken"]
    assert (broken["number"], broken["in"]) == (1, "the state file") and "prices.take" in broken["why"]
    assert main(["audit", "verify", "--operation", "op_1"]) == 1
    assert "Operation op_1 NOT PROVEN" in capsys.readouterr().out
    state.close()
    with pytest.raises(SystemExit):
        main(["audit", "verify", "--expect", "2:abc"])


def test_doctor_finds_nothing_wrong_where_nothing_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "does not exist yet" in told
    assert "nothing is running" in told
    assert "WRONG" not in told


def test_doctor_finds_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    home = Path("state")
    (home / "spool" / "rejected").mkdir(parents=True)
    (home / "spool" / "rejected" / "one.jsonl").touch()
    (home / "hash-key").write_text("ab" * 32)
    (home / "hash-key").chmod(0o644)
    (home / "run").mkdir()
    (home / "run" / "endpoints.json").write_text(json.dumps({"data": "http://127.0.0.1:9", "pid": os.getpid()}))
    told = {"counts": {}, "keys": {"openai": "api_key_next"}}
    (home / "run" / "metrics-wrk_1.json").write_text(json.dumps(told))
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "ok    provider openai is called with api_key_next (workers: 1)" in lines
    wrong = [line for line in lines if line.startswith("WRONG")]
    assert len(wrong) == 3
    assert any("chmod 600" in line for line in wrong)
    assert any("1 segments were rejected" in line for line in wrong)
    assert any("data answers at http://127.0.0.1:9" in line for line in wrong)


@pytest.mark.parametrize("verb", [("console",), ("keys", "list"), ("keys", "revoke", "key_1")])
def test_verbs_that_need_a_running_flyball_say_so(verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(verb)) == 1
    assert "start it with: flyball serve" in capsys.readouterr().err


def running_folder(pid: int, *, token: bool = True) -> Path:
    home = Path("state")
    (home / "run").mkdir(parents=True)
    (home / "run" / "endpoints.json").write_text(json.dumps({"admin": "http://127.0.0.1:9", "pid": pid}))
    if token:
        (home / "admin-token").write_text("fba-" + "t" * 40)
    return home


def test_the_token_is_not_sent_to_whoever_has_a_dead_ones_port() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(NotRunning, match="nothing serves"):
        AdminClient(running_folder(process.pid))


def test_a_missing_token_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    running_folder(os.getpid(), token=False)
    assert main(["keys", "list"]) == 1
    assert "the admin token cannot be read" in capsys.readouterr().err


def test_an_admin_port_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Straight there, whatever proxy the environment names: the token is not for it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    running_folder(os.getpid())
    with pytest.raises(SystemExit, match=r"the admin API at http://127\.0\.0\.1:9 cannot be reached"):
        main(["keys", "list"])


def test_an_interrupted_verb_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "disk_usage", interrupted)
    Path("state").mkdir()
    assert main(["doctor"]) == 130


@pytest.mark.parametrize("name", ["admin-token", "first-key", "hash-key", "clickhouse-password", "grafana-password"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_serve_refuses_secrets_that_others_can_read(name: str, mode: int, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("state") / name
    path.parent.mkdir(mode=0o700)
    path.write_text("ab" * 32)
    path.chmod(mode)
    assert main(["serve"]) == 1
    told = capsys.readouterr().err
    assert f"{name} can be read by others than the owner; run: chmod 600" in told
    assert "ab" * 32 not in told
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_serve_tells_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        write(GOOD.replace('listen: "127.0.0.1:0"', f'listen: "127.0.0.1:{port}"', 1))
        ended = subprocess.run([sys.executable, "-m", "proxy", "serve"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert f"127.0.0.1:{port} is taken by another program; set server.listen" in ended.stderr
