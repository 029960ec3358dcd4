"""Whether ClickHouse can be relied on to have what was recorded, by what the collector last said."""

import json
from pathlib import Path
from typing import Any

import pytest

from proxy.telemetry import behind

NOW = 1_796_000_000.0
WELL = {"reported_at": NOW - 1, "away": False, "lag_seconds": 2.0, "last_error": ""}


def test_a_host_without_a_collector_has_nothing_to_say(tmp_path: Path) -> None:
    assert behind(tmp_path, NOW, 15) == ""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, ""),
        ({"lag_seconds": 15.0}, ""),
        ({"lag_seconds": 40.4}, "rows of 40 s ago are not in ClickHouse yet"),
        ({"away": True, "last_error": "refused"}, "ClickHouse cannot be reached: refused"),
        ({"reported_at": NOW - 60}, "the collector has said nothing for 60 s"),
    ],
)
def test_what_the_collector_says_is_believed_while_it_is_fresh(tmp_path: Path, said: dict[str, Any], why: str) -> None:
    (tmp_path / "collector.json").write_text(json.dumps(WELL | said))
    assert behind(tmp_path, NOW, 15) == why
