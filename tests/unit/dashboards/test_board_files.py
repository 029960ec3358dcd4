"""The generated JSON is what the code says, survives the SDK's own types, and fits the provisioning files."""

import json
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog import encoder, plugins
from grafana_foundation_sdk.models import dashboard as models

from dashboards import build
from dashboards.clickhouse_target import register
from dashboards.datasource import PLUGIN
from dashboards.sql import DIMENSIONS, QUERIES, VARIABLES


def board() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((build.FOLDER / "cost-overview.json").read_text(encoding="utf-8"))
    return loaded


def panels() -> list[dict[str, Any]]:
    return [panel for panel in board()["panels"] if panel["type"] != "row"]


def test_generated_files_are_fresh() -> None:
    assert build.stale() == [] and build.main(["--check"]) == 0


def test_a_changed_missing_or_orphaned_file_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.stale(tmp_path) == ["cost-overview.json"]
    build.write(tmp_path)
    assert build.stale(tmp_path) == []
    (tmp_path / "cost-overview.json").write_text("{}")
    (tmp_path / "orphan.json").write_text("{}")
    assert build.stale(tmp_path) == ["cost-overview.json", "orphan.json"]
    build.write(tmp_path)
    assert build.stale(tmp_path) == [] and not (tmp_path / "orphan.json").exists()


def test_the_json_survives_the_sdks_own_types() -> None:
    plugins.register_default_plugins()
    register()
    back = models.Dashboard.from_json(board())
    assert json.loads(json.dumps(back, cls=encoder.JSONEncoder)) == board()


def test_ids_are_unique_and_stay() -> None:
    told = {panel["id"]: panel["title"] for panel in board()["panels"]}
    assert len(told) == len(board()["panels"])
    assert board()["uid"] == "flyball-cost-overview" and board()["schemaVersion"] == 41
    assert told == {
        100: "In this range",
        1: "Spend",
        2: "Calls",
        3: "Tokens",
        4: "Unpriced calls",
        5: "Refused for budget (402)",
        6: "Cost per call",
        7: "Cache-read share",
        101: "Who and what",
        8: "Spend by model",
        9: "Spend by team",
        10: "Spend by key",
        11: "Top keys",
        102: "Refused, failed, slow",
        12: "Calls that did not end well, by outcome",
        13: "Duration of good calls: p50, p95",
        14: "Time to first token: p50, p95",
        15: "Refusals by code",
    }


def test_every_query_stands_on_a_panel_and_every_panel_has_a_tested_query() -> None:
    shown = [target["rawSql"] for panel in panels() for target in panel["targets"]]
    assert sorted(shown) == sorted(query.sql for query in QUERIES.values())
    for panel in panels():
        (target,) = panel["targets"]
        assert target["datasource"] == panel["datasource"] == {"type": PLUGIN, "uid": "clickhouse"}
        assert target["format"] == {"timeseries": 0, "table": 1}[target["queryType"]]
        assert (target["queryType"] == "timeseries") == (panel["type"] == "timeseries")


def test_every_variable_starts_at_all_and_takes_several() -> None:
    variables = {one["name"]: one for one in board()["templating"]["list"]}
    assert list(variables) == list(DIMENSIONS)
    for name, one in variables.items():
        assert one["query"] == VARIABLES[name] and one["includeAll"] and one["multi"]
        assert one["current"]["value"] == "$__all"


def test_unpriced_calls_are_red() -> None:
    panel = next(one for one in panels() if one["id"] == 4)
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1] == {"color": "red", "value": 1}
    assert panel["options"]["colorMode"] == "background"
