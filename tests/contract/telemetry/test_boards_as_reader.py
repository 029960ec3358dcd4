"""Grafana's user may ask all that boards ask: nothing in their queries is refused where it only reads."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboards.annotations import ANNOTATIONS
from dashboards.build import FOLDER
from dashboards.variables import VARIABLES
from tests.contract.telemetry.collecting import CollectorProcess
from tests.unit.dashboards.grafana import Asked, expand

DAYS = Asked(
    datetime(2026, 11, 15, 6, 38, tzinfo=UTC),
    datetime(2026, 11, 20, 17, 21, 5, tzinfo=UTC),
    {"agent": ["triage"], "tag": ["env=it\\x24's"]},
    "Asia/Kathmandu",
)


def queries(path: Path) -> list[str]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return [target["rawSql"] for panel in loaded["panels"] for target in panel.get("targets", [])]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_the_reader_may_ask_all_of_a_board(collector: CollectorProcess, path: Path) -> None:
    with collector.client("grafana") as client:
        for sql in queries(path):
            client.query(expand(sql, DAYS))
    assert collector.process is not None
    pages = int(Path(f"/proc/{collector.process.pid}/statm").read_text().split()[1])
    assert pages * os.sysconf("SC_PAGE_SIZE") < 1024**3, "resident, under the queries of a board"


def test_the_reader_may_ask_for_choices_and_annotations(collector: CollectorProcess) -> None:
    with collector.client("grafana") as client:
        for sql in (*VARIABLES.values(), *ANNOTATIONS.values()):
            client.query(expand(sql, DAYS))
        zones = client.query(expand(VARIABLES["timezone"], DAYS)).result_rows
    assert ("Europe/Berlin",) in zones
