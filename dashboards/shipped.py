"""What a Grafana can be given without the SDK that makes it: the generated boards, as they are shipped."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from dashboards.datasource import PLUGIN, UID


def shipped_boards(source: str = UID) -> Mapping[str, dict[str, Any]]:
    """Every generated board by its uid, asking the data source with the uid `source`."""
    entries = sorted(files("dashboards").joinpath("generated").iterdir(), key=lambda entry: entry.name)
    boards = [json.loads(entry.read_text(encoding="utf-8")) for entry in entries if entry.name.endswith(".json")]
    return {board["uid"]: _asking(board, source) for board in boards}


def _asking(part: Any, source: str) -> Any:
    """The same with each reference to our data source led to that one."""
    if isinstance(part, list):
        return [_asking(each, source) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == PLUGIN and part.get("uid") == UID:
        return {**part, "uid": source}
    return {name: _asking(each, source) for name, each in part.items()}
