"""Logs: one JSON object a line, whatever is in it; field names that logging reserves are used nowhere."""

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import proxy
from proxy.processes.logs import STANDARD, JsonLines, start_logging

SOURCE = Path(proxy.__file__).parent
RESERVED = STANDARD | {"at", "level", "process", "logger", "traceback"}


def line_of(message: str, *arguments: object, **fields: object) -> dict[str, object]:
    logger = logging.getLogger("flyball.test")
    record = logger.makeRecord(logger.name, logging.WARNING, __file__, 1, message, arguments, None, extra=fields)
    text = JsonLines("worker").format(record)
    assert "\n" not in text
    told: dict[str, object] = json.loads(text)
    return told


def extra_names() -> Iterator[tuple[str, str]]:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
                for key in node.value.keys:
                    assert isinstance(key, ast.Constant), f"{path}:{node.value.lineno}: extra with a computed name"
                    yield f"{path.relative_to(SOURCE)}:{node.value.lineno}", str(key.value)


def test_no_log_call_uses_a_name_that_logging_reserves() -> None:
    """logging raises KeyError for them, out of the very line that should have told of a fault."""
    found = list(extra_names())
    assert found
    assert [(place, name) for place, name in found if name in RESERVED] == []


def test_a_line_is_one_object_with_its_fields() -> None:
    told = line_of("%s segments", 3, operation="op_1")
    assert told["message"] == "3 segments"
    assert told["operation"] == "op_1"
    assert (told["level"], told["process"], told["logger"]) == ("warning", "worker", "flyball.test")


def test_line_feeds_cannot_forge_a_line() -> None:
    assert line_of("a\n{}", name_of="b\r\nc")["message"] == "a\n{}"


def test_what_json_cannot_hold_is_written_as_text() -> None:
    assert line_of("x", where=Path("/tmp"), nothing=None)["where"] == "/tmp"


def test_half_a_surrogate_pair_does_not_break_the_log() -> None:
    assert line_of("broken \ud800 text")["message"] == "broken \\ud800 text"


def test_a_fault_is_told_with_its_places(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        start_logging("worker")
        try:
            raise KeyError("fb-secret-in-an-exception")
        except KeyError:
            logging.getLogger("flyball.test").exception("failed")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    told = json.loads(capsys.readouterr().err)
    assert "KeyError" in told["traceback"]
    assert "test_log_lines.py" in told["traceback"]
    assert "fb-secret" not in told["traceback"]
