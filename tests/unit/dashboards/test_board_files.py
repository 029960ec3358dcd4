"""The generated JSON is what the code says, survives the SDK's own types, and fits the provisioning files."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog import encoder, plugins
from grafana_foundation_sdk.models import dashboard as models

from dashboards import build
from dashboards.annotations import ANNOTATIONS
from dashboards.clickhouse_target import SOURCE, register
from dashboards.datasource import PLUGIN
from dashboards.sql.names import DIMENSIONS, TAG, TIMEZONE
from dashboards.variables import CONSOLE, VARIABLES

IDS = Path(__file__).with_name("panel_ids.json")
BOARDS = sorted(path.stem for path in build.FOLDER.glob("*.json"))

Board = dict[str, Any]


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Board:
    return load(request.param)


def load(name: str) -> Board:
    loaded: Board = json.loads((build.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def panels(board: Board) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_generated_files_are_fresh() -> None:
    assert build.stale() == [] and build.main(["--check"]) == 0


def test_a_changed_missing_or_orphaned_file_is_found(tmp_path: Path) -> None:
    names = [f"{name}.json" for name in BOARDS]
    assert build.stale(tmp_path) == names
    build.write(tmp_path)
    assert build.stale(tmp_path) == []
    (tmp_path / names[0]).write_text("{}")
    (tmp_path / "zz-orphan.json").write_text("{}")
    assert build.stale(tmp_path) == [names[0], "zz-orphan.json"]
    build.write(tmp_path)
    assert build.stale(tmp_path) == [] and not (tmp_path / "zz-orphan.json").exists()


def test_the_json_survives_the_sdks_own_types(board: Board) -> None:
    plugins.register_default_plugins()
    register()
    for annotation in board["annotations"]["list"]:
        del annotation["target"]  # the SDK knows Grafana's own only: looked at below
    back = models.Dashboard.from_json(board)
    assert json.loads(json.dumps(back, cls=encoder.JSONEncoder)) == board


def test_every_board_tells_what_happened(board: Board) -> None:
    told = {each["name"]: each for each in board["annotations"]["list"]}
    assert set(told) == {
        "Budget edits", "Price versions", "Policy promotions", "Key rotations", "Provider outages",
    }  # fmt: skip
    for name, sql in ANNOTATIONS.items():
        target = told[name]["target"]
        assert told[name]["enable"] and told[name]["datasource"] == target["datasource"] == SOURCE.to_json()
        assert (target["rawSql"], target["queryType"], target["format"], target["refId"]) == (sql, "table", 1, "Anno")


def test_ids_stay() -> None:
    """Links and alerts name boards by uid and panels by id: one that is gone keeps its number for ever."""
    told = {load(name)["uid"]: {str(panel["id"]): panel["title"] for panel in load(name)["panels"]} for name in BOARDS}
    assert told == json.loads(IDS.read_text(encoding="utf-8"))


def test_ids_are_unique(board: Board) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) and all(ids) and board["schemaVersion"] == 41


def test_every_panel_asks_one_question_of_the_provisioned_source(board: Board) -> None:
    for panel in panels(board):
        (target,) = panel["targets"]
        assert target["datasource"] == panel["datasource"] == {"type": PLUGIN, "uid": "clickhouse"}
        assert target["format"] == {"timeseries": 0, "table": 1}[target["queryType"]]
        assert (target["queryType"] == "timeseries") == (panel["type"] == "timeseries")


def test_panels_lie_beside_and_below_each_other(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells


def test_every_variable_starts_at_all(board: Board) -> None:
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert list(variables) == [*DIMENSIONS, TAG, TIMEZONE, CONSOLE]
    for name, query in VARIABLES.items():
        assert variables[name]["query"] == query and variables[name]["datasource"] == SOURCE.to_json()
    for name in (*DIMENSIONS, TAG):
        assert variables[name]["includeAll"] and variables[name]["current"]["value"] == "$__all"
        assert variables[name]["multi"] == (name != TAG)
    assert not variables[TIMEZONE]["includeAll"] and variables[TIMEZONE]["current"]["value"] == "UTC"


def test_every_column_that_is_shown_another_way_is_in_the_answer(board: Board) -> None:
    for panel in panels(board):
        for override in panel["fieldConfig"]["overrides"]:
            assert re.search(rf"\b{override['matcher']['options']}\b", panel["targets"][0]["rawSql"])


def test_calls_open_in_the_console() -> None:
    (panel,) = [one for one in panels(load("cost-overview")) if one["title"].startswith("Dearest calls")]
    told = {each["id"]: each["value"] for one in panel["fieldConfig"]["overrides"] for each in one["properties"]}
    (link,) = told["links"]
    assert link["url"] == "${console}/console/operations/${__value.raw:percentencode}" and link["targetBlank"]


def test_unpriced_calls_are_red() -> None:
    panel = next(one for one in panels(load("cost-overview")) if one["id"] == 4)
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1] == {"color": "red", "value": 1}
    assert panel["options"]["colorMode"] == "background"
