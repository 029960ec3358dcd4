"""`flyball policy test`."""

import json
from pathlib import Path

import pytest

from proxy.cli import main
from tests.contract.policy.real_opa import opa_command


def test_the_starter_librarys_tests_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "test"]) == 0
    assert "tests pass" in capsys.readouterr().out


def test_what_fails_or_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a_test.rego").write_text("package a_test\ntest_no if 1 == 2\n")
    assert main(["policy", "test", str(tmp_path)]) == 1
    assert "FAIL a_test.test_no is undefined" in capsys.readouterr().out
    (tmp_path / "b.rego").write_text("package b\nx {")
    assert main(["policy", "test", str(tmp_path)]) == 1
    assert "b.rego:2:3" in capsys.readouterr().err


def test_a_folder_without_tests_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "test", str(tmp_path)]) == 1
    assert "0 of 0" in capsys.readouterr().out


FAKE = """#!/bin/sh
test "$1 $2 $3" = "test --format=json ." || exit 9
test -f data.json && test -f a.rego && test -f flyball/base.rego || exit 8
cat "{answer}"
exit {status}
"""


def opa(folder: Path, answer: object, status: int = 0) -> str:
    """A program that answers as `opa test` would."""
    (folder / "answer.txt").write_text(json.dumps(answer))
    program = folder / "opa"
    program.write_text(FAKE.format(answer=folder / "answer.txt", status=status))
    program.chmod(0o700)
    return str(program)


def rules_in(folder: Path) -> str:
    rules = folder / "rules"
    rules.mkdir()
    (rules / "a.rego").write_text("package a\n\nx := 1\n")
    (rules / "a_test.rego").write_text("package a_test\n\nimport data.a\n\ntest_x if a.x == 1\n")
    return str(rules)


RESULT = {"package": "data.a_test", "name": "test_x", "location": {"file": "a_test.rego", "row": 5}, "duration": 1}
ENDS = {
    "passes": ([RESULT], 0, 0, "1 of 1 tests pass by opa"),
    "fails": ([{**RESULT, "fail": True}], 2, 1, "FAIL a_test.test_x by opa fails"),
    "ends in an error": ([{**RESULT, "error": {"code": "eval"}}], 2, 1, "FAIL a_test.test_x by opa error: "),
    "runs others": ([{**RESULT, "name": "test_y"}], 0, 1, "a_test.test_y: run by opa only"),
    "leaves one out": ([RESULT, {**RESULT, "name": "todo_test_z", "skip": True}], 0, 0, "1 of 1 tests pass by opa"),
    "runs none": ([], 0, 1, "0 of 0 tests pass by opa"),
    "cannot load": ("rego_parse_error", 1, 1, "rego_parse_error"),
    "says something else": ({"x": 1}, 0, 1, "another shape"),
}


@pytest.mark.parametrize("name", ENDS)
def test_both_engines_must_agree(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer, ended, status, said = ENDS[name]
    command = ["policy", "test", rules_in(tmp_path), "--engine", "both", "--opa", opa(tmp_path, answer, ended)]
    assert main(command) == status
    told = capsys.readouterr()
    assert said in told.out + told.err


def test_results_are_told_to_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules, program = rules_in(tmp_path), opa(tmp_path, [{**RESULT, "fail": True}], 2)
    assert main(["policy", "test", rules, "--engine", "both", "--opa", program, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    passed = {each["engine"]: each["passed"] for each in told["tests"]}
    assert passed == {"embedded": True, "opa": False} and told["alone"] == []


def test_an_opa_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["policy", "test", "--engine", "opa"]) == 1
    assert "there is no `opa` on the path" in capsys.readouterr().err
    assert main(["policy", "test", "--engine", "opa", "--opa", str(tmp_path / "gone")]) == 1
    assert "cannot be run" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.timeout(1600)
def test_the_starter_librarys_tests_pass_by_opa_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "test", "--engine", "both", "--opa", opa_command()]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.count("tests pass by") == 2
