"""What a Grafana would load by itself: fresh, complete, and of the shapes that Grafana takes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import encoder, plugins
from grafana_foundation_sdk.models import alerting

from dashboards import build
from dashboards.alerts import RULES
from dashboards.clickhouse_target import SOURCE, register
from dashboards.datasource import PLUGIN
from dashboards.provisioning import BOARDS_PATH, alert_rule


def provisioned(path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((build.PROVISIONING / path).read_text(encoding="utf-8"))
    assert loaded.pop("apiVersion") == 1
    return loaded


def test_the_files_are_fresh() -> None:
    assert build.stale_provisioning() == [] and build.main(["--check"]) == 0


def test_a_changed_missing_or_orphaned_file_is_found(tmp_path: Path) -> None:
    every = ["alerting/flyball.yaml", "dashboards/flyball.yaml", "datasources/flyball.yaml"]
    assert build.stale_provisioning(tmp_path) == every
    build.write_provisioning(tmp_path)
    assert build.stale_provisioning(tmp_path) == []
    (tmp_path / "alerting" / "flyball.yaml").write_text("{}")
    (tmp_path / "orphan.yaml").write_text("{}")
    assert build.stale_provisioning(tmp_path) == ["alerting/flyball.yaml", "orphan.yaml"]
    build.write_provisioning(tmp_path)
    assert build.stale_provisioning(tmp_path) == [] and not (tmp_path / "orphan.yaml").exists()


def test_the_source_is_the_one_that_boards_and_rules_ask() -> None:
    (source,) = provisioned("datasources/flyball.yaml")["datasources"]
    assert (source["uid"], source["type"]) == (SOURCE.uid, PLUGIN)
    assert source["jsonData"]["port"] == 8123 and source["jsonData"]["protocol"] == "http"
    assert (source["jsonData"]["username"], source["jsonData"]["defaultDatabase"]) == ("grafana", "flyball")
    assert source["secureJsonData"]["password"] == "${FLYBALL_GRAFANA_PASSWORD}"
    (provider,) = provisioned("dashboards/flyball.yaml")["providers"]
    assert provider["type"] == "file" and provider["options"]["path"] == BOARDS_PATH
    (group,) = provisioned("alerting/flyball.yaml")["groups"]
    assert group["folder"] == provider["folder"]
    assert {query["datasourceUid"] for rule in group["rules"] for query in rule["data"]} == {SOURCE.uid, "__expr__"}


def test_all_rules_are_there_and_nothing_of_them_is_taken_for_an_environment_variable() -> None:
    text = (build.PROVISIONING / "alerting" / "flyball.yaml").read_text(encoding="utf-8")
    assert "$" not in text
    (group,) = yaml.safe_load(text)["groups"]
    assert [rule["uid"] for rule in group["rules"]] == list(RULES)
    assert [rule["data"][0]["model"]["rawSql"] for rule in group["rules"]] == [rule.sql for rule in RULES.values()]


@pytest.mark.parametrize("uid", list(RULES))
def test_a_rule_survives_the_sdks_own_types(uid: str) -> None:
    plugins.register_default_plugins()
    register()
    rule = alert_rule(RULES[uid]) | {"folderUID": "flyball", "orgID": 1, "ruleGroup": "flyball"}
    back = json.loads(json.dumps(alerting.Rule.from_json(rule), cls=encoder.JSONEncoder))
    kept = {name: back[name] for name in rule if name != "data"}
    assert kept == {name: rule[name] for name in kept}
    assert [each["refId"] for each in back["data"]] == ["A", rule["condition"]]


def test_a_rules_condition_looks_at_its_query() -> None:
    for uid, rule in RULES.items():
        query, threshold = alert_rule(rule)["data"]
        assert threshold["model"]["expression"] == query["refId"] == "A", uid
        assert query["model"]["format"] == 1 and query["model"]["queryType"] == "table"
