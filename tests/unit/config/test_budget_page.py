"""What docs/budgets.md tells people to write is taken, and its numbers are the shapes' own."""

import json
import re
from pathlib import Path

import pytest

from proxy.admin.shapes.budgets import Budget
from proxy.admin.shapes.metered import RaiseBody, RaiseShown
from proxy.config import load_config

PAGE = (Path(__file__).parents[3] / "docs" / "budgets.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
YAML = [text for kind, text in BLOCKS if kind == "yaml"]
JSON = [text for kind, text in BLOCKS if kind == "json"]


def test_there_is_something_to_try() -> None:
    assert (len(YAML), len(JSON)) == (4, 2)


@pytest.mark.parametrize("text", YAML)
def test_what_is_shown_of_the_file_is_taken(tmp_path: Path, text: str) -> None:
    (tmp_path / "flyball.yaml").write_text(text)
    settings = load_config(tmp_path / "flyball.yaml", {}).settings
    assert settings.budgets


def test_what_is_shown_of_the_api_has_the_names_of_its_shapes() -> None:
    state, made = (set(json.loads(text)) for text in JSON)
    assert state <= set(Budget.__struct_fields__)
    assert made <= set(RaiseShown.__struct_fields__)
    (asked,) = re.findall(r"-d '(\{.*?\})'", PAGE)
    assert set(json.loads(asked)) <= set(RaiseBody.__struct_fields__)
