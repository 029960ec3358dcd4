"""`flyball grafana push` into a Grafana with a memory, over real sockets."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.alerts import RULES
from dashboards.shipped import shipped_boards
from proxy.cli import main
from tests.harness.scripted_grafana import PLUGIN, ScriptedGrafana, scripted_grafana

THINGS = 2 + len(shipped_boards()) + len(RULES)


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedGrafana]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRAFANA_TOKEN", "admin-token")
    monkeypatch.setenv("EDITOR_TOKEN", "editor-token")
    monkeypatch.setenv("VIEWER_TOKEN", "viewer-token")
    monkeypatch.setenv("READER_PASSWORD", "pass word")
    with scripted_grafana() as running:
        yield running


def push(grafana: ScriptedGrafana, *options: str) -> int:
    return main(["grafana", "push", "--url", grafana.url, *options])


def push_all(grafana: ScriptedGrafana, *options: str) -> int:
    source = ("--clickhouse-url", "https://ch.example:9440/spend", "--clickhouse-password-env", "READER_PASSWORD")
    return push(grafana, *source, *options)


def refused(capsys: pytest.CaptureFixture[str], grafana: ScriptedGrafana, *options: str) -> str:
    assert push_all(grafana, *options) == 1
    return capsys.readouterr().err


def test_everything_is_made_and_made_once(grafana: ScriptedGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    assert push_all(grafana) == 0
    assert len(grafana.writes) == THINGS and capsys.readouterr().out.count(" created") == THINGS
    assert list(grafana.folders) == ["flyball"] and grafana.folders["flyball"]["title"] == "Flyball"
    assert grafana.boards.keys() == shipped_boards().keys() and grafana.rules.keys() == RULES.keys()
    assert {board["folder"] for board in grafana.boards.values()} == {"flyball"}
    grafana.writes.clear()
    assert push_all(grafana) == 0
    assert grafana.writes == [] and capsys.readouterr().out.count(" unchanged") == THINGS


def test_a_new_data_source_is_as_was_said(grafana: ScriptedGrafana) -> None:
    assert push_all(grafana) == 0
    source = grafana.sources["clickhouse"]
    told = source["jsonData"]
    assert (source["type"], told["host"], told["port"], told["secure"]) == (PLUGIN, "ch.example", 9440, True)
    assert (told["defaultDatabase"], told["username"]) == ("spend", "grafana")
    assert source["secureJsonData"] == {"password": "pass word"}


def test_rules_stand_as_provisioned_ones_would(grafana: ScriptedGrafana) -> None:
    assert push_all(grafana) == 0
    text = (Path(__file__).parents[3] / "dashboards" / "provisioned" / "alerting" / "flyball.yaml").read_text()
    (group,) = yaml.safe_load(text)["groups"]
    for rule in group["rules"]:
        pushed = grafana.rules[rule["uid"]]
        assert {name: pushed[name] for name in rule if name != "data"} == {n: rule[n] for n in rule if n != "data"}
        assert [each["model"] for each in pushed["data"]] == [each["model"] for each in rule["data"]]
        assert (pushed["folderUID"], pushed["ruleGroup"]) == ("flyball", "flyball")
        assert "provenance" not in pushed  # so that it can be paused and tuned in Grafana


def test_what_was_changed_by_hand_is_set_back_and_a_paused_rule_stays_paused(grafana: ScriptedGrafana) -> None:
    assert push_all(grafana) == 0
    board, rule = next(iter(grafana.boards)), next(iter(grafana.rules))
    grafana.boards[board]["board"] |= {"title": "Mine", "version": 9}
    grafana.rules[rule] |= {"for": "1h", "isPaused": True}
    grafana.writes.clear()
    assert push_all(grafana) == 0
    assert grafana.writes == ["POST /api/dashboards/db", f"PUT /api/v1/provisioning/alert-rules/{rule}"]
    assert grafana.boards[board]["board"]["title"] == shipped_boards()[board]["title"]
    assert grafana.boards[board]["board"]["version"] == 10
    assert grafana.rules[rule]["for"] == RULES[rule].waits and grafana.rules[rule]["isPaused"] is True


def test_a_dry_run_changes_nothing(grafana: ScriptedGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    assert push_all(grafana, "--dry-run") == 0
    assert grafana.writes == [] and capsys.readouterr().out.count("would be created") == THINGS
    assert push_all(grafana) == 0
    grafana.rules["flyball-unpriced"]["title"] = "Mine"
    grafana.writes.clear()
    assert push_all(grafana, "--dry-run") == 0
    assert grafana.writes == [] and capsys.readouterr().out.count("would be updated") == 1


def test_folder_and_data_source_of_ones_own(grafana: ScriptedGrafana) -> None:
    grafana.folders["f1"] = {"id": 1, "uid": "f1", "title": "Money & AI"}
    grafana.sources["ours"] = {"uid": "ours", "name": "CH", "type": PLUGIN}
    assert push(grafana, "--folder", "Money & AI", "--datasource", "ours", "--anomaly-usd", "250") == 0
    assert {rule["folderUID"] for rule in grafana.rules.values()} == {"f1"} and list(grafana.folders) == ["f1"]
    asked = json.dumps([grafana.boards, grafana.rules])
    assert '"uid": "clickhouse"' not in asked and '"uid": "ours"' in asked
    assert threshold(grafana.rules["flyball-spend-anomaly"]) == [250]
    grafana.writes.clear()
    assert push(grafana, "--folder", "f1", "--datasource", "ours", "--anomaly-usd", "250") == 0
    assert grafana.writes == []
    assert push(grafana, "--folder", "Ümläut & more", "--datasource", "ours") == 0
    assert grafana.folders["ml-ut-more"]["title"] == "Ümläut & more"
    assert threshold(grafana.rules["flyball-spend-anomaly"]) == [10]


def threshold(rule: dict[str, Any]) -> list[float]:
    params: list[float] = rule["data"][1]["model"]["conditions"][0]["evaluator"]["params"]
    return params


def test_a_folder_beyond_the_first_thousand_is_found(grafana: ScriptedGrafana) -> None:
    grafana.folders |= {f"u{n}": {"id": n, "uid": f"u{n}", "title": f"T{n}"} for n in range(1001)}
    grafana.sources["clickhouse"] = {"uid": "clickhouse", "name": "CH", "type": PLUGIN}
    assert push(grafana, "--folder", "T1000") == 0
    assert {board["folder"] for board in grafana.boards.values()} == {"u1000"} and len(grafana.folders) == 1001


def test_an_editor_may_push_where_the_data_source_is_there(
    grafana: ScriptedGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    grafana.sources["clickhouse"] = {"uid": "clickhouse", "name": "CH", "type": PLUGIN}
    assert push(grafana, "--token-env", "EDITOR_TOKEN") == 0
    assert "not looked at: the token may not read data sources" in capsys.readouterr().out
    assert grafana.rules.keys() == RULES.keys()


def test_refusals_say_what_to_do(grafana: ScriptedGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    assert "may not do that: its service account needs the role Editor" in refused(
        capsys, grafana, "--token-env", "VIEWER_TOKEN"
    )
    assert "no data source with the uid clickhouse" in (push(grafana), capsys.readouterr().err)[1]
    grafana.roles.clear()
    assert "the token is not taken" in refused(capsys, grafana)
    assert "variable NO_SUCH is not set" in refused(capsys, grafana, "--token-env", "NO_SUCH")


def test_a_missing_plugin_and_a_wrong_data_source_are_told(
    grafana: ScriptedGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    grafana.sources["pg"] = {"uid": "pg", "name": "PG", "type": "postgres"}
    assert "the data source pg is a postgres" in refused(capsys, grafana, "--datasource", "pg")
    grafana.sources["other"] = {"uid": "other", "name": "Flyball", "type": PLUGIN}
    assert "something else of that name or uid is there" in refused(capsys, grafana)
    grafana.plugins.clear()
    assert f"grafana cli plugins install {PLUGIN}" in refused(capsys, grafana)
    assert grafana.boards == {} and grafana.rules == {}


def test_what_is_no_grafana_or_too_old_a_one_is_told(
    grafana: ScriptedGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    grafana.version = "11.5.9"
    assert "Grafana 11.5.9 is too old" in refused(capsys, grafana)
    grafana.version = "12.0.0-pre"
    assert push_all(grafana) == 0
    grafana.fixed["/api/health"] = (200, {}, "<html>hello</html>")
    assert "is no Grafana: /api/health answered 200" in refused(capsys, grafana)
    grafana.fixed["/api/health"] = (301, {"location": "https://grafana.example/"}, "")
    assert "a redirect to https://grafana.example/" in refused(capsys, grafana)
    gone = grafana.url
    for url in ("ftp://x", f"http://user:secret@{gone[7:]}", "grafana.example"):
        assert main(["grafana", "push", "--url", url]) == 1
    assert "secret" not in capsys.readouterr().err
    assert main(["grafana", "push", "--url", "http://127.0.0.1:1"]) == 1
    assert "cannot be reached" in capsys.readouterr().err


def test_a_board_changed_between_look_and_save_is_not_overwritten(
    grafana: ScriptedGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push_all(grafana) == 0
    board = grafana.boards[next(iter(grafana.boards))]["board"]
    board["title"] = "Mine"

    def meanwhile(method: str, path: str) -> None:
        if method == "POST":
            board["version"] += 1

    grafana.between = meanwhile
    assert "run the command again" in refused(capsys, grafana) and board["title"] == "Mine"


def test_what_files_provision_there_is_left_alone(grafana: ScriptedGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    assert push_all(grafana) == 0
    board, rule = next(iter(grafana.boards)), next(iter(grafana.rules))
    grafana.rules[rule] |= {"provenance": "file", "for": "9m"}
    assert "loaded from provisioning files" in refused(capsys, grafana) and grafana.rules[rule]["for"] == "9m"
    grafana.provisioned_boards.add(board)
    grafana.boards[board]["board"]["title"] = "Theirs"
    assert "loaded from provisioning files" in refused(capsys, grafana)
    grafana.provisioned_boards.clear()
    grafana.rules[rule]["provenance"] = "api"  # made by another tool of that API: taken over as it is
    assert push_all(grafana) == 0
    assert grafana.rules[rule]["provenance"] == "api" and grafana.rules[rule]["for"] == RULES[rule].waits


def test_a_half_done_push_is_ended_by_the_next(grafana: ScriptedGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    grafana.fixed["/api/v1/provisioning/alert-rules"] = (502, {}, "bad gateway")
    assert "(502)" in refused(capsys, grafana) and grafana.boards and not grafana.rules
    grafana.fixed.clear()
    assert push_all(grafana) == 0
    assert grafana.rules.keys() == RULES.keys()


def test_files_are_written_to_be_mounted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["grafana", "files", "--into", str(tmp_path / "g")]) == 0
    boards = {json.loads(path.read_text())["uid"] for path in (tmp_path / "g" / "boards").glob("*.json")}
    assert boards == shipped_boards().keys()
    written = {path.parent.name for path in (tmp_path / "g" / "provisioning").rglob("*.yaml")}
    assert written == {"alerting", "dashboards", "datasources"} and "/etc/grafana" in capsys.readouterr().out
