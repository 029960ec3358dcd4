"""What a Grafana loads by itself: data source, boards and their folder, alert rules, as text of provisioning files.

Contact points are not among them: who is told, and how, is set in Grafana (alerts carry `app: flyball` and `severity`).
"""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from dashboards.alerts import RULES, AlertRule
from dashboards.datasource import PLUGIN, PLUGIN_VERSION, UID, datasource

FOLDER_TITLE: Final = "Flyball"
FOLDER_UID: Final = "flyball"
GROUP: Final = "flyball"
BOARDS_PATH: Final = "/var/lib/grafana/dashboards/flyball"
_EXPRESSION: Final = {"type": "__expr__", "uid": "__expr__"}
_LOOKS_BACK_S: Final = 3600
_HEAD: Final = "# Written by `python -m dashboards.build`; a change made here is lost with the next one.\n"
_SOURCE_HEAD: Final = f"""{_HEAD}# Needs the plugin {PLUGIN}, version 4 or newer, and the environment
# FLYBALL_CLICKHOUSE_HOST (port 8123) and FLYBALL_GRAFANA_PASSWORD (that of ClickHouse's user `grafana`).
"""
_RULES_HEAD: Final = f"""{_HEAD}# Alerts go where Grafana's notification policies send them, which are yours to set;
# the label `app` is flyball, `severity` critical or warning.
"""


def provisioning_files() -> Mapping[str, str]:
    """Every file by its path under Grafana's folder `provisioning`."""
    return {
        "datasources/flyball.yaml": _SOURCE_HEAD + _yaml({"apiVersion": 1, "datasources": [_source()]}),
        "dashboards/flyball.yaml": _HEAD + _yaml({"apiVersion": 1, "providers": [_provider()]}),
        "alerting/flyball.yaml": _RULES_HEAD + _yaml({"apiVersion": 1, "groups": [_group()]}),
    }


def alert_rule(rule: AlertRule, *, source: str = UID) -> dict[str, Any]:
    """A rule in the words that provisioning files and the HTTP API share; `source` is the data source's uid."""
    return {
        "uid": rule.uid,
        "title": rule.title,
        "condition": "C",
        "for": rule.waits,
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"app": "flyball", "severity": rule.severity},
        "annotations": {"summary": rule.summary, "description": rule.description},
        "data": [_query(rule, source), _threshold(rule)],
    }


def _query(rule: AlertRule, source: str) -> dict[str, Any]:
    return {
        "refId": "A",
        "relativeTimeRange": {"from": _LOOKS_BACK_S, "to": 0},
        "datasourceUid": source,
        "model": {
            "datasource": {"type": PLUGIN, "uid": source},
            "editorType": "sql",
            "format": 1,
            "intervalMs": 1000,
            "maxDataPoints": 43200,
            "meta": {},
            "pluginVersion": PLUGIN_VERSION,
            "queryType": "table",
            "rawSql": rule.sql,
            "refId": "A",
        },
    }


def _threshold(rule: AlertRule) -> dict[str, Any]:
    return {
        "refId": "C",
        "relativeTimeRange": {"from": _LOOKS_BACK_S, "to": 0},
        "datasourceUid": _EXPRESSION["uid"],
        "model": {
            "datasource": dict(_EXPRESSION),
            "type": "threshold",
            "expression": "A",
            "conditions": [{"evaluator": {"type": "gt", "params": [rule.above]}}],
            "refId": "C",
        },
    }


def _group() -> dict[str, Any]:
    rules = [alert_rule(rule) for rule in RULES.values()]
    return {"orgId": 1, "name": GROUP, "folder": FOLDER_TITLE, "interval": "1m", "rules": rules}


def _source() -> dict[str, Any]:
    source = datasource("${FLYBALL_CLICKHOUSE_HOST}", 8123, "grafana", "${FLYBALL_GRAFANA_PASSWORD}")
    return {**source, "editable": False}


def _provider() -> dict[str, Any]:
    return {
        "name": "flyball",
        "type": "file",
        "folder": FOLDER_TITLE,
        "folderUid": FOLDER_UID,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 30,
        "options": {"path": BOARDS_PATH},
    }


class _Block(yaml.SafeDumper):
    """Texts of several lines as blocks, so that SQL can be read; nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _as_block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Block.add_representer(str, _as_block)


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Block, sort_keys=False, width=120, allow_unicode=True)
