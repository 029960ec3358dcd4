"""The generated JSON against @grafana/schema: Grafana's published types of 11.6, as a JSON schema (schema/board.ts)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from dashboards.build import FOLDER

SCHEMA = Path(__file__).parent / "schema" / "board.schema.json"
BOARDS = sorted(FOLDER.glob("*.json"))

Board = dict[str, Any]


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_each_board_is_what_grafana_takes(validator: Any, path: Path) -> None:
    faults = validator.iter_errors(json.loads(path.read_text(encoding="utf-8")))
    assert [f"{fault.instance_path}: {fault.message}" for fault in faults] == []


def first(board: Board, kind: str) -> Board:
    found: Board = next(panel for panel in board["panels"] if panel["type"] == kind)
    return found


SPOILED: dict[str, Callable[[Board], object]] = {
    "another kind of panel": lambda board: first(board, "stat").update(type="statt"),
    "an option that no stat has": lambda board: first(board, "stat")["options"].update(graphMod="none"),
    "an option of another value": lambda board: first(board, "stat")["options"].update(colorMode="loud"),
    "a field that no table has": lambda board: first(board, "table")["fieldConfig"]["defaults"]["custom"].update(x=1),
    "a field's setting": lambda board: first(board, "timeseries")["fieldConfig"]["defaults"].update(units="ms"),
    "a query without its text": lambda board: first(board, "table")["targets"][0].pop("rawSql"),
    "a width in words": lambda board: first(board, "stat")["gridPos"].update(w="4"),
    "a kind of variable": lambda board: board["templating"]["list"][0].update(type="querry"),
    "an annotation's colour": lambda board: board["annotations"]["list"][0].update(iconColor=7),
    "a refresh in seconds": lambda board: board.update(refresh=60),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_grafana_would_not_take_is_found(validator: Any, name: str) -> None:
    board = json.loads((FOLDER / "latency.json").read_text(encoding="utf-8"))
    SPOILED[name](board)
    assert not validator.is_valid(board)
